/*
 * System registers and hints of the processor, by the names that assemblers know.
 */
#pragma once

#include <stdint.h>

#define CPU_READ(name)                                                         \
	({                                                                     \
		uint64_t value_;                                               \
		__asm__ volatile("mrs %0, " name : "=r"(value_) : : "memory"); \
		value_;                                                        \
	})

/* With what follows from it done. */
#define CPU_WRITE(name, value) \
	__asm__ volatile("msr " name ", %0\n\tisb" : : "r"((uint64_t)(value)) : "memory")

/* Of MPIDR_EL1: what PSCI and the interrupt controller call a processor. */
#define CPU_AFFINITY UINT64_C(0xff00ffffff)

static inline uint64_t cpu_affinity(void)
{
	return CPU_READ("mpidr_el1") & CPU_AFFINITY;
}

static inline void cpu_relax(void)
{
	__asm__ volatile("yield" : : : "memory");
}

static inline void cpu_unmask_interrupts(void)
{
	__asm__ volatile("msr daifclr, #2" : : : "memory");
}

static inline void cpu_mask_interrupts(void)
{
	__asm__ volatile("msr daifset, #2" : : : "memory");
}

/* Returns when an interrupt is pending, masked or not. */
static inline void cpu_wait_for_interrupt(void)
{
	__asm__ volatile("dsb sy\n\twfi" : : : "memory");
}

static inline _Noreturn void cpu_stop(void)
{
	for (;;)
		cpu_wait_for_interrupt();
}
