/*
 * The machine, assembled. Start-up is a straight line: files, KVM, memory, VM, devices, vCPUs,
 * kernel, run; teardown is the same list backwards. The host's half lives from start to end; the
 * guest's half is made anew when the guest resets (--on-reboot=reset), so that nothing survives.
 */
#include "machine.h"

#include "clock.h"
#include "fd.h"
#include "kvm.h"
#include "log.h"
#include "machine_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define FLUSH_PATIENCE_NS (2 * NANOSECONDS_PER_SECOND)

static int attach_range(struct bus *bus, const char *name, uint64_t base, uint64_t size,
	const struct bus_ops *ops, void *device, struct err *err)
{
	const struct bus_range range = {
		.base = base, .size = size, .ops = ops, .device = device, .name = name};

	return bus_attach(bus, &range, err);
}

/* Enters a device of the board's usual place into the board's list. */
static struct board_device place(struct machine *machine, enum board_device_kind kind)
{
	struct board_device device = arch_board_device(kind);

	machine->board.devices[machine->board.device_count++] = device;
	return device;
}
