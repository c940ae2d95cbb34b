/*
 * ARM PrimeCell Real Time Clock (PL031, ARM DDI 0224): a counter of seconds with one alarm.
 *
 * It shows the host's UTC, moved by whatever the guest has set; the host's clock is never touched.
 * It counts from power-on: the control register has nothing to start. The alarm comes through a
 * timer whose expiry the owner answers with pl031_tick. Only aligned words are registers.
 *
 * Registers from any vCPU thread; everything else from the main thread.
 */
#pragma once

#include "bus.h"
#include "irq.h"
#include "timer.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define PL031_BYTES 0x1000

struct pl031_options {
	struct irq irq;     /* level, active high */
	struct timer timer; /* optional: without it an alarm is noticed but no interrupt comes */
	uint64_t (*read_clock)(clockid_t clock); /* clock_ns */
};

struct pl031 {
	struct pl031_options options; /* [const] */
	pthread_mutex_t lock;
	uint32_t offset;      /* [lock] the guest's time minus the host's, in seconds */
	uint32_t match;       /* [lock] */
	uint32_t load;        /* [lock] what was written last, for reading back */
	uint32_t seen;        /* [lock] matches up to this second are in has_matched */
	bool is_enabled;      /* [lock] the interrupt */
	bool has_matched;     /* [lock] */
	bool irq_level;       /* [lock] */
	uint64_t deadline_ns; /* [lock] what the timer is armed for, 0: nothing */
};

void pl031_init(struct pl031 *rtc, const struct pl031_options *options);
void pl031_fini(struct pl031 *rtc);

/* A reset of the bus: no alarm. Time goes on, as with a battery; vCPUs are stopped. */
void pl031_reset(struct pl031 *rtc);

/* For a bus range of PL031_BYTES with the struct pl031 as its device. */
extern const struct bus_ops pl031_bus_ops;

/* The timer's deadline has passed. */
void pl031_tick(struct pl031 *rtc);
