/*
 * A console device: VIRTIO 1.2 5.3, with as many named ports as the machine wants, each a byte
 * stream to and from the host.
 *
 * A single port that is a console and has no name makes the plain device: two queues, no control
 * protocol, its size in the configuration space. Anything more offers MULTIPORT; a driver that does
 * not take that up gets port 0.
 *
 * Output that the host does not take at once stays with the guest; input is accepted only while the
 * guest has the port open and buffers for it. Nothing is lost either way, except at a reset and
 * what a guest writes to EMERG_WRITE faster than anybody can read.
 *
 * Order: create, backends started, ... every port unplugged, backends destroyed, device destroyed
 * (its ops). The I/O thread outlives all of it.
 */
#pragma once

#include "compiler.h"
#include "console_port.h"
#include "err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gmem;
struct io_thread;
struct virtio_console;
struct virtio_console_port;
struct virtio_device;

#define VIRTIO_CONSOLE_PORTS_MAX     31
#define VIRTIO_CONSOLE_PORT_NAME_MAX 127

struct virtio_console_port_options {
	const char *name;         /* what the guest finds it by; NULL: none; borrowed */
	bool is_console;          /* a terminal of the guest's (hvc), not a character device */
	bool unplugged;           /* a place that virtio_console_plug fills later */
	struct console_port host; /* output; used on the I/O thread only */
};

struct virtio_console_options {
	const char *name;        /* for messages; borrowed */
	const struct gmem *gmem; /* borrowed, like the thread */
	struct io_thread *io_thread;
	const struct virtio_console_port_options *ports;
	unsigned int port_count;
};

/* -EINVAL for too many ports or too long a name. Main thread. */
must_check int virtio_console_create(const struct virtio_console_options *options,
	struct virtio_console **ret_console, struct err *err);
struct virtio_device *virtio_console_device(struct virtio_console *console);
struct virtio_console_port *virtio_console_port(struct virtio_console *console, unsigned int index);

/* Main thread: the host has taken all that the guest has made available so far. */
bool virtio_console_is_drained(struct virtio_console_port *port);

/* --- The up-calls of a port's backend; the opaque argument is the port. --- */

/* Main thread: how many bytes were taken; for the rest resume_input of the host is called. */
size_t virtio_console_receive(void *opaque, const uint8_t *bytes, size_t length);
/* Any thread but the I/O thread: the host is no longer congested. */
void virtio_console_drained(void *opaque);
/* Main thread: somebody is at the host's end, or nobody any more. At first nobody is. What came
 * before the end is read by the guest before it sees the end. */
void virtio_console_connected(void *opaque, bool connected);

/* Main thread: the size of the terminal behind a port; 0: not known. */
void virtio_console_resize(struct virtio_console_port *port, uint16_t columns, uint16_t rows);

/* Main thread: a port comes or goes while the guest runs. When unplug returns the port's host is
 * not used any more and what was under way in either direction is lost. */
void virtio_console_plug(struct virtio_console_port *port, const struct console_port *host);
void virtio_console_unplug(struct virtio_console_port *port);
