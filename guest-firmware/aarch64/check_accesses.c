/* See checks.h. */
#include "checks.h"

#include "mmio.h"
#include "places.h"
#include "tree.h"
#include "uart.h"

#define NOTHING_BYTES  4 /* in front of a device, where none is */
#define CHIP_BYTES     0x1000
#define WIDTH_MAX      8
#define GUARD          UINT64_C(0x0123456789abcdef)
#define RAM_PROBE_BACK 64

/* The compiler must not see what it is, or it makes several accesses of one. */
static uint64_t unaligned(uint64_t address)
{
	address += PLACE_UNALIGNED;
	__asm__("" : "+r"(address));
	return address;
}

/* Half in front of a device, half in it: nobody's, so it reads as all ones and writes nothing. */
static void check_crossing(struct report *report)
{
	const uint64_t rtc = tree_cells("rtc", "reg", 0);
	const uint64_t before = rtc - NOTHING_BYTES / 2;
	uint32_t match;

	if (!report_expect(report, rtc != 0, "no clock"))
		return;
	match = mmio_read32(rtc + 4);
	report_expect(report, mmio_read(unaligned(before), 4) == UINT32_MAX,
		"across the beginning: 0x%lx", mmio_read(unaligned(before), 4));
	mmio_write(unaligned(before), 4, 0);
	mmio_write(unaligned(rtc + CHIP_BYTES - 2), 4, 0);
	report_expect(report, mmio_read(unaligned(rtc + CHIP_BYTES - 2), 4) == UINT32_MAX,
		"across the end: 0x%lx", mmio_read(unaligned(rtc + CHIP_BYTES - 2), 4));
	report_expect(report, mmio_read32(rtc + 4) == match, "a register has changed");
}

/* Every width at every offset of identities, which are read-only. */
static void check_identity(struct report *report, const char *node)
{
	const uint64_t base = tree_cells(node, "reg", 0);
	const uint32_t cell = base ? mmio_read32(base + 0xff0) : 0;

	for (uint64_t offset = 0xfe0; base && offset + WIDTH_MAX <= CHIP_BYTES; offset++)
		for (unsigned int width = 1; width <= WIDTH_MAX; width *= 2) {
			mmio_write(unaligned(base + offset), width, UINT64_MAX);
			(void)mmio_read(unaligned(base + offset), width);
		}
	report_expect(report, base && mmio_read32(base + 0xff0) == cell, "%s has changed", node);
}

/* The part that is there keeps what it is told. */
static void check_ram_end(struct report *report)
{
	const uint64_t end = tree_cells("memory", "reg", 0) + tree_cells("memory", "reg", 2);
	volatile uint64_t *word = (volatile uint64_t *)(uintptr_t)(end - RAM_PROBE_BACK);
	const uint64_t saved = *word;

	*word = GUARD;
	for (uint64_t back = 1; back < WIDTH_MAX; back++) {
		mmio_write(end - back, WIDTH_MAX, 0);
		(void)mmio_read(end - back, WIDTH_MAX);
	}
	report_expect(report, *word == GUARD, "RAM has changed: 0x%lx", *word);
	*word = saved;
}

void check_accesses(struct report *report)
{
	check_crossing(report);
	check_identity(report, "rtc");
	check_identity(report, "gpio");
	check_ram_end(report);
	uart_write(UART_SCRATCH, 0x5a);
	report_expect(
		report, mmio_read(unaligned(PLACE_UART + 7), 1) == 0x5a, "the scratch register");
	report_expect(report, mmio_read(unaligned(PLACE_UART + 7), 2) == 0xffff,
		"past the port: 0x%lx", mmio_read(unaligned(PLACE_UART + 7), 2));
}
