/*
 * Exceptions and interrupts, the same for all processors.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Exception classes of ESR_EL1 (Arm ARM, ESR_EL1.EC). */
#define TRAP_UNKNOWN    0x00
#define TRAP_SUPERVISOR 0x15 /* SVC */
#define TRAP_DATA_ABORT 0x25 /* from the same level */
#define TRAP_BREAKPOINT 0x3c /* BRK */

/* The handler runs with interrupts masked, on the processor that took the interrupt; the end of
 * interrupt follows it. */
void trap_set_handler(uint32_t interrupt, void (*handler)(void));

/* The same for all interrupts that an interrupt translation service raises. */
void trap_set_message_handler(void (*handler)(uint32_t interrupt));

/* Between watch and unwatch the first exception is noted and gone on from behind the instruction
 * that raised it, instead of ending the guest. */
void trap_watch(void);

struct trap_caught {
	bool taken;
	uint32_t class;
	uint32_t details; /* the syndrome's low 25 bits */
	uint64_t at;      /* the preferred return address */
	uint64_t address; /* of an abort */
};

struct trap_caught trap_unwatch(void);
