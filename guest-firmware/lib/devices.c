/* See devices.h. */
#include "devices.h"

#include "places.h"
#include "words.h"

static struct virtio devices[DEVICES_MAX];
static unsigned int found;

unsigned int devices_find(const char *line)
{
	unsigned int count = 0;
	char transport[8];

	(void)words_value(line, "transport", transport, sizeof(transport));
	if (!string_equal(transport, "mmio"))
		count = virtio_pci_scan(devices, count, DEVICES_MAX);
	if (!string_equal(transport, "pci"))
		count = virtio_mmio_scan(words_number(line, "mmio-base", PLACE_VIRTIO_MMIO_BASE),
			words_number(line, "mmio-stride", PLACE_VIRTIO_MMIO_STRIDE),
			(unsigned int)words_number(line, "mmio-slots", PLACE_VIRTIO_MMIO_SLOTS),
			devices, count, DEVICES_MAX);
	found = count;
	return count;
}

unsigned int devices_count(void)
{
	return found;
}

struct virtio *devices_get(unsigned int index)
{
	return &devices[index];
}

struct virtio *devices_first(const char *line, uint32_t device_id)
{
	unsigned int count = devices_find(line);

	for (unsigned int i = 0; i < count; i++)
		if (devices[i].device_id == device_id)
			return &devices[i];
	return NULL;
}
