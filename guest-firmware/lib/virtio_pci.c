/*
 * The modern virtio-pci transport: VIRTIO 1.2 4.1.
 */
#include "mmio.h"
#include "virtio.h"

#define VENDOR_VIRTIO           0x1af4
#define DEVICE_MODERN           0x1040 /* plus the device's number */
#define DEVICE_MODERN_MAX       0x107f
#define DEVICE_TRANSITIONAL     0x1000
#define DEVICE_TRANSITIONAL_MAX 0x103f
#define PCI_SUBSYSTEM_ID        0x2e

/* 4.1.4 */
#define CAPABILITY_TYPE       3
#define CAPABILITY_BAR        4
#define CAPABILITY_OFFSET     8
#define CAPABILITY_LENGTH     12
#define CAPABILITY_MULTIPLIER 16
#define TYPE_COMMON           1
#define TYPE_NOTIFY           2
#define TYPE_ISR              3
#define TYPE_DEVICE           4
#define TYPE_WINDOW           5

static uint8_t pci_status(const struct virtio *device)
{
	return mmio_read8(device->common + COMMON_DEVICE_STATUS);
}

static void pci_set_status(const struct virtio *device, uint8_t status)
{
	mmio_write8(device->common + COMMON_DEVICE_STATUS, status);
}

static uint32_t pci_offered(const struct virtio *device, uint32_t word)
{
	mmio_write32(device->common + COMMON_DEVICE_FEATURE_SELECT, word);
	return mmio_read32(device->common + COMMON_DEVICE_FEATURE);
}

static void pci_accept(const struct virtio *device, uint32_t word, uint32_t value)
{
	mmio_write32(device->common + COMMON_DRIVER_FEATURE_SELECT, word);
	mmio_write32(device->common + COMMON_DRIVER_FEATURE, value);
}

static void pci_select_queue(const struct virtio *device, uint16_t queue)
{
	mmio_write16(device->common + COMMON_QUEUE_SELECT, queue);
}

static uint16_t pci_queue_size(const struct virtio *device)
{
	return mmio_read16(device->common + COMMON_QUEUE_SIZE);
}

static void pci_set_queue_size(const struct virtio *device, uint32_t size)
{
	mmio_write16(device->common + COMMON_QUEUE_SIZE, (uint16_t)size);
}

static void pci_set_area(const struct virtio *device, enum virtio_area area, uint64_t address)
{
	uint64_t reg = device->common + COMMON_QUEUE_DESC + (uint64_t)area * 8;

	/* 4.1.3.1: 64-bit fields are accessed as two of 32 bits. */
	mmio_write32(reg, (uint32_t)address);
	mmio_write32(reg + 4, (uint32_t)(address >> 32));
}

static void pci_enable(const struct virtio *device, uint32_t value)
{
	mmio_write16(device->common + COMMON_QUEUE_ENABLE, (uint16_t)value);
}

static bool pci_enabled(const struct virtio *device)
{
	return mmio_read16(device->common + COMMON_QUEUE_ENABLE) == 1;
}

static void pci_reset_queue(const struct virtio *device)
{
	mmio_write16(device->common + COMMON_QUEUE_RESET, 1);
}

static uint64_t pci_notify_address(const struct virtio *device, uint16_t queue)
{
	uint64_t offset;

	pci_select_queue(device, queue);
	offset = (uint64_t)mmio_read16(device->common + COMMON_QUEUE_NOTIFY_OFF) *
	         device->notify_multiplier;
	return offset + 2 <= device->notify_bytes ? device->notify + offset : 0;
}

static uint32_t pci_interrupt_status(const struct virtio *device)
{
	return mmio_read8(device->isr); /* reading clears it */
}

static uint8_t pci_generation(const struct virtio *device)
{
	return mmio_read8(device->common + COMMON_CONFIG_GENERATION);
}

const struct virtio_transport virtio_pci_transport = {
	.name = "pci",
	.status = pci_status,
	.set_status = pci_set_status,
	.offered = pci_offered,
	.accept = pci_accept,
	.select_queue = pci_select_queue,
	.queue_size = pci_queue_size,
	.set_queue_size = pci_set_queue_size,
	.set_area = pci_set_area,
	.enable = pci_enable,
	.enabled = pci_enabled,
	.reset_queue = pci_reset_queue,
	.notify_address = pci_notify_address,
	.interrupt_status = pci_interrupt_status,
	.generation = pci_generation,
};

static uint64_t bar_address(struct virtio *device, unsigned int index)
{
	if (index >= PCI_BARS)
		return 0;
	if (!device->bars[index].address)
		device->bars[index] = pci_bar(&device->function, index);
	return device->bars[index].address;
}

static void read_capability(struct virtio *device, uint8_t at)
{
	uint64_t capability = device->function.config + at;
	uint8_t type = mmio_read8(capability + CAPABILITY_TYPE);
	uint32_t length = mmio_read32(capability + CAPABILITY_LENGTH);
	uint64_t address;

	if (type == TYPE_WINDOW) {
		device->window_capability = at;
		return;
	}
	if (type < TYPE_COMMON || type > TYPE_DEVICE)
		return;
	address = bar_address(device, mmio_read8(capability + CAPABILITY_BAR));
	if (!address)
		return;
	address += mmio_read32(capability + CAPABILITY_OFFSET);
	/* 4.1.4.1: of several of one type the first one usable is the one to take. */
	if (type == TYPE_COMMON && !device->common) {
		device->common = address;
	} else if (type == TYPE_NOTIFY && !device->notify) {
		device->notify = address;
		device->notify_bytes = length;
		device->notify_multiplier = mmio_read32(capability + CAPABILITY_MULTIPLIER);
	} else if (type == TYPE_ISR && !device->isr) {
		device->isr = address;
	} else if (type == TYPE_DEVICE && !device->config) {
		device->config = address;
		device->config_bytes = length;
	}
}

static void read_msix(struct virtio *device)
{
	uint8_t at = pci_find_capability(&device->function, PCI_CAPABILITY_MSIX, 0);
	uint64_t capability = device->function.config + at;
	uint32_t table, pending;

	if (!at)
		return;
	table = mmio_read32(capability + MSIX_TABLE);
	pending = mmio_read32(capability + MSIX_PBA);
	if (!bar_address(device, table & 7) || !bar_address(device, pending & 7))
		return;
	device->msix_capability = at;
	device->msix_entries = (uint16_t)((mmio_read16(capability + MSIX_CONTROL) &
						  MSIX_CONTROL_SIZE) +
					  1);
	device->msix_table = bar_address(device, table & 7) + (table & ~7u);
	device->msix_pba = bar_address(device, pending & 7) + (pending & ~7u);
}

static bool read_device(const struct pci_function *function, struct virtio *ret_device)
{
	struct virtio device = {.transport = &virtio_pci_transport, .function = *function};
	uint8_t at = 0;

	if (function->vendor_id != VENDOR_VIRTIO || function->device_id < DEVICE_TRANSITIONAL ||
		function->device_id > DEVICE_MODERN_MAX)
		return false;
	device.device_id = function->device_id >= DEVICE_MODERN
	                           ? function->device_id - UINT32_C(DEVICE_MODERN)
	                           : mmio_read16(function->config + PCI_SUBSYSTEM_ID);
	while ((at = pci_find_capability(function, PCI_CAPABILITY_VENDOR, at)) != 0)
		read_capability(&device, at);
	read_msix(&device);
	if (!device.common || !device.notify || !device.isr)
		return false;
	mmio_write16(function->config + PCI_COMMAND,
		PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_NO_INTX);
	*ret_device = device;
	return true;
}

unsigned int virtio_pci_scan(struct virtio *devices, unsigned int count, unsigned int max)
{
	struct pci_function function;
	unsigned int position = 0;

	if (!pci_init())
		return count;
	while (count < max && pci_next(&position, &function))
		count += read_device(&function, &devices[count]);
	return count;
}
