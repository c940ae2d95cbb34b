/*
 * The generic timer of the Arm ARM: the virtual count, its timer, and waiting by it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define CLOCK_TIMER_ENABLED   1u
#define CLOCK_TIMER_MASKED    2u
#define CLOCK_TIMER_CONDITION 4u

uint64_t clock_count(void);
uint64_t clock_hz(void);

/* The timer's condition comes true this many counts from now; its interrupt then stays pending
 * until the timer is stopped. */
void clock_timer_start(uint64_t counts);
void clock_timer_stop(void);
uint32_t clock_timer_control(void);

/* Waits with interrupts enabled until *flag is true or patience ends; returns *flag. */
bool clock_wait_for(const volatile bool *flag);
/* May something be waited for any longer that began at this count? */
bool clock_has_patience(uint64_t start);
