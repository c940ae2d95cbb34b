/* See check_uart.h. */
#include "check_uart.h"

#include "uart.h"

void check_uart_scratch(struct report *report)
{
	static const uint8_t values[] = {0x00, 0xff, 0x55, 0xaa};

	for (unsigned int i = 0; i < sizeof(values); i++) {
		uart_write(UART_SCRATCH, values[i]);
		report_expect(report, uart_read(UART_SCRATCH) == values[i],
			"0x%02x came back as 0x%02x", values[i], uart_read(UART_SCRATCH));
	}
}

static bool wait_received(void)
{
	for (unsigned int i = 0; i < 1000; i++) {
		if (uart_read(UART_LSR) & UART_LSR_RECEIVED)
			return true;
	}
	return false;
}

void check_uart_loopback(struct report *report)
{
	static const uint8_t values[] = {'l', 0x00, 0xff};

	(void)uart_wait_transmit();
	uart_write(UART_MCR, UART_MCR_LOOP | UART_MCR_DTR_RTS);
	for (unsigned int i = 0; i < sizeof(values); i++) {
		uint8_t found;

		uart_write(UART_DATA, values[i]);
		if (!report_expect(report, wait_received(), "0x%02x never came back", values[i]))
			break;
		found = uart_read(UART_DATA);
		report_expect(
			report, found == values[i], "0x%02x came back as 0x%02x", values[i], found);
	}
	uart_write(UART_MCR, UART_MCR_DTR_RTS);
}

void check_uart_transmit(struct report *report)
{
	uint8_t status;

	if (!report_expect(report, uart_wait_transmit(), "the transmitter never empties"))
		return;
	status = uart_read(UART_LSR);
	report_expect(report, status & UART_LSR_TRANSMITTER_IDLE, "line status 0x%02x", status);
	report_expect(report, !(status & 0x8e), "errors in line status 0x%02x", status);
}
