/*
 * Sending input of the serial port back.
 */
#pragma once

#include <stdbool.h>

/* Everything that has come; false at 'q'. */
bool echo_received(void);
