/*
 * A socket device: VIRTIO 1.2 5.10, streams only. Ports of the guest are UNIX stream sockets of the
 * host: a connection of the guest to port P of CID 2 is one to PATH_P, and a client of the listener
 * names the guest's port by a line "CONNECT <port>" and is told "OK <host port>" when the guest has
 * accepted. What the guest has sent arrives even if it resets the device right after, or ends.
 *
 * Everything between activate and quiesce runs on the I/O thread. Memory is reserved at creation;
 * what the guest or a client does allocates nothing.
 */
#pragma once

#include "compiler.h"
#include "err.h"

#include <stdbool.h>
#include <stdint.h>

struct gmem;
struct io_thread;
struct virtio_device;

#define VIRTIO_VSOCK_CONNECTIONS_MAX 512 /* more are reset; half of IO_WATCHES_MAX */

struct virtio_vsock_options {
	const char *name;        /* for messages; borrowed */
	const struct gmem *gmem; /* borrowed, like the thread */
	struct io_thread *io_thread;
	uint64_t guest_cid; /* 3 to UINT32_MAX - 1 */
	const char *path;   /* borrowed; PATH of PATH_P; NULL: the guest reaches nobody */
	int listener;       /* borrowed; non-blocking; clients wait in it while no driver runs;
	                     * -1: none */
	uint64_t (*read_clock)(void); /* monotonic nanoseconds; NULL: the host's */
};

/* Destroyed through its ops. -ENAMETOOLONG: there is no room for a port behind the path. Main
 * thread. */
must_check int virtio_vsock_create(const struct virtio_vsock_options *options,
	struct virtio_device **ret_device, struct err *err);

struct virtio_vsock_rest {
	uint64_t bytes; /* at least so many has the guest sent that the host has not taken */
	bool is_open;   /* the guest may send more by one of its connections */
};

/* What the guest has sent goes to the host, as far as it takes it. Main thread. */
struct virtio_vsock_rest virtio_vsock_deliver(struct virtio_device *device);

/* A client that has not come through the listener and has named the port already; it is told as
 * others are. fd: its other end, owned from now on. -ENODEV: no driver runs; -ENOSPC. Main thread.
 */
must_check int virtio_vsock_connect(struct virtio_device *device, uint32_t guest_port, int fd);
