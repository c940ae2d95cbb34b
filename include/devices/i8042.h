/*
 * The PC's keyboard controller without a keyboard: the old way to reset a PC, and answers that let
 * a probing driver finish at once instead of waiting half a second for each.
 *
 * Two ranges of one I/O port each, data (0x60) and command/status (0x64). From any vCPU thread.
 */
#pragma once

#include "bus.h"
#include "guest_end.h"
#include "irq.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct i8042_options {
	/* ISA interrupt 1; optional: without it a keyboard driver that does not poll waits for its
	 * timeouts (in the background on Linux). */
	struct irq keyboard_irq;
	struct guest_end_sink end;
};

struct i8042 {
	struct i8042_options options; /* [const] */
	pthread_mutex_t lock;
	uint8_t configuration;   /* [lock] the controller's command byte */
	uint8_t pending_command; /* [lock] the command that waits for its data byte, 0: none */
	uint8_t output;          /* [lock] */
	uint8_t output_status;   /* [lock] status bits of output; 0: the buffer is empty */
	bool last_was_command;   /* [lock] */
	bool irq_level;          /* [lock] */
};

void i8042_init(struct i8042 *i8042, const struct i8042_options *options);
void i8042_fini(struct i8042 *i8042);

/* Back to the state of power-on; vCPUs are stopped. */
void i8042_reset(struct i8042 *i8042);

/* For bus ranges of one port each with the struct i8042 as their device. Commands that pull the
 * reset line (0xfe and its kin, 0xd1 with bit 0 clear) report GUEST_END_RESET. */
extern const struct bus_ops i8042_data_bus_ops;
extern const struct bus_ops i8042_command_bus_ops;
