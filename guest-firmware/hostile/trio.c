/* See trio.h. */
#include "trio.h"

#include "board.h"

static bool has_memory(struct trio *trio)
{
	for (unsigned int i = 0; i < TRIO_RINGS; i++) {
		uint64_t *area = &trio->rings[i].areas[AREA_DESCRIPTOR];

		if (!*area)
			*area = (uintptr_t)board_take(VRING_BYTES, 4096);
		if (!*area)
			return false;
	}
	return true;
}

bool trio_up(struct trio *trio, struct scene *scene, struct virtio *device, uint64_t features,
	const char *name)
{
	if (!report_expect(scene->report, has_memory(trio) && virtio_negotiate(device, features),
		    "the %s does not come up", name))
		return false;
	for (uint16_t i = 0; i < TRIO_RINGS && virtio_queue_size_max(device, i); i++) {
		struct vring *ring = &trio->rings[i];

		vring_place(ring, ring->areas[AREA_DESCRIPTOR], i, TRIO_RING_SIZE, false, false);
		vring_configure(ring, device);
		device->transport->enable(device, 1);
	}
	virtio_driver_ok(device);
	return true;
}

void trio_send(struct trio *trio, const struct virtio *device, uint16_t queue, uint16_t slot,
	const struct vring_buffer *buffers, uint16_t count)
{
	trio->rings[queue].stride = count;
	vring_add(&trio->rings[queue], slot, buffers, count);
	virtio_notify(device, queue);
}

enum scene_result trio_wait(struct trio *trio, struct scene *scene, const struct virtio *device,
	uint16_t queue, uint32_t *ret_length)
{
	uint64_t start = board_clock();
	uint16_t id;

	do {
		if (vring_take_used(&trio->rings[queue], &id, ret_length))
			return RESULT_USED;
		if (device->transport->status(device) & STATUS_NEEDS_RESET)
			return RESULT_BROKEN;
	} while (!virtio_is_late(start));
	report_expect(scene->report, false, "queue %u: neither completed nor NEEDS_RESET", queue);
	return RESULT_NOTHING;
}
