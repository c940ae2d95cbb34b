/* See devices.h. */
#include "devices.h"

#include "words.h"

/* Where this machine's virtio-mmio devices are, without asking ACPI. */
#define MMIO_BASE   UINT64_C(0xf0000000)
#define MMIO_STRIDE UINT64_C(0x1000)
#define MMIO_SLOTS  32

static struct virtio devices[DEVICES_MAX];

unsigned int devices_find(const char *line)
{
	unsigned int count = 0;
	char transport[8];

	(void)words_value(line, "transport", transport, sizeof(transport));
	if (!string_equal(transport, "mmio"))
		count = virtio_pci_scan(devices, count, DEVICES_MAX);
	if (!string_equal(transport, "pci"))
		count = virtio_mmio_scan(words_number(line, "mmio-base", MMIO_BASE),
			words_number(line, "mmio-stride", MMIO_STRIDE),
			(unsigned int)words_number(line, "mmio-slots", MMIO_SLOTS), devices, count,
			DEVICES_MAX);
	return count;
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
