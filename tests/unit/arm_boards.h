/* Boards that the tests of the device tree share. */
#pragma once

#include "compiler.h"
#include "layout.h"
#include "tree.h"

#define TEST_CPUS_MAX 512

/* CLIDR_EL1: separate caches on the first level but for one, unified ones above. */
#define TEST_CLIDR_ONE_UNIFIED  0x01000004
#define TEST_CLIDR_TWO_LEVELS   0x0a200023
#define TEST_CLIDR_THREE_LEVELS 0x00000123
#define TEST_CLIDR_FULL         0x00124923

struct test_board {
	const char *name;
	unsigned int cpu_count;
	unsigned int gic_version;
	uint64_t memory_bytes;
	bool has_its, has_pmu, others, pci; /* others: virtio-mmio, pvpanic and an initrd */
	uint64_t clidr;
};

static const struct test_board test_boards[] = {
	{"bare", 1, 2, 64 * MIB, false, false, false, false, 0},
	{"gicv2", 8, 2, 4 * GIB, false, true, true, true, TEST_CLIDR_THREE_LEVELS},
	{"gicv3", 4, 3, 4 * GIB, true, true, true, true, TEST_CLIDR_TWO_LEVELS},
	{"no-its", 4, 3, 4 * GIB, false, false, true, true, TEST_CLIDR_ONE_UNIFIED},
	{"huge", TEST_CPUS_MAX, 3, 16 * 1024 * GIB, true, false, true, true, TEST_CLIDR_FULL},
};

static inline void test_board_add(struct board *board, enum board_device_kind kind, uint64_t base,
	uint64_t size, unsigned irq)
{
	board->devices[board->device_count++] = (struct board_device){
		.kind = kind, .base = base, .size = size, .irq = irq};
}

static inline struct board test_board_fill(const struct test_board *from)
{
	struct board board = {.cpu_count = from->cpu_count};

	test_board_add(&board, BOARD_UART_16550, UART_BASE, 8, GSI_UART);
	test_board_add(&board, BOARD_RTC_PL031, RTC_BASE, 0x1000, GSI_RTC);
	test_board_add(&board, BOARD_GPIO_PL061, GPIO_BASE, 0x1000, GSI_GPIO);
	if (from->others) {
		test_board_add(&board, BOARD_PVPANIC, PVPANIC_BASE, 2, 0);
		test_board_add(&board, BOARD_DEBUG_EXIT, DEBUG_EXIT_BASE, 4, 0);
		test_board_add(&board, BOARD_VIRTIO_MMIO, VIRTIO_MMIO_BASE, 0x200, GSI_VIRTIO_MMIO);
		test_board_add(&board, BOARD_VIRTIO_MMIO, VIRTIO_MMIO_BASE + VIRTIO_MMIO_STRIDE,
			0x200, GSI_VIRTIO_MMIO + 1);
	}
	if (from->pci)
		board.pci = (struct board_pci){
			.present = true,
			.ecam_base = PCI_ECAM_BASE,
			.bus_count = PCI_ECAM_BUSES,
			.window32_base = PCI_WINDOW32_BASE,
			.window32_size = PCI_WINDOW32_END - PCI_WINDOW32_BASE,
			.window64_base = RAM_BASE + 32 * 1024 * GIB,
			.window64_size = PCI_WINDOW64_BYTES,
			.intx_irqs = {GSI_PCI_A, GSI_PCI_A + 1, GSI_PCI_A + 2, GSI_PCI_A + 3},
		};
	return board;
}

/* mpidrs: room for TEST_CPUS_MAX. As KVM numbers CPUs: 16 to the lowest level. */
static inline struct tree_request test_request_fill(
	const struct test_board *from, const struct board *board, uint64_t *mpidrs)
{
	for (unsigned int i = 0; i < from->cpu_count; i++)
		mpidrs[i] = UINT64_C(0x80000000) | (i & 0xf) | (uint64_t)(i >> 4) << 8;
	return (struct tree_request){
		.board = board,
		.memory_base = RAM_BASE,
		.memory_bytes = from->memory_bytes,
		.mpidrs = mpidrs,
		.clidr = from->clidr,
		.gic_version = from->gic_version,
		.has_its = from->has_its,
		.has_pmu = from->has_pmu,
		.command_line = "console=ttyS0 panic=-1",
		.initrd_start = from->others ? RAM_BASE + 32 * MIB : 0,
		.initrd_end = from->others ? RAM_BASE + 32 * MIB + 12345 : 0,
		.kaslr_seed = UINT64_C(0x0123456789abcdef),
		.rng_seed = {1, 2, 3},
	};
}
