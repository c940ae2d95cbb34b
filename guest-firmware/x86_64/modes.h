/*
 * What the probe can do besides checking, for tests of the console and of power events.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Sends input back until a 'q'; by interrupts or by polling. */
void mode_echo(bool by_interrupt);

/* Writes so many KiB of numbered lines of 64 bytes; in string instructions (whose count a VMM
 * must honour) or byte by byte as the transmitter allows. */
void mode_flood(uint64_t kib, bool by_string);

/* Waits for the ACPI power button and powers off, or, when it does not obey, waits on. */
_Noreturn void mode_power_button(bool obey);
