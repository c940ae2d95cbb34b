/*
 * pvpanic as an ISA device, one I/O port (0x505): the guest's kernel tells that it has panicked.
 * From any vCPU thread; it has no state.
 */
#pragma once

#include "bus.h"
#include "guest_end.h"

struct pvpanic {
	struct guest_end_sink end; /* [const] */
};

/* For a bus range of one port with the struct pvpanic as its device. Reports GUEST_END_PANIC or
 * GUEST_END_CRASH_LOADED. */
extern const struct bus_ops pvpanic_bus_ops;
