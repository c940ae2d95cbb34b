/*
 * What the machine consists of, as plain data: the machine fills it in while it assembles devices,
 * the architecture renders it for the guest (ACPI for one, a device tree for another).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum board_device_kind {
	BOARD_UART_16550,  /* 8 registers of a byte */
	BOARD_RTC_CMOS,    /* 2 ports */
	BOARD_RTC_PL031,   /* a page */
	BOARD_GPIO_PL061,  /* a page; its line BOARD_POWER_KEY_LINE is a power key, active high */
	BOARD_I8042,       /* ports 0x60 and 0x64: reset only, nothing to probe for */
	BOARD_POWER,       /* the ACPI PM1 block (layout in x86_64/layout.h); irq is the SCI */
	BOARD_PVPANIC,     /* a byte */
	BOARD_DEBUG_EXIT,  /* 4 bytes */
	BOARD_VIRTIO_MMIO, /* its own interrupt, level, active high */
};

#define BOARD_POWER_KEY_LINE 3

struct board_device {
	enum board_device_kind kind;
	uint64_t base;
	uint64_t size;    /* 0: a board of this architecture has none */
	unsigned int irq; /* GSI; meaningless for kinds that have none */
	bool has_ports;   /* base is that of I/O ports, not an address in memory */
};

/* The PCI host bridge, when there is one: segment 0, buses 0 to bus_count - 1. */
struct board_pci {
	bool present;
	uint64_t ecam_base;
	unsigned int bus_count;
	uint64_t window32_base, window32_size; /* BARs below 4 GiB */
	uint64_t window64_base, window64_size; /* BARs above RAM; size 0: none */
	unsigned int intx_irqs[4]; /* GSI of INTA..INTD at device 0; rotated by device */
	bool has_ports;            /* those of a PC, the reset control register among them */
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
