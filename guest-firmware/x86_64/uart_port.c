/* See lib/uart.h: COM1. */
#include "uart.h"

#include "cpu.h"
#include "places.h"

uint8_t uart_read(unsigned int offset)
{
	return in8((uint16_t)(PLACE_UART + offset));
}

void uart_write(unsigned int offset, uint8_t value)
{
	out8((uint16_t)(PLACE_UART + offset), value);
}
