/*
 * isa-debug-exit (usually 0xf4, up to four I/O ports): a test guest ends itself with a number.
 * From any vCPU thread; it has no state.
 */
#pragma once

#include "bus.h"
#include "guest_end.h"

struct debug_exit {
	struct guest_end_sink end; /* [const] */
};

/* For a bus range with the struct debug_exit as its device. Every write, wherever in the range and
 * however wide, reports GUEST_END_DEBUG_EXIT with the value written; reads give 0. */
extern const struct bus_ops debug_exit_bus_ops;
