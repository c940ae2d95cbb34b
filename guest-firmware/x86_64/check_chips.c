/* See checks.h. */
#include "checks.h"

#include "acpi.h"
#include "apic.h"
#include "clocks.h"
#include "cpu.h"
#include "trap.h"
#include "uart.h"

#define UART_IRQ 4

#define RTC_INDEX     0x70
#define RTC_DATA      0x71
#define RTC_STATUS_A  0x0a
#define RTC_STATUS_B  0x0b
#define RTC_UPDATING  0x80
#define RTC_BINARY    0x04
#define RTC_24_HOURS  0x02
#define RTC_POLLS_MAX 10000

#define PVPANIC_PORT   0x505
#define PVPANIC_EVENTS 0x03 /* panicked, crash loaded */

static volatile bool uart_interrupted;
static volatile uint8_t uart_cause;

static void on_uart(void)
{
	uart_cause = uart_read(UART_IIR);
	uart_write(UART_IER, 0);
	uart_interrupted = true;
}

void check_uart_interrupt(struct report *report)
{
	struct acpi_interrupt interrupt = acpi_isa_interrupt(UART_IRQ);

	uart_interrupted = false;
	trap_set_handler(VECTOR_UART, on_uart);
	if (!report_expect(report, ioapic_route(interrupt, VECTOR_UART, (uint8_t)apic_id()),
		    "no I/O APIC pin %u", interrupt.gsi))
		return;
	uart_write(UART_MCR, UART_MCR_DTR_RTS | UART_MCR_OUT2);
	uart_write(UART_IER, UART_IER_TRANSMIT_EMPTY);
	report_expect(report, wait_for(&uart_interrupted), "never came");
	report_expect(report, !uart_interrupted || (uart_cause & 0x0f) == UART_IIR_TRANSMIT_EMPTY,
		"interrupt identification 0x%02x", uart_cause);
	uart_write(UART_IER, 0);
	report_expect(report, uart_read(UART_IIR) & UART_IIR_NONE, "still pending");
	uart_write(UART_MCR, UART_MCR_DTR_RTS);
	ioapic_mask(interrupt.gsi);
}

static uint8_t rtc_read(uint8_t index)
{
	out8(RTC_INDEX, index);
	return in8(RTC_DATA);
}

static bool is_bcd(uint8_t value, uint8_t last)
{
	return (value & 0x0f) <= 9 && value <= last;
}

void check_rtc(struct report *report)
{
	static const struct {
		const char *name;
		uint8_t index, first, last; /* in BCD */
	} fields[] = {{"seconds", 0, 0x00, 0x59}, {"minutes", 2, 0x00, 0x59},
		{"hours", 4, 0x00, 0x23}, {"day", 7, 0x01, 0x31}, {"month", 8, 0x01, 0x12},
		{"year", 9, 0x00, 0x99}};
	uint8_t values[sizeof(fields) / sizeof(fields[0])];
	uint8_t status = rtc_read(RTC_STATUS_B);
	unsigned int polls = 0;

	while ((rtc_read(RTC_STATUS_A) & RTC_UPDATING) && polls < RTC_POLLS_MAX)
		polls++;
	report_expect(report, polls < RTC_POLLS_MAX, "always updating");
	report_expect(report, !(status & RTC_BINARY) && (status & RTC_24_HOURS),
		"status B 0x%02x: not BCD of 24 hours", status);
	for (unsigned int i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		values[i] = rtc_read(fields[i].index);
		report_expect(report,
			is_bcd(values[i], fields[i].last) && values[i] >= fields[i].first,
			"%s 0x%02x", fields[i].name, values[i]);
	}
	report_fact("rtc", "%02x-%02x-%02x %02x:%02x:%02x", values[5], values[4], values[3],
		values[2], values[1], values[0]);
}

void check_pvpanic(struct report *report)
{
	uint8_t events = in8(PVPANIC_PORT);

	report_expect(report, events != 0xff && (events & PVPANIC_EVENTS) == PVPANIC_EVENTS,
		"port 0x%x reads 0x%02x", PVPANIC_PORT, events);
	report_note(report, "events 0x%02x", events);
}
