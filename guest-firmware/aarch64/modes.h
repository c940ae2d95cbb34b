/*
 * What the probe does beside its checks, when it is told to.
 */
#pragma once

#include <stdbool.h>

/* Sends input back until 'q': as its interrupts tell of it, or by polling. */
void mode_echo(bool by_interrupt);

/* Waits for the power key, says so and powers off; or, without obeying, listens and does nothing.
 */
_Noreturn void mode_power_button(bool obey);
