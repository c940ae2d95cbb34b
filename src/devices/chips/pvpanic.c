/*
 * QEMU docs/specs/pvpanic "ISA Interface". See pvpanic.h.
 *
 * A read tells the events that are understood. Bit 2 (orderly shutdown) is not offered: ACPI says
 * the same, later and with certainty.
 */
#include "pvpanic.h"

#define PVPANIC_PANICKED     0x01
#define PVPANIC_CRASH_LOADED 0x02

static uint64_t pvpanic_read(void *device, uint64_t offset, unsigned int size)
{
	(void)device;
	(void)offset;
	(void)size;
	return PVPANIC_PANICKED | PVPANIC_CRASH_LOADED;
}

static void pvpanic_write(void *device, uint64_t offset, unsigned int size, uint64_t value)
{
	const struct pvpanic *pvpanic = device;

	(void)offset;
	(void)size;
	if (value & PVPANIC_PANICKED)
		guest_end_report(&pvpanic->end, GUEST_END_PANIC, 0);
	else if (value & PVPANIC_CRASH_LOADED)
		guest_end_report(&pvpanic->end, GUEST_END_CRASH_LOADED, 0);
}

const struct bus_ops pvpanic_bus_ops = {pvpanic_read, pvpanic_write};
