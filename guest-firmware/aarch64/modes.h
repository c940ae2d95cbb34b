/*
 * What the probe does beside its checks, when it is told to.
 */
#pragma once

#include <stdbool.h>

/* Waits for the power key, says so and powers off; or, without obeying, listens and does nothing.
 */
_Noreturn void mode_power_button(bool obey);
