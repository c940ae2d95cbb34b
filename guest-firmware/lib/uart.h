/*
 * The first serial port, a 16550A: polled output for the console, and its registers for the checks.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define UART_DATA    0 /* RBR and THR */
#define UART_IER     1
#define UART_IIR     2 /* FCR when written */
#define UART_LCR     3
#define UART_MCR     4
#define UART_LSR     5
#define UART_SCRATCH 7

#define UART_IER_RECEIVED         0x01
#define UART_IER_TRANSMIT_EMPTY   0x02
#define UART_IIR_NONE             0x01
#define UART_IIR_TRANSMIT_EMPTY   0x02
#define UART_IIR_FIFO             0xc0
#define UART_MCR_DTR_RTS          0x03
#define UART_MCR_OUT2             0x08 /* gates the interrupt on a PC */
#define UART_MCR_LOOP             0x10
#define UART_LSR_RECEIVED         0x01
#define UART_LSR_TRANSMIT_EMPTY   0x20
#define UART_LSR_TRANSMITTER_IDLE 0x40

/* The board's part: one access to a register. */
uint8_t uart_read(unsigned int offset);
void uart_write(unsigned int offset, uint8_t value);

void uart_init(void);

/* Waits until the transmitter has room; false when it never had. */
bool uart_wait_transmit(void);
