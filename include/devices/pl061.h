/*
 * ARM PrimeCell GPIO (PL061, ARM DDI 0190): eight lines, of which the host has one to pull, the
 * power key's. The others are inputs that rest at 0. Registers are the low bytes of aligned words,
 * and drivers access them as bytes or as words.
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

#define PL061_BYTES 0x1000

struct pl061_options {
	struct irq irq;        /* level, active high */
	unsigned int key_line; /* 0 to 7; active high */
	struct timer timer;    /* for the key to come up again: its expiry is pl061_tick */
	uint64_t (*read_clock)(clockid_t clock); /* clock_ns */
};

struct pl061 {
	struct pl061_options options; /* [const] */
	pthread_mutex_t lock;
	uint8_t inputs;        /* [lock] what the host drives */
	uint8_t outputs;       /* [lock] what the guest has written */
	uint8_t directions;    /* [lock] 1: the guest's */
	uint8_t is_level;      /* [lock] interrupts: by level, or by edge */
	uint8_t on_both_edges; /* [lock] */
	uint8_t on_rising;     /* [lock] or a high level; else falling, or low */
	uint8_t enabled;       /* [lock] */
	uint8_t edges;         /* [lock] that came */
	uint8_t functions;     /* [lock] read back, without effect */
	bool irq_level;        /* [lock] */
};

void pl061_init(struct pl061 *gpio, const struct pl061_options *options);
void pl061_fini(struct pl061 *gpio);
/* A reset of the bus; no vCPU runs. */
void pl061_reset(struct pl061 *gpio);

/* For a bus range of PL061_BYTES with the struct pl061 as its device. */
extern const struct bus_ops pl061_bus_ops;

/* Does the guest listen to the key? */
bool pl061_power_key_is_enabled(struct pl061 *gpio);
/* Down, and up again a moment later. */
void pl061_press_power_key(struct pl061 *gpio);
/* The timer's deadline has passed. */
void pl061_tick(struct pl061 *gpio);
