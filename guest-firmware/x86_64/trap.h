/*
 * Exceptions and interrupts: one table for all processors.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct trap_frame { /* as vectors.S lays it out */
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss;
};

#define VECTOR_DIVIDE     0
#define VECTOR_INVALID    6
#define VECTOR_PROTECTION 13
#define VECTOR_PAGE       14

#define VECTOR_APIC_TIMER 0x30
#define VECTOR_UART       0x31
#define VECTOR_SCI        0x32
#define VECTOR_IPI        0x33
#define VECTOR_MESSAGE    0x34 /* to 0x37 */
#define VECTOR_LINE       0x38
#define VECTOR_SPURIOUS   0x3f

/* Builds the table and loads it; masks both 8259s, whose vectors would look like exceptions. */
void trap_init(void);

/* Loads the table on the calling processor. */
void trap_load(void);

/* The handler runs with interrupts disabled; the APIC's end of interrupt follows it. */
void trap_set_handler(unsigned int vector, void (*handler)(void));

/* Enters code at the address instead of a handler. */
void trap_set_gate(unsigned int vector, uint64_t address);

/* Between watch and unwatch one exception of this vector is skipped over instead of ending the
 * guest; the instruction that raises it has this many bytes. */
void trap_watch(unsigned int vector, unsigned int instruction_bytes);

struct trap_caught {
	bool taken;
	uint64_t error;
	uint64_t fault_address; /* of a page fault */
};

struct trap_caught trap_unwatch(void);

/* Empties the table, so that the next exception is a triple fault. */
void trap_unload(void);
