/* See uart.h; the console of lib/console.h. */
#include "uart.h"

#include "console.h"

#define FIFO_BYTES 16
#define LINE_8N1   0x03
#define FCR_ENABLE 0x07 /* FIFOs on and emptied */

/* More polls than any transmitter needs, few enough to end soon on one that is stuck. */
#define POLLS_MAX 100000

static unsigned int burst_bytes = 1;

void uart_init(void)
{
	uart_write(UART_IER, 0);
	uart_write(UART_LCR, LINE_8N1);
	uart_write(UART_IIR, FCR_ENABLE);
	uart_write(UART_MCR, UART_MCR_DTR_RTS);
	if ((uart_read(UART_IIR) & UART_IIR_FIFO) == UART_IIR_FIFO)
		burst_bytes = FIFO_BYTES;
}

bool uart_wait_transmit(void)
{
	for (unsigned int i = 0; i < POLLS_MAX; i++) {
		if (uart_read(UART_LSR) & UART_LSR_TRANSMIT_EMPTY)
			return true;
	}
	return false;
}

/* An empty transmitter takes a whole FIFO of bytes, so the line status is read once for each. */
void console_write(const char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (i % burst_bytes == 0 && !uart_wait_transmit())
			return;
		uart_write(UART_DATA, (uint8_t)bytes[i]);
	}
}
