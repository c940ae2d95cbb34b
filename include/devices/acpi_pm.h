/*
 * The ACPI fixed hardware of a machine that is always in ACPI mode: the PM1a event and control
 * blocks and the PM timer, in one range of 16 I/O ports.
 *
 *   0x0 PM1_STS (2)   0x2 PM1_EN (2)   0x4 PM1_CNT (2)   0x8 PM_TMR (4)   the rest reads as zero
 *
 * Ports from any vCPU thread; everything else from the main thread.
 */
#pragma once

#include "bus.h"
#include "guest_end.h"
#include "irq.h"
#include "timer.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define ACPI_PM_PORTS 16

struct acpi_pm_options {
	struct irq sci;     /* level, active high */
	struct timer timer; /* optional: without it a guest that enables TMR_EN gets no SCI */
	struct guest_end_sink end;
	uint64_t (*read_clock)(clockid_t clock); /* clock_ns */
};

struct acpi_pm {
	struct acpi_pm_options options; /* [const] */
	uint64_t start_ns;              /* [const] when the PM timer read 0 */
	pthread_mutex_t lock;
	uint16_t status;          /* [lock] */
	uint16_t enable;          /* [lock] */
	uint16_t control;         /* [lock] */
	uint64_t half_turns_seen; /* [lock] changes of the timer's top bit already in status */
	bool sci_level;           /* [lock] */
	uint64_t deadline_ns;     /* [lock] what the timer is armed for, 0: nothing */
};

void acpi_pm_init(struct acpi_pm *pm, const struct acpi_pm_options *options);
void acpi_pm_fini(struct acpi_pm *pm);

/* Back to the state of power-on; vCPUs are stopped. The PM timer runs on. */
void acpi_pm_reset(struct acpi_pm *pm);

/* For a bus range of ACPI_PM_PORTS with the struct acpi_pm as its device. A write of SLP_EN with
 * the sleep type of S5 reports GUEST_END_POWER_OFF; other sleep types do nothing. */
extern const struct bus_ops acpi_pm_bus_ops;

/* The timer's deadline has passed. */
void acpi_pm_tick(struct acpi_pm *pm);

/* The guest sees it once its OS has enabled the button; before that nobody listens. */
void acpi_pm_press_power_button(struct acpi_pm *pm);
bool acpi_pm_power_button_is_enabled(struct acpi_pm *pm);
