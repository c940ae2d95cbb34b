/*
 * The way out of a console: a single-producer, single-consumer ring and the thread that empties it.
 *
 * The producer is the device, serialised by the device's lock. The consumer is the output thread:
 * it owns the descriptor it writes to, and is the only one that ever blocks. The ring's memory is
 * touched only as the backlog needs it and given back behind the reader.
 */
#pragma once

#include "compiler.h"
#include "console.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a reader that is gone means. */
enum output_reader {
	OUTPUT_READER_LASTING, /* nobody will come again: discard from then on */
	OUTPUT_READER_PTY,     /* another one may open the pty: keep the latest output for it */
	OUTPUT_READER_SOCKET,  /* likewise; each reader is a descriptor of its own */
};

/* What the output thread is doing, as far as the producer has to know: when to wake it. */
enum output_state {
	OUTPUT_BUSY,     /* it will look again by itself, in a moment at most */
	OUTPUT_ASLEEP,   /* wake it for a byte */
	OUTPUT_DETACHED, /* no reader: wake it only to trim the backlog */
	OUTPUT_GONE,     /* never again: discard */
};

struct console_output {
	bool initialised;
	/* [const] after init */
	uint8_t *ring;
	int wake_fd;
	enum output_reader reader;
	const struct console_events *events;
	/* [device] the producer's, under the device's lock; others read */
	_Atomic uint64_t head;
	_Atomic uint64_t dropped_bytes;
	/* [output] the thread's; others read */
	_Atomic uint64_t tail;
	_Atomic enum output_state state;
	int fd; /* owned, except a pty's; -1: no reader */
	bool is_socket;
	bool failing;
	bool woken;
	/* [atomic] messages */
	atomic_int offered_fd; /* a new reader, -1: none */
	atomic_bool stopping;
	atomic_bool congested; /* somebody waits for drained */
	atomic_bool flushing;
	/* [lock] */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool exited;
	/* [main] */
	bool has_thread;
	pthread_t thread;
};

/* fd: where output goes first, adopted unless reader is OUTPUT_READER_PTY; -1: nobody yet. */
must_check int console_output_init(
	struct console_output *output, enum output_reader reader, int fd, struct err *err);
must_check int console_output_start(
	struct console_output *output, const struct console_events *events, struct err *err);

/* Device side. */
size_t console_output_write(struct console_output *output, const void *bytes, size_t length);
bool console_output_is_congested(struct console_output *output);

/* Main thread: there is a new reader. A socket's fd is adopted. */
void console_output_offer(struct console_output *output, int fd);

must_check int console_output_flush(struct console_output *output, uint64_t timeout_ns);

/* Stops the thread, whatever it is blocked in, and frees what init made. Accepts a zeroed one. */
void console_output_fini(struct console_output *output);
