/*
 * A device beside the scene's own that is driven by its first queues, up to three: NICs, sockets,
 * file systems. The rings' memory is their own and not the stage's, which other devices write to:
 * those have another thread, and what orders the two is this guest, of which a sanitizer of threads
 * knows nothing.
 */
#pragma once

#include "scene.h"

#define TRIO_RINGS     3
#define TRIO_RING_SIZE 16

struct trio {
	struct vring rings[TRIO_RINGS];
};

/* From reset to DRIVER_OK; reports a failure, with the device's name. */
bool trio_up(struct trio *trio, struct scene *scene, struct virtio *device, uint64_t features,
	const char *name);

/* Makes one chain available in a slot of count descriptors, and notifies. */
void trio_send(struct trio *trio, const struct virtio *device, uint16_t queue, uint16_t slot,
	const struct vring_buffer *buffers, uint16_t count);

/* It is used, or the device wants a reset. Reports when neither comes. */
enum scene_result trio_wait(struct trio *trio, struct scene *scene, const struct virtio *device,
	uint16_t queue, uint32_t *ret_length);
