/*
 * What guests that drive devices need of the machine they run on; each architecture provides it.
 * Addresses are identity-mapped: a pointer's value is what a device is told.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* First of all: console, exceptions, interrupts off. Returns the command line. */
const char *board_start(uint32_t entry, uint64_t information);

/* Ends the guest by the debug-exit device: status 33 when passed, else 35. */
_Noreturn void board_end(bool passed);

/* Makes [address, address + length) reachable; false when that is impossible. */
bool board_map(uint64_t address, uint64_t length);

/* RAM that nothing else uses, cleared by the machine's start only; NULL when there is no more.
 * alignment: a power of two. Never given back. */
void *board_take(uint64_t bytes, uint64_t alignment);

/* Where RAM ends for the devices: the first address above the lowest block that has none. */
uint64_t board_ram_end(void);

/* PCI's memory-mapped configuration space, from the firmware's tables; false: no PCI. */
bool board_find_ecam(uint64_t *ret_base, unsigned int *ret_buses);

/* A clock that never stops and goes at least a million times a second. */
uint64_t board_clock(void);
uint64_t board_clock_hz(void);

/* Interrupt messages (MSI) of the first processor: what a device writes where, and how many came.
 * requester: the device, as PCI names it. */
#define BOARD_MESSAGES 4
struct board_message {
	uint64_t address;
	uint32_t data;
};
struct board_message board_message(uint16_t requester, unsigned int index);
unsigned int board_message_count(unsigned int index);

/* Lets pending interrupts in for a moment. */
void board_take_interrupts(void);

/* Routes all free interrupt lines to one handler, level-triggered. The handler silences what
 * raised them; clear handler and lines with NULL. False when there is no controller for it. */
bool board_watch_lines(void (*handler)(void));
