/*
 * Ordering between processors, in instructions that every interpreter knows (not mfence).
 */
#pragma once

/* Earlier stores become visible before later ones; earlier loads happen before later ones. On x86
 * only the compiler could change that. */
static inline void barrier_order(void)
{
	__asm__ volatile("" : : : "memory");
}

/* Earlier stores become visible before later loads happen. */
static inline void barrier_full(void)
{
	__asm__ volatile("lock addl $0, (%%rsp)" : : : "memory", "cc");
}
