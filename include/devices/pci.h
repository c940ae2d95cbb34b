/*
 * PCI as far as configuration space goes: functions with their header, BARs and capabilities, and
 * the host bridge that reaches them through ECAM and through I/O ports 0xcf8 to 0xcff.
 *
 * Bus 0 only. The machine builds it on the main thread before vCPUs start; afterwards guest
 * accesses come from any vCPU thread and are serialised by the host bridge's lock, under which
 * every device op runs.
 */
#pragma once

#include "bus.h"
#include "err.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define PCI_SLOTS        32
#define PCI_FUNCTIONS    8 /* of a slot */
#define PCI_BARS         6
#define PCI_CONFIG_BYTES 4096

#define PCI_ECAM_BYTES_PER_BUS (UINT64_C(1) << 20)
#define PCI_PORT_BASE          0xcf8
#define PCI_PORTS              8

struct pci_identity {
	uint16_t vendor_id;
	uint16_t device_id;
	uint16_t subsystem_vendor_id;
	uint16_t subsystem_id;
	uint32_t class_code; /* class, subclass, programming interface: 0xccsspp */
	uint8_t revision;
	uint8_t interrupt_pin; /* 1 to 4: INTA to INTD; 0: none */
};

enum pci_bar_kind {
	PCI_BAR_NONE,
	PCI_BAR_IO,
	PCI_BAR_MEMORY32,
	PCI_BAR_MEMORY64, /* takes two registers */
};

struct pci_bar {
	enum pci_bar_kind kind; /* [const] */
	bool prefetchable;      /* [const] */
	uint64_t size;          /* [const] */
	bool enabled;           /* [lock] decoded at base, as last told to bar_changed */
	uint64_t base;          /* [lock] meaningless unless enabled */
};

struct pci_device;

/* All optional, called with the host bridge's lock held; reg + size stays inside one aligned dword
 * of the function's 4 KiB, size is 1, 2 or 4. */
struct pci_device_ops {
	/* Instead of pci_device_load and pci_device_store_guest, which they will mostly call. */
	uint32_t (*read_config)(struct pci_device *device, unsigned int reg, unsigned int size);
	void (*write_config)(
		struct pci_device *device, unsigned int reg, unsigned int size, uint32_t value);

	/* device->bars[index] is now decoded elsewhere, or not at all. A guest may put a BAR
	 * anywhere, over RAM and other devices too, and passes through odd values while it sizes
	 * one with decoding on: the owner refuses what it cannot map. */
	void (*bar_changed)(struct pci_device *device, unsigned int index);

	/* Power-on state for what is not in config, which has been reset; vCPUs are stopped. */
	void (*reset)(struct pci_device *device);
};

/* Embedded in the device. */
struct pci_device {
	const struct pci_device_ops *ops;   /* [const] */
	uint8_t config[PCI_CONFIG_BYTES];   /* [lock] */
	uint8_t writable[PCI_CONFIG_BYTES]; /* [const] bits that a guest may change */
	struct pci_bar bars[PCI_BARS];      /* [lock] the last one of a 64-bit pair is NONE */
	unsigned int capability_link;       /* [const] where the next capability's offset goes */
	unsigned int capability_end;        /* [const] first unused byte of the capability area */
};

void pci_device_init(struct pci_device *device, const struct pci_device_ops *ops,
	const struct pci_identity *identity);

/* size: a power of two, at least 16 (an I/O BAR: 4 to 256). -EINVAL otherwise, or when the register
 * is taken or there is none. */
must_check int pci_device_add_bar(struct pci_device *device, unsigned int index,
	enum pci_bar_kind kind, bool prefetchable, uint64_t size);

/* Appends a capability of size bytes, header included, and gives its offset; its body is zero and
 * read-only. -ENOSPC when the 192 bytes are used up. */
must_check int pci_device_add_capability(
	struct pci_device *device, uint8_t id, unsigned int size, unsigned int *ret_offset);

/* Lets the guest change the bits of mask in the little-endian value at reg. */
void pci_device_set_writable(
	struct pci_device *device, unsigned int reg, unsigned int size, uint32_t mask);

/* Little-endian values of 1, 2 or 4 bytes, as the device sees them: no masks apply. */
uint32_t pci_device_load(const struct pci_device *device, unsigned int reg, unsigned int size);
void pci_device_store(
	struct pci_device *device, unsigned int reg, unsigned int size, uint32_t value);

/* What a guest's write does unless the device has its own write_config: changes writable bits,
 * then tells bar_changed about BARs that moved. */
void pci_device_store_guest(
	struct pci_device *device, unsigned int reg, unsigned int size, uint32_t value);

/* Writable bits to zero: BARs are not decoded any more; then the device's own reset. */
void pci_device_reset(struct pci_device *device);

struct pci_host {
	pthread_mutex_t lock;                                 /* above every lock of a device */
	struct pci_device bridge;                             /* 00:00.0 */
	struct pci_device *devices[PCI_SLOTS][PCI_FUNCTIONS]; /* [const] borrowed */
	uint32_t address;                /* [lock] of configuration mechanism #1 */
	const struct bus_ops *reset_ops; /* [const] */
	void *reset_device;              /* [const] borrowed */
};

/* Byte accesses to port 0xcf9 are not PCI's: they go to reset_ops (offset 0) when there are any. */
void pci_host_init(struct pci_host *host, const struct bus_ops *reset_ops, void *reset_device);
void pci_host_fini(struct pci_host *host);

/* Resets the bridge and all functions; vCPUs are stopped. */
void pci_host_reset(struct pci_host *host);

/* The device is borrowed and outlives the host. -EEXIST when the place is taken; -EINVAL when there
 * is none, or a function 0, without which nobody looks for others, is not there yet. */
must_check int pci_host_attach(struct pci_host *host, unsigned int slot, unsigned int function,
	struct pci_device *device, struct err *err);

/* For bus ranges with the struct pci_host as their device: ECAM of one or more whole buses, and the
 * PCI_PORTS ports at PCI_PORT_BASE. Absent functions and accesses that cross a dword (8 aligned
 * bytes are two) read all-ones and ignore writes. */
extern const struct bus_ops pci_host_ecam_bus_ops;
extern const struct bus_ops pci_host_port_bus_ops;
