/* See virtio.h. */
#include "virtio.h"

#include "board.h"
#include "mmio.h"

static uint64_t patience_seconds = 10;

void virtio_set_patience(uint64_t seconds)
{
	patience_seconds = seconds;
}

bool virtio_is_late(uint64_t start)
{
	return board_clock() - start > patience_seconds * board_clock_hz();
}

uint64_t virtio_offered(const struct virtio *device)
{
	return device->transport->offered(device, 0) |
	       (uint64_t)device->transport->offered(device, 1) << 32;
}

bool virtio_reset(const struct virtio *device)
{
	uint64_t start = board_clock();

	device->transport->set_status(device, 0);
	while (device->transport->status(device) != 0) {
		if (virtio_is_late(start))
			return false;
	}
	return true;
}

void virtio_add_status(const struct virtio *device, uint8_t bits)
{
	device->transport->set_status(device, (uint8_t)(device->transport->status(device) | bits));
}

bool virtio_wait_status(const struct virtio *device, uint8_t bit)
{
	uint64_t start = board_clock();

	while (!(device->transport->status(device) & bit)) {
		if (virtio_is_late(start))
			return false;
	}
	return true;
}

bool virtio_negotiate(struct virtio *device, uint64_t wanted)
{
	if (!virtio_reset(device))
		return false;
	virtio_add_status(device, STATUS_ACKNOWLEDGE);
	virtio_add_status(device, STATUS_DRIVER);
	device->accepted = virtio_offered(device) & (wanted | FEATURE_VERSION_1);
	device->transport->accept(device, 0, (uint32_t)device->accepted);
	device->transport->accept(device, 1, (uint32_t)(device->accepted >> 32));
	virtio_add_status(device, STATUS_FEATURES_OK);
	return device->transport->status(device) & STATUS_FEATURES_OK;
}

void virtio_driver_ok(const struct virtio *device)
{
	virtio_add_status(device, STATUS_DRIVER_OK);
}

uint16_t virtio_queue_size_max(const struct virtio *device, uint16_t queue)
{
	device->transport->select_queue(device, queue);
	return device->transport->queue_size(device);
}

void virtio_notify(const struct virtio *device, uint16_t queue)
{
	uint64_t address = device->transport->notify_address(device, queue);

	if (!address)
		return;
	/* Through PCI it is 16 bits wide (4.1.5.2), through MMIO 32 (4.2.2). */
	if (virtio_is_pci(device))
		mmio_write16(address, queue);
	else
		mmio_write32(address, queue);
}
