/* The device that QEMU calls isa-debug-exit. See debug_exit.h. */
#include "debug_exit.h"

static uint64_t debug_exit_read(void *device, uint64_t offset, unsigned int size)
{
	(void)device;
	(void)offset;
	(void)size;
	return 0;
}

static void debug_exit_write(void *device, uint64_t offset, unsigned int size, uint64_t value)
{
	const struct debug_exit *debug_exit = device;
	uint64_t mask = size >= 4 ? UINT32_MAX : (UINT64_C(1) << (8 * size)) - 1;

	(void)offset;
	guest_end_report(&debug_exit->end, GUEST_END_DEBUG_EXIT, (uint32_t)(value & mask));
}

const struct bus_ops debug_exit_bus_ops = {debug_exit_read, debug_exit_write};
