/* See disk.h. */
#include "disk.h"

#include "check.h"
#include "console.h"
#include "devices.h"
#include "words.h"

struct virtio *disk_find(const char *line)
{
	uint64_t wanted = words_number(line, "disk", 0);
	unsigned int count = devices_find(line);

	for (unsigned int i = 0; i < count; i++) {
		struct virtio *device = devices_get(i);

		if (device->device_id == VIRTIO_BLOCK && wanted-- == 0)
			return device;
	}
	console_print("%s: no such disk among %u virtio devices\n", check_guest_name, count);
	return NULL;
}
