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

/* TSC cycles a second, measured against the ACPI timer or the PIT; 0 when that clock stands. */
uint64_t tsc_hz_by_pm_timer(void);
uint64_t tsc_hz_by_pit(void);

/* Waits with interrupts enabled until *flag is true or patience ends; returns *flag. */
bool wait_for(const volatile bool *flag);
