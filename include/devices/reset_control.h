/*
 * The reset control register of Intel's I/O hubs, one I/O port (0xcf9). From any vCPU thread.
 *
 * With a PCI host bridge the port lies inside the range of configuration mechanism #1: pci_host
 * then owns the range and passes this byte on.
 */
#pragma once

#include "bus.h"
#include "guest_end.h"

#include <stdint.h>

struct reset_control {
	struct guest_end_sink end; /* [const] */
	_Atomic uint8_t value;     /* [atomic] SYS_RST and FULL_RST as last written */
};

void reset_control_init(struct reset_control *control, const struct guest_end_sink *end);

/* Back to the state of power-on; vCPUs are stopped. */
void reset_control_reset(struct reset_control *control);

/* For a bus range of one port with the struct reset_control as its device. */
extern const struct bus_ops reset_control_bus_ops;
