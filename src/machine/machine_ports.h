/*
 * The virtio console of a machine: its ports and what they lead to on the host.
 *
 * Created and destroyed with the virtio devices, on the main thread.
 */
#pragma once

#include "compiler.h"
#include "err.h"

#include <stdbool.h>

struct io_thread;
struct machine;
struct machine_ports;
struct virtio_device;

/* Opens every place and makes the device. */
must_check int machine_ports_create(struct machine *machine, struct io_thread *io_thread,
	struct machine_ports **ret_ports, struct err *err);
struct virtio_device *machine_ports_device(struct machine_ports *ports);

/* Bytes flow from now on. */
must_check int machine_ports_start(struct machine_ports *ports, struct err *err);

/* The user's terminal: its size has changed, it is the shell's for a while, it is ours again. */
void machine_ports_resize(struct machine_ports *ports);
void machine_ports_suspend(struct machine_ports *ports);
void machine_ports_continue(struct machine_ports *ports);

/* Of a command: a line to its init, which may not listen. */
void machine_ports_say(struct machine_ports *ports, const char *pattern, ...)
	__attribute__((format(printf, 2, 3)));
/* Nobody reads the output of that port any more: the guest is told. */
void machine_ports_reader_gone(struct machine_ports *ports, unsigned int index);
/* All that the guest had written when this was called has gone where it belongs. */
bool machine_ports_have_delivered(struct machine_ports *ports);

/* Waits a while for readers to take what the guest has written. */
void machine_ports_finish(struct machine_ports *ports);

/* The device too: its transport is gone already. NULL is accepted. */
void machine_ports_destroy(struct machine_ports *ports);
