/*
 * A 16550A UART: eight byte-wide registers, 16-byte FIFOs, one interrupt line.
 *
 * Spec: National Semiconductor PC16550D data sheet (June 1995), section 8. The transmitter is
 * infinitely fast: LSR always says empty, so that a polling guest never waits for the host; what
 * the host cannot keep up with is held back by withholding the transmit interrupt. Host input
 * enters only when the guest listens. Not modelled: baud rate, word length, parity, breaks, DMA.
 *
 * Registers from any vCPU thread, receive from the main thread, drained from any: one mutex, held
 * briefly. The port and the interrupt are called with it held.
 */
#pragma once

#include "bus.h"
#include "compiler.h"
#include "console_port.h"
#include "err.h"
#include "irq.h"

#include <stddef.h>
#include <stdint.h>

struct ns16550;

#define NS16550_PORTS 8

/* Device: struct ns16550; offsets 0 to 7. Wider accesses are done byte by byte, as on ISA. */
extern const struct bus_ops ns16550_bus_ops;

must_check int ns16550_create(const struct irq *irq, const struct console_port *port,
	struct ns16550 **ret_uart, struct err *err);

/* Input for the guest; returns how many bytes were taken. When fewer than length, resume_input of
 * the port is called once there is a point in offering more. */
size_t ns16550_receive(struct ns16550 *uart, const uint8_t *bytes, size_t length);

/* The port is no longer congested. */
void ns16550_drained(struct ns16550 *uart);

/* To the state after power-on; what was received and not read is lost. No vCPU runs. */
void ns16550_reset(struct ns16550 *uart);

void ns16550_destroy(struct ns16550 *uart);
