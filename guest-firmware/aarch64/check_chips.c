/* See checks.h. */
#include "checks.h"

#include "clock.h"
#include "cpu.h"
#include "gic.h"
#include "gpio.h"
#include "mmio.h"
#include "trap.h"
#include "tree.h"
#include "uart.h"

/* PL031 (ARM DDI 0224). */
#define RTC_DATA    0x00
#define RTC_MATCH   0x04
#define RTC_CONTROL 0x0c
#define RTC_MASK    0x10
#define RTC_RAW     0x14
#define RTC_MASKED  0x18
#define RTC_CLEAR   0x1c

/* Both are PrimeCells of Arm's: parts 0x031 and 0x061. */
#define RTC_PART       0x031
#define GPIO_PART      0x061
#define PART_AT        0xfe0
#define CELL_AT        0xff0
#define PART_MASK      0xfff
#define DESIGNER_SHIFT 12
#define DESIGNER_MASK  0xff
#define DESIGNER_ARM   0x41
#define CELL_IDENTITY  0xb105f00d

#define PVPANIC_EVENTS 0x03 /* panicked, crash loaded */

static volatile bool interrupted;
static volatile uint32_t cause;
static uint64_t rtc;

static void on_uart(void)
{
	cause = uart_read(UART_IIR);
	uart_write(UART_IER, 0);
	interrupted = true;
}

void check_uart_interrupt(struct report *report)
{
	const uint32_t interrupt = gic_number("serial", 0);

	if (!report_expect(report, gic_version() && interrupt, "no interrupt"))
		return;
	interrupted = false;
	trap_set_handler(interrupt, on_uart);
	gic_enable(interrupt);
	uart_write(UART_MCR, UART_MCR_DTR_RTS | UART_MCR_OUT2);
	uart_write(UART_IER, UART_IER_TRANSMIT_EMPTY);
	report_expect(report, clock_wait_for(&interrupted), "never came");
	report_expect(report, !interrupted || (cause & 0x0f) == UART_IIR_TRANSMIT_EMPTY,
		"interrupt identification 0x%02x", cause);
	uart_write(UART_IER, 0);
	report_expect(report, uart_read(UART_IIR) & UART_IIR_NONE, "still pending");
	uart_write(UART_MCR, UART_MCR_DTR_RTS);
	gic_disable(interrupt);
	report_note(report, "interrupt %u", interrupt);
}

/* Four registers of a byte each. */
static uint32_t identity(uint64_t at)
{
	uint32_t value = 0;

	for (unsigned int i = 0; i < 4; i++)
		value |= (mmio_read32(at + 4 * (uint64_t)i) & 0xff) << 8 * i;
	return value;
}

static bool expect_cell(struct report *report, uint64_t base, uint32_t part)
{
	uint32_t found;

	if (!report_expect(report, base != 0, "not in the tree"))
		return false;
	found = identity(base + PART_AT);
	report_expect(report,
		(found & PART_MASK) == part &&
			(found >> DESIGNER_SHIFT & DESIGNER_MASK) == DESIGNER_ARM,
		"identity 0x%x", found);
	report_expect(report, identity(base + CELL_AT) == CELL_IDENTITY, "no PrimeCell");
	return true;
}

void check_rtc(struct report *report)
{
	const uint64_t start = clock_count();
	uint32_t first, next;

	rtc = tree_cells("rtc", "reg", 0);
	if (!expect_cell(report, rtc, RTC_PART))
		return;
	report_expect(report, mmio_read32(rtc + RTC_CONTROL) & 1, "not started");
	first = next = mmio_read32(rtc + RTC_DATA);
	while (next == first && clock_has_patience(start))
		next = mmio_read32(rtc + RTC_DATA);
	report_expect(report, next > first, "%u, then %u", first, next);
	report_fact("rtc", "%u", next);
}

static void on_rtc(void)
{
	cause = mmio_read32(rtc + RTC_MASKED);
	mmio_write32(rtc + RTC_CLEAR, 1);
	interrupted = true;
}

void check_rtc_interrupt(struct report *report)
{
	const uint32_t interrupt = gic_number("rtc", 0);
	uint32_t match;

	rtc = tree_cells("rtc", "reg", 0);
	if (!report_expect(report, rtc && gic_version() && interrupt, "no interrupt"))
		return;
	interrupted = false;
	trap_set_handler(interrupt, on_rtc);
	gic_enable(interrupt);
	mmio_write32(rtc + RTC_CLEAR, 1);
	match = mmio_read32(rtc + RTC_DATA) + 2;
	mmio_write32(rtc + RTC_MATCH, match);
	mmio_write32(rtc + RTC_MASK, 1);
	report_expect(report, clock_wait_for(&interrupted), "never came");
	report_expect(report, !interrupted || cause == 1, "status 0x%x", cause);
	report_expect(report, mmio_read32(rtc + RTC_DATA) >= match, "came early");
	mmio_write32(rtc + RTC_MASK, 0);
	report_expect(report, mmio_read32(rtc + RTC_RAW) == 0, "still pending");
	gic_disable(interrupt);
	report_note(report, "interrupt %u", interrupt);
}

/* Only the lines that the address names are read. */
static uint32_t read_lines(uint64_t gpio, uint32_t lines)
{
	return mmio_read32(gpio + GPIO_DATA + ((uint64_t)lines << 2)) & 0xff;
}

/* Nobody presses the power key meanwhile. */
void check_gpio(struct report *report)
{
	const uint64_t gpio = tree_cells("gpio", "reg", 0);
	const uint32_t key = tree_cell("key-power", "gpios", 1);
	const uint32_t other = (key + 1) % GPIO_LINES;

	if (!expect_cell(report, gpio, GPIO_PART))
		return;
	if (!report_expect(
		    report, key < GPIO_LINES && tree_cell("key-power", "gpios", 0), "no power key"))
		return;
	report_expect(report, read_lines(gpio, 1u << key) == 0, "the power key is down");
	report_expect(report, mmio_read32(gpio + GPIO_MASKED) == 0, "an interrupt is pending");
	mmio_write32(gpio + GPIO_DIRECTION, 1u << other);
	mmio_write32(gpio + GPIO_DATA + (4u << other), 0xff);
	report_expect(report, read_lines(gpio, 0xff) == 1u << other, "lines 0x%02x, not 0x%02x",
		read_lines(gpio, 0xff), 1u << other);
	report_expect(report, read_lines(gpio, 1u << key) == 0, "another line shows");
	mmio_write32(gpio + GPIO_DATA + (4u << other), 0);
	mmio_write32(gpio + GPIO_DIRECTION, 0);
	report_note(report, "power key on line %u", key);
}

void check_pvpanic(struct report *report)
{
	const uint64_t base = tree_cells("pvpanic", "reg", 0);
	uint8_t events;

	report_expect(report, base != 0, "not in the tree");
	if (!base)
		return;
	events = mmio_read8(base);
	report_expect(report, events != 0xff && (events & PVPANIC_EVENTS) == PVPANIC_EVENTS,
		"0x%lx reads 0x%02x", base, events);
	report_note(report, "events 0x%02x", events);
}
