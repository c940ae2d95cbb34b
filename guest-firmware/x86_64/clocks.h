/*
 * The guest's clocks, compared with one another: none of them is the truth.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define PM_TIMER_HZ UINT32_C(3579545)
#define PIT_HZ      UINT32_C(1193182)

/* About a second of any TSC there is, for giving up on something that never comes. */
#define TSC_PATIENCE UINT64_C(3000000000)

/* The port of the ACPI timer; 0 when there is none. */
uint16_t pm_timer_port(void);

/* TSC cycles a second as another clock makes them: between low and high, unless the processor was
 * away for so long that the clock went round, which only shows by measuring again. Both are 0 when
 * the clock stands. */
struct tsc_rate {
	uint64_t low_hz, high_hz;
};

struct tsc_rate tsc_rate_by_pm_timer(void);
struct tsc_rate tsc_rate_by_pit(void);

/* Waits with interrupts enabled until *flag is true or patience ends; returns *flag. */
bool wait_for(const volatile bool *flag);

/* A periodic timer interrupt, as every operating system has one. A processor that sleeps for other
 * interrupts needs it where one may arrive between STI and HLT: some hypervisors under hypervisors
 * forget that STI holds interrupts back. */
void heartbeat_start(void);
void heartbeat_stop(void);
unsigned int heartbeat_count(void);
