/*
 * The other processors, by PSCI.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define SMP_CPUS_MAX 64

/* How many the device tree has, at most SMP_CPUS_MAX; and the address of each. */
unsigned int smp_expected(void);
uint64_t smp_affinity(unsigned int index);

/* Brings up what is not yet; returns how many run, this one included. */
unsigned int smp_start(void);

/* Whether a processor's own register says what the tree does, and its interrupts are on. */
bool smp_is_sound(unsigned int index);

/* The address of code that an extra start may name: it must never come to run. */
uint64_t smp_entry(void);

/* Sends an interrupt round all processors that run; how many hops until it was back, 0: never. */
unsigned int smp_ring(void);

/* By how much the clock of a processor that the last ring came to was behind that of the one it
 * came from, at most; 0: by nothing. */
uint64_t smp_ring_behind(void);

/* Has all others that run switch themselves off; false: one does not. */
bool smp_stop_others(void);
