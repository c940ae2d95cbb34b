/* See lane.h. */
#include "lane.h"

#include "board.h"
#include "mmio.h"

bool lane_prepare(struct lane *lane, struct virtio *device, uint16_t queue, uint16_t size_max,
	uint16_t stride)
{
	uint16_t size = virtio_queue_size_max(device, queue);
	void *memory = board_take(VRING_BYTES, 4096);

	lane->device = device;
	if (!memory || !size)
		return false;
	vring_place(&lane->ring, (uintptr_t)memory, queue, size < size_max ? size : size_max, false,
		device->accepted & FEATURE_EVENT_INDEX);
	lane->ring.stride = stride;
	return true;
}

bool lane_add_buffers(struct lane *lane, uint16_t slots, uint32_t bytes, bool writable)
{
	for (uint16_t slot = 0; slot < slots; slot++) {
		struct vring_buffer buffer = {(uintptr_t)board_take(bytes, 64), bytes, writable};

		if (!buffer.address || slot >= lane->ring.size)
			return false;
		vring_write_chain(&lane->ring, slot, &buffer, 1);
	}
	return true;
}

bool lane_open(struct lane *lane)
{
	vring_disable_interrupts(&lane->ring);
	vring_configure(&lane->ring, lane->device);
	lane->device->transport->enable(lane->device, 1);
	lane->notify_address = lane->device->transport->notify_address(
		lane->device, lane->ring.queue);
	return lane->notify_address;
}

void lane_notify(struct lane *lane, uint16_t old_available)
{
	if (lane->ring.next_available == old_available ||
		!vring_must_notify(&lane->ring, old_available))
		return;
	lane->notifications++;
	if (virtio_is_pci(lane->device))
		mmio_write16(lane->notify_address, lane->ring.queue);
	else
		mmio_write32(lane->notify_address, lane->ring.queue);
}
