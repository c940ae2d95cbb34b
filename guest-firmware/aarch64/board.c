/* See lib/board.h; what of it is about interrupts is in interrupts.c. */
#include "board.h"

#include "console.h"
#include "interrupts.h"
#include "mmio.h"
#include "places.h"
#include "tree.h"

#define UART_DATA           0
#define UART_LSR            5
#define UART_TRANSMIT_EMPTY 0x20
#define POLLS_MAX           100000

#define END_VALUE_PASSED 0x10 /* status 33 */
#define END_VALUE_FAILED 0x11
#define END_VALUE_TRAP   0x12
#define PSCI_SYSTEM_OFF  0x84000008

#define RAM_GRANULE (UINT64_C(16) << 20)
#define GUARD_BYTES UINT64_C(0x10000)
#define MAPPED_END  (UINT64_C(1) << 39)

extern const uint8_t image_end[];

static uint64_t next_free;

_Noreturn void trap_exception(uint64_t syndrome, uint64_t at, uint64_t address);
_Noreturn void trap_unexpected(uint64_t syndrome, uint64_t at, uint64_t address);

void console_write(const char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		for (unsigned int polls = 0; polls < POLLS_MAX; polls++)
			if (mmio_read8(PLACE_UART + UART_LSR) & UART_TRANSMIT_EMPTY)
				break;
		mmio_write8(PLACE_UART + UART_DATA, (uint8_t)bytes[i]);
	}
}

static _Noreturn void end_with(uint32_t value)
{
	register uint64_t function __asm__("x0") = PSCI_SYSTEM_OFF;

	mmio_write32(PLACE_DEBUG_EXIT, value);
	/* Nothing took it: the guest must still end. */
	__asm__ volatile("hvc #0" : "+r"(function) : : "memory");
	for (;;)
		__asm__ volatile("wfi");
}

_Noreturn void trap_unexpected(uint64_t syndrome, uint64_t at, uint64_t address)
{
	console_print(
		"guest: exception, esr 0x%lx at 0x%lx, address 0x%lx\n", syndrome, at, address);
	end_with(END_VALUE_TRAP);
}

_Noreturn void trap_exception(uint64_t syndrome, uint64_t at, uint64_t address)
{
	trap_unexpected(syndrome, at, address);
}

const char *board_start(uint32_t entry, uint64_t information)
{
	const char *line = NULL;
	uint32_t length;

	(void)entry;
	if (tree_open(information)) {
		line = tree_property("chosen", "bootargs", &length);
		interrupts_open();
	} else {
		console_print("guest: no device tree\n");
	}
	return line ? line : "";
}

_Noreturn void board_end(bool passed)
{
	end_with(passed ? END_VALUE_PASSED : END_VALUE_FAILED);
}

bool board_map(uint64_t address, uint64_t length)
{
	return address < MAPPED_END && length <= MAPPED_END - address;
}

static uint64_t ram_end(void)
{
	return tree_cells("memory", "reg", 0) + tree_cells("memory", "reg", 2);
}

void *board_take(uint64_t bytes, uint64_t alignment)
{
	uint64_t end = ram_end();
	uint64_t start;

	if (!next_free)
		next_free = (uintptr_t)image_end + GUARD_BYTES;
	start = (next_free + alignment - 1) & ~(alignment - 1);
	if (start >= end || bytes > end - start)
		return NULL;
	next_free = start + bytes;
	return (void *)(uintptr_t)start;
}

uint64_t board_ram_end(void)
{
	return (ram_end() + RAM_GRANULE - 1) & ~(RAM_GRANULE - 1);
}

bool board_find_ecam(uint64_t *ret_base, unsigned int *ret_buses)
{
	*ret_base = tree_cells("pcie", "reg", 0);
	*ret_buses = tree_cell("pcie", "bus-range", 1) + 1;
	return *ret_base != 0;
}

uint64_t board_clock(void)
{
	uint64_t count;

	__asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(count) : : "memory");
	return count;
}

uint64_t board_clock_hz(void)
{
	uint64_t hz;

	__asm__ volatile("mrs %0, cntfrq_el0" : "=r"(hz));
	return hz;
}
