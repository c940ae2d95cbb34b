/*
 * What console.c (the device), console_port.c (the bytes) and console_control.c (what is said about
 * ports) share.
 */
#pragma once

#include "byte_ring.h"
#include "console_control.h"
#include "console_port.h"
#include "virtio_device.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* 5.3.2; port 0 comes before the control queues, all others behind them */
#define CONSOLE_QUEUE_CONTROL_RECEIVE  2
#define CONSOLE_QUEUE_CONTROL_TRANSMIT 3

static inline unsigned int console_receive_queue(unsigned int port)
{
	return port ? 2 * port + 2 : 0;
}

static inline unsigned int console_transmit_queue(unsigned int port)
{
	return console_receive_queue(port) + 1;
}

/* 5.3.3 */
#define CONSOLE_F_SIZE        0
#define CONSOLE_F_MULTIPORT   1
#define CONSOLE_F_EMERG_WRITE 2

struct virtio_console_port {
	/* [const] */
	struct virtio_console *console;
	unsigned int index;
	/* [io] */
	struct console_port host;
	struct chain *held;    /* popped from the transmit queue, not all of it written yet */
	uint64_t session_seen; /* what of session has been turned into messages */
	/* [main] */
	bool connected;
	/* from the main thread to the I/O thread */
	struct byte_ring input;
	_Atomic uint64_t session;     /* counts; odd: somebody is at the host's end */
	_Atomic uint64_t session_end; /* position in input where the last one ended */
	_Atomic uint32_t size;        /* rows << 16 | columns */
	atomic_bool woken;            /* a message is on its way */
	atomic_bool input_stalled;    /* the host waits for resume_input */
	/* from the I/O thread to the main thread */
	atomic_bool accepting;
};

struct virtio_console {
	struct virtio_device device;
	/* [io] */
	struct console_control control;
	struct io_timer later; /* the next slice of work */
	bool active;
	bool multiport; /* accepted */
	/* [devlock] to the I/O thread */
	struct byte_ring emergency;
	atomic_bool emergency_woken;
	struct virtio_console_port ports[]; /* control.port_count */
};

/* --- I/O thread. --- */

/* Work of one call, in bytes; what is left is done after others had their turn. */
struct console_slice {
	int64_t left_bytes;
};

/* A queue from which chains may be taken, or NULL. */
struct virtq *console_queue(struct virtio_console *console, unsigned int queue);

/* 1: *ret_chain; 0: none, and the driver will say when there is one; -EPROTO: the device is broken.
 * Charges the slice. */
must_check int console_pop(struct virtio_console *console, unsigned int queue,
	struct console_slice *slice, struct chain **ret_chain);

/* Does what can be done for the port, in both directions. */
void console_port_run(struct virtio_console_port *port);
/* Hands out what is to be said about ports. */
void console_control_send(struct virtio_console *console, struct console_slice *slice);
/* Ends what the port has under way: what is left of the chain it holds goes to the host, as far as
 * that has room, and no input is accepted. */
void console_port_release(struct virtio_console_port *port);
/* A driver starts. */
void console_port_begin(struct virtio_console_port *port);

/* Comes back to all ports when others had their turn. */
void console_run_later(struct virtio_console *console);

/* Main thread, or an output thread; no lock is held: has the I/O thread run the port. */
void console_port_wake(struct virtio_console_port *port);
