/* See lib/uart.h. */
#include "uart.h"

#include "mmio.h"
#include "places.h"

uint8_t uart_read(unsigned int offset)
{
	return mmio_read8(PLACE_UART + offset);
}

void uart_write(unsigned int offset, uint8_t value)
{
	mmio_write8(PLACE_UART + offset, value);
}
