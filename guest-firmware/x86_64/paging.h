/*
 * Physical memory within reach: addresses are identity-mapped once they were asked for.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Maps every GiB that [address, address + length) touches; false when the tables ran out. */
bool paging_map(uint64_t address, uint64_t length);

/* Opens everything that is mapped so far to ring 3, in the tables of the calling processor. */
void paging_allow_user(void);

/* The address as a pointer; only what is mapped may be touched. */
static inline void *physical(uint64_t address)
{
	/* Hides a constant from the compiler, which knows of no object at 0x40e. */
	__asm__("" : "+r"(address));
	return (void *)(uintptr_t)address;
}
