/*
 * See lib/board.h. Interrupts are those of a GICv2 with a GICv2m frame; with another controller
 * there are none, and what needs them is told so by the address 0 of messages.
 */
#include "board.h"

#include "console.h"
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

#define RAM_GRANULE      (UINT64_C(16) << 20)
#define GUARD_BYTES      UINT64_C(0x10000)
#define MAPPED_END       (UINT64_C(1) << 39)
#define LOOPS_PER_WINDOW 100

/* GICv2 (Arm IHI 0048), distributor and CPU interface. */
#define GICD_CTLR       0x000
#define GICD_ISENABLER  0x100
#define GICD_IPRIORITYR 0x400
#define GICD_ITARGETSR  0x800
#define GICD_ICFGR      0xc00
#define GICC_CTLR       0x00
#define GICC_PMR        0x04
#define GICC_IAR        0x0c
#define GICC_EOIR       0x10
#define INTERRUPT_MASK  0x3ff
#define PRIORITY        0xa0
#define V2M_TYPER       0x08
#define V2M_BASE_SHIFT  16
#define V2M_SETSPI      0x40

extern const uint8_t image_end[];

static uint64_t next_free;
static uint64_t frame, distributor, interface;
static uint32_t first_message;
static volatile unsigned int message_counts[BOARD_MESSAGES];

void trap_interrupt(void);
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

static void set_up_message(unsigned int index)
{
	const uint32_t number = first_message + index;
	const uint64_t configuration = distributor + GICD_ICFGR + number / 16 * 4;

	mmio_write32(configuration, mmio_read32(configuration) | 2u << number % 16 * 2);
	mmio_write8(distributor + GICD_IPRIORITYR + number, PRIORITY);
	mmio_write8(distributor + GICD_ITARGETSR + number, 1);
	mmio_write32(distributor + GICD_ISENABLER + number / 32 * 4, 1u << number % 32);
}

static void set_up_interrupts(void)
{
	frame = tree_cells("v2m", "reg", 0);
	if (!frame)
		return;
	first_message = mmio_read32(frame + V2M_TYPER) >> V2M_BASE_SHIFT & INTERRUPT_MASK;
	distributor = tree_cells("interrupt-controller", "reg", 0);
	interface = tree_cells("interrupt-controller", "reg", 4);
	for (unsigned int i = 0; i < BOARD_MESSAGES; i++)
		set_up_message(i);
	mmio_write32(distributor + GICD_CTLR, 1);
	mmio_write32(interface + GICC_PMR, 0xff);
	mmio_write32(interface + GICC_CTLR, 1);
}

void trap_interrupt(void)
{
	const uint32_t acknowledged = mmio_read32(interface + GICC_IAR);
	const uint32_t index = (acknowledged & INTERRUPT_MASK) - first_message;

	if (index < BOARD_MESSAGES)
		message_counts[index]++;
	mmio_write32(interface + GICC_EOIR, acknowledged);
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
		set_up_interrupts();
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

struct board_message board_message(unsigned int index)
{
	return (struct board_message){frame ? frame + V2M_SETSPI : 0, first_message + index};
}

unsigned int board_message_count(unsigned int index)
{
	return message_counts[index];
}

void board_take_interrupts(void)
{
	__asm__ volatile("msr daifclr, #2" : : : "memory");
	for (unsigned int i = 0; i < LOOPS_PER_WINDOW; i++)
		__asm__ volatile("yield");
	__asm__ volatile("msr daifset, #2" : : : "memory");
}

bool board_watch_lines(void (*handler)(void))
{
	(void)handler;
	return false;
}
