/* See echo.h. */
#include "echo.h"

#include "console.h"
#include "uart.h"

bool echo_received(void)
{
	while (uart_read(UART_LSR) & UART_LSR_RECEIVED) {
		char byte = (char)uart_read(UART_DATA);

		if (byte == 'q')
			return false;
		console_write(&byte, 1);
	}
	return true;
}
