/*
 * A NIC of a machine: the network of the host's that its configuration names, and the device.
 *
 * Main thread.
 */
#pragma once

#include "compiler.h"
#include "err.h"
#include "virtio_device.h"

struct machine;
struct machine_io;
struct machine_net;

/* The number-th NIC of the machine's config, with its queue pairs spread over the I/O threads from
 * first on. name: borrowed. */
must_check int machine_net_create(struct machine *machine, unsigned int number, const char *name,
	const struct machine_io *io, unsigned int first, const struct virtio_fault_sink *fault_sink,
	struct machine_net **ret_net, struct err *err);
/* Until the network is there, where a process of its own brings it up; 0 or why it cannot be. */
must_check int machine_net_wait(struct machine_net *net, struct err *err);

struct virtio_device *machine_net_device(struct machine_net *net);

/* As virtio_net_set_link. */
void machine_net_set_link(struct machine_net *net, bool up);

/* Says what has passed and what was dropped, for --timing and --verbose; no vCPU runs. */
void machine_net_report(const struct machine_net *net);

/* The device too: its transport is gone already. NULL is accepted. */
void machine_net_destroy(struct machine_net *net);
