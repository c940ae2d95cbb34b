/*
 * What the machine consists of, as plain data: the machine fills it in while it assembles devices,
 * the architecture renders it for the guest (ACPI here, a device tree elsewhere).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum board_device_kind {
	BOARD_UART_16550,  /* PIO, 8 ports */
	BOARD_RTC_CMOS,    /* PIO, 2 ports */
	BOARD_I8042,       /* PIO 0x60 and 0x64: reset only, nothing to probe for */
	BOARD_POWER,       /* the ACPI PM1 block (layout in x86_64/layout.h); irq is the SCI */
	BOARD_PVPANIC,     /* PIO, 1 port */
	BOARD_DEBUG_EXIT,  /* PIO */
	BOARD_VIRTIO_MMIO, /* MMIO; its own interrupt, level, active high */
};

struct board_device {
	enum board_device_kind kind;
	uint64_t base;
	uint64_t size;
	unsigned int irq; /* GSI; meaningless for kinds that have none */
};

/* The PCI host bridge, when there is one: segment 0, buses 0 to bus_count - 1. */
struct board_pci {
	bool present;
	uint64_t ecam_base;
	unsigned int bus_count;
	uint64_t window32_base, window32_size; /* BARs below 4 GiB */
	uint64_t window64_base, window64_size; /* BARs above RAM; size 0: none */
	unsigned int intx_irqs[4]; /* GSI of INTA..INTD at device 0; rotated by device */
};

#define BOARD_DEVICES_MAX 64

struct board {
	unsigned int cpu_count;
	uint8_t uuid[16]; /* in the order of its text form (RFC 4122) */
	const char *name; /* of the VM, may be NULL */
	struct board_device devices[BOARD_DEVICES_MAX];
	unsigned int device_count;
	struct board_pci pci;
};
