/*
 * Ordering between processors, in the inner shareable domain, which host and guest have in common.
 */
#pragma once

/* Earlier stores become visible before later ones; earlier loads happen before later ones. */
static inline void barrier_order(void)
{
	__asm__ volatile("dmb ishst\n\tdmb ishld" : : : "memory");
}

/* Earlier stores become visible before later loads happen. */
static inline void barrier_full(void)
{
	__asm__ volatile("dmb ish" : : : "memory");
}
