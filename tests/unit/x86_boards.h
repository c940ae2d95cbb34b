/* Boards that the tests of the x86_64 tables share. */
#pragma once

#include "board.h"
#include "compiler.h"
#include "layout.h"

#include <string.h>

struct test_board {
	const char *name;
	unsigned int cpu_count;
	uint64_t memory_bytes;
	bool uart, rtc, others; /* others: a second UART, pvpanic, i8042, debug exit */
	bool pci, window64;
};

static const struct test_board test_boards[] = {
	{"bare", 1, 512 * MIB, .uart = false},
	{"small", 1, 32 * MIB, .uart = true, .rtc = true},
	{"pci", 4, 4 * GIB, .uart = true, .rtc = true, .others = true, .pci = true},
	{"large", 300, 64 * GIB, .uart = true, .rtc = true, .others = true, .pci = true,
		.window64 = true},
	{"huge", 1024, 16 * 1024 * GIB, .uart = true, .rtc = true, .others = true, .pci = true,
		.window64 = true},
};

static inline void test_board_add(struct board *board, enum board_device_kind kind, uint64_t base,
	uint64_t size, unsigned irq)
{
	board->devices[board->device_count++] = (struct board_device){
		.kind = kind, .base = base, .size = size, .irq = irq};
}

static inline struct board test_board_fill(const struct test_board *from)
{
	struct board board = {
		.cpu_count = from->cpu_count,
		.uuid = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x46, 0x77, 0x88, 0x99, 0xaa, 0xbb,
			0xcc, 0xdd, 0xee, 0xff},
		.name = from->others ? "web-1" : NULL,
	};

	test_board_add(&board, BOARD_POWER, PIO_POWER, POWER_PIO_SIZE, GSI_SCI);
	if (from->uart)
		test_board_add(&board, BOARD_UART_16550, PIO_COM1, 8, GSI_COM1);
	if (from->rtc)
		test_board_add(&board, BOARD_RTC_CMOS, PIO_RTC, 2, GSI_RTC);
	if (from->others) {
		test_board_add(&board, BOARD_UART_16550, 0x2f8, 8, 20);
		test_board_add(&board, BOARD_I8042, PIO_I8042, 5, 0);
		test_board_add(&board, BOARD_PVPANIC, PIO_PVPANIC, 1, 0);
		test_board_add(&board, BOARD_DEBUG_EXIT, PIO_DEBUG_EXIT, 4, 0);
		test_board_add(&board, BOARD_VIRTIO_MMIO, VIRTIO_MMIO_BASE, VIRTIO_MMIO_BYTES, 21);
		test_board_add(&board, BOARD_VIRTIO_MMIO, VIRTIO_MMIO_BASE + VIRTIO_MMIO_STRIDE,
			VIRTIO_MMIO_BYTES, 5);
	}
	if (from->pci)
		board.pci = (struct board_pci){
			.present = true,
			.ecam_base = PCI_ECAM_BASE,
			.bus_count = PCI_ECAM_BUSES,
			.window32_base = PCI_WINDOW32_BASE,
			.window32_size = PCI_WINDOW32_END - PCI_WINDOW32_BASE,
			.window64_base = 0x8000000000,
			.window64_size = from->window64 ? 0x4000000000 : 0,
			.intx_irqs = {GSI_PCI_A, GSI_PCI_A + 1, GSI_PCI_A + 2, GSI_PCI_A + 3},
		};
	return board;
}

static inline const struct test_board *test_board_find(const char *name)
{
	for (size_t i = 0; i < array_size(test_boards); i++)
		if (strcmp(test_boards[i].name, name) == 0)
			return &test_boards[i];
	return NULL;
}
