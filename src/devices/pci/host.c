/*
 * The PCI host bridge: address decoding of ECAM (PCI Express Base 5.0 7.2.2) and of configuration
 * mechanism #1 (PCI Local Bus 3.0 3.2.2.3.2). See pci.h.
 */
#include "pci.h"

#include <errno.h>

#define BRIDGE_VENDOR_ID           0x1b36 /* Red Hat's generic PCIe host bridge, known everywhere */
#define BRIDGE_DEVICE_ID           0x0008
#define BRIDGE_SUBSYSTEM_VENDOR_ID 0x1af4
#define BRIDGE_SUBSYSTEM_ID        0x1100
#define BRIDGE_CLASS_CODE          0x060000

#define REG_HEADER_TYPE       0x0e
#define HEADER_MULTI_FUNCTION 0x80

#define ADDRESS_ENABLE   0x80000000U
#define ADDRESS_WRITABLE 0x80fffffcU /* reserved bits read as zero */
#define PORT_RESET       0x1         /* 0xcf9 */
#define PORT_DATA        0x4         /* 0xcfc to 0xcff */

/* The function at bus, device and function number as both mechanisms pack them (8, 5 and 3 bits);
 * NULL when absent. */
static struct pci_device *find_device(const struct pci_host *host, uint64_t routing_id)
{
	if (routing_id >= PCI_SLOTS * PCI_FUNCTIONS)
		return NULL;
	return host->devices[routing_id / PCI_FUNCTIONS][routing_id % PCI_FUNCTIONS];
}

static bool is_inside_dword(uint64_t reg, unsigned int size)
{
	return (size == 1 || size == 2 || size == 4) && reg % 4 + size <= 4;
}

static uint32_t read_config(
	struct pci_host *host, uint64_t routing_id, unsigned int reg, unsigned int size)
{
	struct pci_device *device = find_device(host, routing_id);
	uint32_t value = UINT32_MAX;

	if (device && is_inside_dword(reg, size)) {
		if (device->ops && device->ops->read_config)
			value = device->ops->read_config(device, reg, size);
		else
			value = pci_device_load(device, reg, size);
	}
	return size < 4 ? value & ((1U << (8 * size)) - 1) : value;
}

static void write_config(struct pci_host *host, uint64_t routing_id, unsigned int reg,
	unsigned int size, uint32_t value)
{
	struct pci_device *device = find_device(host, routing_id);

	if (!device || !is_inside_dword(reg, size))
		return;
	if (device->ops && device->ops->write_config)
		device->ops->write_config(device, reg, size, value);
	else
		pci_device_store_guest(device, reg, size, value);
}

static uint64_t pci_ecam_read(void *owner, uint64_t offset, unsigned int size)
{
	struct pci_host *host = owner;
	unsigned int reg = offset % PCI_CONFIG_BYTES;
	uint64_t routing_id = offset / PCI_CONFIG_BYTES;
	uint64_t value;

	pthread_mutex_lock(&host->lock);
	if (size == 8 && reg % 8 == 0) {
		value = read_config(host, routing_id, reg, 4);
		value |= (uint64_t)read_config(host, routing_id, reg + 4, 4) << 32;
	} else if (size == 8) {
		value = UINT64_MAX;
	} else {
		value = read_config(host, routing_id, reg, size);
	}
	pthread_mutex_unlock(&host->lock);
	return value;
}

static void pci_ecam_write(void *owner, uint64_t offset, unsigned int size, uint64_t value)
{
	struct pci_host *host = owner;
	unsigned int reg = offset % PCI_CONFIG_BYTES;
	uint64_t routing_id = offset / PCI_CONFIG_BYTES;

	pthread_mutex_lock(&host->lock);
	if (size == 8 && reg % 8 == 0) {
		write_config(host, routing_id, reg, 4, (uint32_t)value);
		write_config(host, routing_id, reg + 4, 4, (uint32_t)(value >> 32));
	} else {
		write_config(host, routing_id, reg, size, (uint32_t)value);
	}
	pthread_mutex_unlock(&host->lock);
}

const struct bus_ops pci_host_ecam_bus_ops = {pci_ecam_read, pci_ecam_write};

/* Does the address register point at anything? Gives it apart when it does. */
static bool decode_address(
	const struct pci_host *host, uint64_t *ret_routing_id, unsigned int *ret_reg)
{
	*ret_routing_id = host->address >> 8 & 0xffff;
	*ret_reg = host->address & 0xfc;
	return (host->address & ADDRESS_ENABLE) != 0;
}

static uint64_t pci_port_read(void *owner, uint64_t offset, unsigned int size)
{
	struct pci_host *host = owner;
	uint64_t routing_id, value = size < 4 ? (UINT64_C(1) << (8 * size)) - 1 : UINT32_MAX;
	unsigned int reg;

	if (offset == PORT_RESET && size == 1 && host->reset_ops)
		return host->reset_ops->read(host->reset_device, 0, size);
	pthread_mutex_lock(&host->lock);
	if (offset == 0 && size == 4)
		value = host->address;
	else if (offset >= PORT_DATA && decode_address(host, &routing_id, &reg))
		value = read_config(host, routing_id, reg + (offset & 3), size);
	pthread_mutex_unlock(&host->lock);
	return value;
}

static void pci_port_write(void *owner, uint64_t offset, unsigned int size, uint64_t value)
{
	struct pci_host *host = owner;
	uint64_t routing_id;
	unsigned int reg;

	if (offset == PORT_RESET && size == 1 && host->reset_ops) {
		host->reset_ops->write(host->reset_device, 0, size, value);
		return;
	}
	pthread_mutex_lock(&host->lock);
	/* PCI 3.0 3.2.2.3.2: only a whole dword reaches the address register. */
	if (offset == 0 && size == 4)
		host->address = (uint32_t)value & ADDRESS_WRITABLE;
	else if (offset >= PORT_DATA && decode_address(host, &routing_id, &reg))
		write_config(host, routing_id, reg + (offset & 3), size, (uint32_t)value);
	pthread_mutex_unlock(&host->lock);
}

const struct bus_ops pci_host_port_bus_ops = {pci_port_read, pci_port_write};

void pci_host_init(struct pci_host *host, const struct bus_ops *reset_ops, void *reset_device)
{
	static const struct pci_identity identity = {
		.vendor_id = BRIDGE_VENDOR_ID,
		.device_id = BRIDGE_DEVICE_ID,
		.subsystem_vendor_id = BRIDGE_SUBSYSTEM_VENDOR_ID,
		.subsystem_id = BRIDGE_SUBSYSTEM_ID,
		.class_code = BRIDGE_CLASS_CODE,
	};

	*host = (struct pci_host){.reset_ops = reset_ops, .reset_device = reset_device};
	(void)pthread_mutex_init(&host->lock, NULL); /* cannot fail without attributes */
	pci_device_init(&host->bridge, NULL, &identity);
	host->devices[0][0] = &host->bridge;
}

void pci_host_fini(struct pci_host *host)
{
	(void)pthread_mutex_destroy(&host->lock);
}

void pci_host_reset(struct pci_host *host)
{
	pthread_mutex_lock(&host->lock);
	host->address = 0;
	for (uint64_t routing_id = 0; routing_id < PCI_SLOTS * PCI_FUNCTIONS; routing_id++)
		if (find_device(host, routing_id))
			pci_device_reset(find_device(host, routing_id));
	pthread_mutex_unlock(&host->lock);
}

/* PCI 3.0 6.2.1: header type bit 7; guests do not look for functions 1 to 7 without it. */
static void mark_multi_function(struct pci_device *device)
{
	uint32_t type = pci_device_load(device, REG_HEADER_TYPE, 1);

	pci_device_store(device, REG_HEADER_TYPE, 1, type | HEADER_MULTI_FUNCTION);
}

int pci_host_attach(struct pci_host *host, unsigned int slot, unsigned int function,
	struct pci_device *device, struct err *err)
{
	if (slot >= PCI_SLOTS || function >= PCI_FUNCTIONS)
		return err_set(err, EINVAL, "PCI: there is no place %02x.%u", slot, function);
	if (host->devices[slot][function])
		return err_set(err, EEXIST, "PCI: the place %02x.%u is taken", slot, function);
	if (function) {
		if (!host->devices[slot][0])
			return err_set(err, EINVAL,
				"PCI: nothing would be found at %02x.%u without a function 0", slot,
				function);
		mark_multi_function(host->devices[slot][0]);
		mark_multi_function(device);
	}
	host->devices[slot][function] = device;
	return 0;
}
