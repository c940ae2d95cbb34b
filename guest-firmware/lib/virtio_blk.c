/* See virtio_blk.h. */
#include "virtio_blk.h"

#include "board.h"
#include "mmio.h"

uint64_t blk_capacity_sectors(const struct virtio *device)
{
	uint8_t generation;
	uint64_t sectors;

	/* 2.5.1: a value of more than 32 bits is whole when the generation did not move. */
	do {
		generation = device->transport->generation(device);
		sectors = mmio_read32(device->config + BLK_CONFIG_CAPACITY) |
		          (uint64_t)mmio_read32(device->config + BLK_CONFIG_CAPACITY + 4) << 32;
	} while (device->transport->generation(device) != generation);
	return sectors;
}

uint16_t blk_prepare(struct blk_slot *slot, uint32_t type, uint64_t sector, uint64_t data,
	uint32_t length, struct vring_buffer buffers[3])
{
	uint16_t count = 0;

	slot->header = (struct blk_header){type, 0, sector};
	slot->status = BLK_PENDING;
	buffers[count++] = (struct vring_buffer){
		(uintptr_t)&slot->header, sizeof(slot->header), false};
	if (length)
		buffers[count++] = (struct vring_buffer){
			data, length, type == BLK_IN || type == BLK_GET_ID};
	buffers[count++] = (struct vring_buffer){(uintptr_t)&slot->status, 1, true};
	return count;
}

uint8_t blk_request(const struct virtio *device, struct vring *ring, struct blk_slot *slot,
	uint32_t type, uint64_t sector, uint64_t data, uint32_t length)
{
	struct vring_buffer buffers[3];
	uint16_t count = blk_prepare(slot, type, sector, data, length, buffers);
	uint64_t start = board_clock();
	uint32_t used_length;
	uint16_t id;

	ring->stride = count;
	vring_add(ring, 0, buffers, count);
	virtio_notify(device, ring->queue);
	while (!vring_take_used(ring, &id, &used_length)) {
		if (virtio_is_late(start))
			return BLK_PENDING;
	}
	return id == 0 ? slot->status : BLK_PENDING;
}
