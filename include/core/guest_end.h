/*
 * How a guest asks to end, as the chips that carry the request report it.
 *
 * Called on a vCPU thread, with the device's lock held at most; must not block. When it returns
 * the vCPU that made the request runs no further guest instruction.
 */
#pragma once

#include <stdint.h>

enum guest_end {
	GUEST_END_NONE,
	GUEST_END_POWER_OFF,    /* ACPI S5 */
	GUEST_END_RESET,        /* reset register, keyboard controller, firmware: its value is what
	                         * KVM says of the kind of reset, else 0 */
	GUEST_END_PANIC,        /* pvpanic: the guest kernel has panicked */
	GUEST_END_CRASH_LOADED, /* pvpanic: panicked, and a crash kernel takes over: not an end */
	GUEST_END_DEBUG_EXIT,   /* isa-debug-exit; value is what was written */
};

struct guest_end_sink {
	void (*report)(void *owner, enum guest_end end, uint32_t value);
	void *owner;
};

static inline void guest_end_report(
	const struct guest_end_sink *sink, enum guest_end end, uint32_t value)
{
	sink->report(sink->owner, end, value);
}
