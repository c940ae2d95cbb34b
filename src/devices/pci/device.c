/*
 * The configuration space of one function: PCI Local Bus 3.0, 6.1 (header), 6.2.5 (BARs) and 6.7
 * (capabilities). See pci.h.
 *
 * A byte array with a mask of writable bits is all there is to most registers; BAR sizing falls out
 * of it, because the address bits below a BAR's size are read-only zeros.
 */
#include "pci.h"

#include <errno.h>
#include <stddef.h>

#define REG_VENDOR_ID       0x00
#define REG_DEVICE_ID       0x02
#define REG_COMMAND         0x04
#define REG_STATUS          0x06
#define REG_REVISION        0x08 /* and the class code in the three bytes above */
#define REG_BAR0            0x10
#define REG_SUBSYSTEM       0x2c /* vendor, then device */
#define REG_CAPABILITIES    0x34
#define REG_INTERRUPT_LINE  0x3c
#define REG_INTERRUPT_PIN   0x3d
#define CAPABILITY_AREA     0x40
#define CAPABILITY_AREA_END 0x100

#define COMMAND_IO           0x0001U
#define COMMAND_MEMORY       0x0002U
#define COMMAND_MASTER       0x0004U
#define COMMAND_INTX_DISABLE 0x0400U
#define STATUS_CAPABILITIES  0x0010U

#define BAR_IO           0x1U
#define BAR_64_BIT       0x4U
#define BAR_PREFETCHABLE 0x8U

static bool is_inside(unsigned int reg, unsigned int size)
{
	return size <= 4 && reg < PCI_CONFIG_BYTES && size <= PCI_CONFIG_BYTES - reg;
}

uint32_t pci_device_load(const struct pci_device *device, unsigned int reg, unsigned int size)
{
	uint32_t value = 0;

	if (!is_inside(reg, size))
		return UINT32_MAX;
	for (unsigned int i = 0; i < size; i++)
		value |= (uint32_t)device->config[reg + i] << (8 * i);
	return value;
}

void pci_device_store(
	struct pci_device *device, unsigned int reg, unsigned int size, uint32_t value)
{
	if (!is_inside(reg, size))
		return;
	for (unsigned int i = 0; i < size; i++)
		device->config[reg + i] = (uint8_t)(value >> (8 * i));
}

void pci_device_set_writable(
	struct pci_device *device, unsigned int reg, unsigned int size, uint32_t mask)
{
	if (!is_inside(reg, size))
		return;
	for (unsigned int i = 0; i < size; i++)
		device->writable[reg + i] |= (uint8_t)(mask >> (8 * i));
}

static unsigned int bar_register(unsigned int index)
{
	return REG_BAR0 + 4 * index;
}

/* Where the registers say that the BAR is decoded now; false: nowhere. */
static bool bar_is_decoded(const struct pci_device *device, unsigned int index, uint64_t *ret_base)
{
	const struct pci_bar *bar = &device->bars[index];
	uint32_t command = pci_device_load(device, REG_COMMAND, 2);
	uint64_t base = pci_device_load(device, bar_register(index), 4);

	if (bar->kind == PCI_BAR_NONE)
		return false;
	if (bar->kind == PCI_BAR_MEMORY64)
		base |= (uint64_t)pci_device_load(device, bar_register(index + 1), 4) << 32;
	*ret_base = base & ~(bar->size - 1);
	return (command & (bar->kind == PCI_BAR_IO ? COMMAND_IO : COMMAND_MEMORY)) != 0;
}

static void update_bars(struct pci_device *device)
{
	for (unsigned int index = 0; index < PCI_BARS; index++) {
		struct pci_bar *bar = &device->bars[index];
		uint64_t base = 0;
		bool enabled = bar_is_decoded(device, index, &base);

		if (enabled == bar->enabled && (!enabled || base == bar->base))
			continue;
		bar->enabled = enabled;
		bar->base = base;
		if (device->ops && device->ops->bar_changed)
			device->ops->bar_changed(device, index);
	}
}

void pci_device_store_guest(
	struct pci_device *device, unsigned int reg, unsigned int size, uint32_t value)
{
	if (!is_inside(reg, size))
		return;
	for (unsigned int i = 0; i < size; i++) {
		uint8_t writable = device->writable[reg + i];
		uint8_t byte = (uint8_t)(value >> (8 * i));

		device->config[reg + i] = (uint8_t)((device->config[reg + i] & ~writable) |
						    (byte & writable));
	}
	update_bars(device);
}

void pci_device_reset(struct pci_device *device)
{
	for (unsigned int reg = 0; reg < PCI_CONFIG_BYTES; reg++)
		device->config[reg] &= (uint8_t)~device->writable[reg];
	update_bars(device);
	if (device->ops && device->ops->reset)
		device->ops->reset(device);
}

void pci_device_init(struct pci_device *device, const struct pci_device_ops *ops,
	const struct pci_identity *identity)
{
	*device = (struct pci_device){
		.ops = ops,
		.capability_link = REG_CAPABILITIES,
		.capability_end = CAPABILITY_AREA,
	};
	pci_device_store(device, REG_VENDOR_ID, 2, identity->vendor_id);
	pci_device_store(device, REG_DEVICE_ID, 2, identity->device_id);
	pci_device_store(device, REG_REVISION, 4, identity->class_code << 8 | identity->revision);
	pci_device_store(device, REG_SUBSYSTEM, 2, identity->subsystem_vendor_id);
	pci_device_store(device, REG_SUBSYSTEM + 2, 2, identity->subsystem_id);
	pci_device_store(device, REG_INTERRUPT_PIN, 1, identity->interrupt_pin);
	pci_device_set_writable(device, REG_COMMAND, 2,
		COMMAND_IO | COMMAND_MEMORY | COMMAND_MASTER | COMMAND_INTX_DISABLE);
	pci_device_set_writable(device, REG_INTERRUPT_LINE, 1, 0xff);
}

/* A register that no BAR uses, neither as its first nor as its second. */
static bool bar_is_free(const struct pci_device *device, unsigned int index)
{
	return index < PCI_BARS && device->bars[index].kind == PCI_BAR_NONE &&
	       (index == 0 || device->bars[index - 1].kind != PCI_BAR_MEMORY64);
}

int pci_device_add_bar(struct pci_device *device, unsigned int index, enum pci_bar_kind kind,
	bool prefetchable, uint64_t size)
{
	/* PCI 3.0 6.2.5.1: at most 256 bytes of I/O; 6.2.5: half of what the register can reach. */
	static const struct {
		uint64_t minimum, maximum;
		uint32_t flags;
	} limits[] = {
		[PCI_BAR_IO] = {4, 256, BAR_IO},
		[PCI_BAR_MEMORY32] = {16, UINT64_C(1) << 31, 0},
		[PCI_BAR_MEMORY64] = {16, UINT64_C(1) << 63, BAR_64_BIT},
	};
	uint64_t address_bits = ~(size - 1);

	if (kind == PCI_BAR_NONE || (size_t)kind >= array_size(limits) ||
		!bar_is_free(device, index) || size < limits[kind].minimum ||
		size > limits[kind].maximum || (size & (size - 1)))
		return -EINVAL;
	if (kind == PCI_BAR_MEMORY64 && !bar_is_free(device, index + 1))
		return -EINVAL;
	device->bars[index] = (struct pci_bar){
		.kind = kind, .prefetchable = prefetchable, .size = size};
	pci_device_store(device, bar_register(index), 4,
		limits[kind].flags | (prefetchable ? BAR_PREFETCHABLE : 0));
	pci_device_set_writable(device, bar_register(index), 4, (uint32_t)address_bits);
	if (kind == PCI_BAR_MEMORY64)
		pci_device_set_writable(
			device, bar_register(index + 1), 4, (uint32_t)(address_bits >> 32));
	return 0;
}

int pci_device_add_capability(
	struct pci_device *device, uint8_t id, unsigned int size, unsigned int *ret_offset)
{
	unsigned int offset = device->capability_end;
	uint32_t status = pci_device_load(device, REG_STATUS, 2);

	if (size < 2 || size > CAPABILITY_AREA_END - offset)
		return -ENOSPC;
	pci_device_store(device, offset, 1, id);
	pci_device_store(device, device->capability_link, 1, offset);
	pci_device_store(device, REG_STATUS, 2, status | STATUS_CAPABILITIES);
	device->capability_link = offset + 1;
	device->capability_end = (offset + size + 3) & ~3U; /* PCI 3.0 6.7: dword-aligned */
	*ret_offset = offset;
	return 0;
}
