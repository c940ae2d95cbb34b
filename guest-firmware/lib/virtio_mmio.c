/*
 * The virtio-mmio transport: VIRTIO 1.2 4.2.
 */
#include "board.h"
#include "mmio.h"
#include "virtio.h"

#define VERSION_MODERN 2

static uint8_t mmio_status(const struct virtio *device)
{
	return (uint8_t)mmio_read32(device->base + MMIO_STATUS);
}

static void mmio_set_status(const struct virtio *device, uint8_t status)
{
	mmio_write32(device->base + MMIO_STATUS, status);
}

static uint32_t mmio_offered(const struct virtio *device, uint32_t word)
{
	mmio_write32(device->base + MMIO_DEVICE_FEATURES_SEL, word);
	return mmio_read32(device->base + MMIO_DEVICE_FEATURES);
}

static void mmio_accept(const struct virtio *device, uint32_t word, uint32_t value)
{
	mmio_write32(device->base + MMIO_DRIVER_FEATURES_SEL, word);
	mmio_write32(device->base + MMIO_DRIVER_FEATURES, value);
}

static void mmio_select_queue(const struct virtio *device, uint16_t queue)
{
	mmio_write32(device->base + MMIO_QUEUE_SEL, queue);
}

static uint16_t mmio_queue_size(const struct virtio *device)
{
	return (uint16_t)mmio_read32(device->base + MMIO_QUEUE_SIZE_MAX);
}

static void mmio_set_queue_size(const struct virtio *device, uint32_t size)
{
	mmio_write32(device->base + MMIO_QUEUE_SIZE, size);
}

static void mmio_set_area(const struct virtio *device, enum virtio_area area, uint64_t address)
{
	uint64_t reg = device->base + MMIO_QUEUE_DESC + (uint64_t)area * 0x10;

	mmio_write32(reg, (uint32_t)address);
	mmio_write32(reg + 4, (uint32_t)(address >> 32));
}

static void mmio_enable(const struct virtio *device, uint32_t value)
{
	mmio_write32(device->base + MMIO_QUEUE_READY, value);
}

static bool mmio_enabled(const struct virtio *device)
{
	return mmio_read32(device->base + MMIO_QUEUE_READY) == 1;
}

static void mmio_reset_queue(const struct virtio *device)
{
	mmio_write32(device->base + MMIO_QUEUE_RESET, 1);
}

static uint64_t mmio_notify_address(const struct virtio *device, uint16_t queue)
{
	(void)queue;
	return device->base + MMIO_QUEUE_NOTIFY;
}

static uint32_t mmio_interrupt_status(const struct virtio *device)
{
	uint32_t status = mmio_read32(device->base + MMIO_INTERRUPT_STATUS);

	mmio_write32(device->base + MMIO_INTERRUPT_ACK, status);
	return status;
}

static uint8_t mmio_generation(const struct virtio *device)
{
	return (uint8_t)mmio_read32(device->base + MMIO_CONFIG_GENERATION);
}

const struct virtio_transport virtio_mmio_transport = {
	.name = "mmio",
	.status = mmio_status,
	.set_status = mmio_set_status,
	.offered = mmio_offered,
	.accept = mmio_accept,
	.select_queue = mmio_select_queue,
	.queue_size = mmio_queue_size,
	.set_queue_size = mmio_set_queue_size,
	.set_area = mmio_set_area,
	.enable = mmio_enable,
	.enabled = mmio_enabled,
	.reset_queue = mmio_reset_queue,
	.notify_address = mmio_notify_address,
	.interrupt_status = mmio_interrupt_status,
	.generation = mmio_generation,
};

unsigned int virtio_mmio_scan(uint64_t base, uint64_t stride, unsigned int slots,
	struct virtio *devices, unsigned int count, unsigned int max)
{
	if (!board_map(base, stride * slots))
		return count;
	for (unsigned int i = 0; i < slots && count < max; i++) {
		uint64_t at = base + i * stride;

		if (mmio_read32(at + MMIO_MAGIC) != MMIO_MAGIC_VALUE ||
			mmio_read32(at + MMIO_VERSION) != VERSION_MODERN ||
			mmio_read32(at + MMIO_DEVICE_ID) == 0)
			continue;
		devices[count++] = (struct virtio){
			.transport = &virtio_mmio_transport,
			.device_id = mmio_read32(at + MMIO_DEVICE_ID),
			.base = at,
			.config = at + MMIO_CONFIG,
			.config_bytes = (uint32_t)(stride - MMIO_CONFIG),
		};
	}
	return count;
}
