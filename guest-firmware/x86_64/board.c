/* See lib/board.h. */
#include "board.h"

#include "acpi.h"
#include "apic.h"
#include "clocks.h"
#include "cpu.h"
#include "ends.h"
#include "facts.h"
#include "image.h"
#include "memory.h"
#include "paging.h"
#include "trap.h"
#include "uart.h"
#include "words.h"

#define MCFG_ENTRY       44 /* ACPI 6.5 5.2.6, PCI Firmware 3.3 4.1.2 */
#define MCFG_ENTRY_BYTES 16
#define RAM_GRANULE      (UINT64_C(16) << 20)
#define GUARD_BYTES      UINT64_C(0x10000)
#define LOOPS_PER_WINDOW 100

/* Interrupt messages: SDM 3A "Message Signalled Interrupts". */
#define MESSAGE_ADDRESS  UINT64_C(0xfee00000)
#define MESSAGE_ID_SHIFT 12

#define LINE_FIRST 5
#define LINE_END   24

static uint64_t next_free;
static volatile unsigned int message_counts[BOARD_MESSAGES];
static void (*line_handler)(void);

static void on_message0(void)
{
	message_counts[0]++;
}

static void on_message1(void)
{
	message_counts[1]++;
}

static void on_message2(void)
{
	message_counts[2]++;
}

static void on_message3(void)
{
	message_counts[3]++;
}

static void on_line(void)
{
	if (line_handler)
		line_handler();
}

const char *board_start(uint32_t entry, uint64_t information)
{
	static void (*const handlers[BOARD_MESSAGES])(void) = {
		on_message0, on_message1, on_message2, on_message3};

	uart_init();
	trap_init();
	facts_read(entry, information);
	apic_init(words_has(facts.command_line, "xapic"));
	for (unsigned int i = 0; i < BOARD_MESSAGES; i++)
		trap_set_handler(VECTOR_MESSAGE + i, handlers[i]);
	trap_set_handler(VECTOR_LINE, on_line);
	return facts.command_line;
}

_Noreturn void board_end(bool passed)
{
	end_debug_exit(passed ? END_VALUE_PASSED : END_VALUE_FAILED);
}

bool board_map(uint64_t address, uint64_t length)
{
	return paging_map(address, length);
}

/* The end of the RAM that the image is in. */
static uint64_t own_ram_end(void)
{
	for (unsigned int i = 0; i < facts.range_count && i < FACTS_RANGES_MAX; i++) {
		const struct memory_range *range = &facts.ranges[i];

		if (range->type == MEMORY_RAM && range->base <= (uintptr_t)image_start &&
			(uintptr_t)image_end < range->base + range->size)
			return range->base + range->size;
	}
	return 0;
}

void *board_take(uint64_t bytes, uint64_t alignment)
{
	uint64_t end = own_ram_end();
	uint64_t start;

	if (!next_free)
		next_free = (uintptr_t)image_end + GUARD_BYTES;
	start = (next_free + alignment - 1) & ~(alignment - 1);
	if (start >= end || bytes > end - start || !paging_map(start, bytes))
		return NULL;
	next_free = start + bytes;
	return physical(start);
}

/* Firmware keeps some of the uppermost RAM: the chips end at a round number. */
uint64_t board_ram_end(void)
{
	return (own_ram_end() + RAM_GRANULE - 1) & ~(RAM_GRANULE - 1);
}

bool board_find_ecam(uint64_t *ret_base, unsigned int *ret_buses)
{
	const uint8_t *table = acpi_find("MCFG");

	if (!table || load32(table + 4) < MCFG_ENTRY + MCFG_ENTRY_BYTES)
		return false;
	*ret_base = load64(table + MCFG_ENTRY);
	*ret_buses = table[MCFG_ENTRY + 11] - table[MCFG_ENTRY + 10] + 1u;
	return *ret_base && table[MCFG_ENTRY + 10] == 0;
}

uint64_t board_clock(void)
{
	return tsc_read();
}

/* The narrowest of three measurements, by either clock: one may have been interrupted. */
static uint64_t measure_clock(void)
{
	struct tsc_rate best = {0, UINT64_MAX};

	for (unsigned int i = 0; i < 3; i++) {
		struct tsc_rate rate = pm_timer_port() ? tsc_rate_by_pm_timer() : tsc_rate_by_pit();

		if (rate.high_hz && rate.high_hz - rate.low_hz < best.high_hz - best.low_hz)
			best = rate;
	}
	return best.low_hz ? best.low_hz + (best.high_hz - best.low_hz) / 2 : TSC_PATIENCE;
}

uint64_t board_clock_hz(void)
{
	static uint64_t hz;

	if (!hz)
		hz = measure_clock();
	return hz;
}

struct board_message board_message(uint16_t requester, unsigned int index)
{
	(void)requester;
	return (struct board_message){
		MESSAGE_ADDRESS | (uint64_t)(apic_id() & 0xff) << MESSAGE_ID_SHIFT,
		VECTOR_MESSAGE + index};
}

unsigned int board_message_count(unsigned int index)
{
	return message_counts[index];
}

void board_take_interrupts(void)
{
	interrupts_enable();
	for (unsigned int i = 0; i < LOOPS_PER_WINDOW; i++)
		cpu_relax();
	interrupts_disable();
}

bool board_watch_lines(void (*handler)(void))
{
	struct acpi_fadt fadt;
	uint32_t sci = acpi_read_fadt(&fadt) ? fadt.sci_interrupt : 9;
	bool routed = false;

	line_handler = handler;
	for (uint32_t gsi = LINE_FIRST; gsi < LINE_END; gsi++) {
		/* 8 is the clock's. */
		if (gsi == sci || gsi == 8)
			continue;
		if (handler)
			routed |= ioapic_route((struct acpi_interrupt){gsi, true, false},
				VECTOR_LINE, (uint8_t)apic_id());
		else
			ioapic_mask(gsi);
	}
	return routed;
}
