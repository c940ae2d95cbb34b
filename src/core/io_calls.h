/*
 * Functions which other threads want run on an I/O thread, in the order they came.
 *
 * A lock and a list: this is control, not data. A call's node lives on its caller's stack, a post's
 * comes from a fixed store, so nothing is allocated and calls cannot fail.
 */
#pragma once

#include "compiler.h"
#include "err.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct io_call {
	void (*function)(void *context);
	void *context;
	bool waited_for; /* by its caller, who owns the node; else it comes from the store */
	bool finished;   /* [lock] */
	STAILQ_ENTRY(io_call) link;
};

STAILQ_HEAD(io_call_list, io_call);

/* A page of messages. */
#define IO_CALLS_POSTED_MAX 256

struct io_calls {
	int event_fd; /* written to when the list was empty */
	pthread_mutex_t lock;
	pthread_cond_t finished;
	struct io_call_list waiting; /* [lock] */
	struct io_call_list unused;  /* [lock] */
	struct io_call store[IO_CALLS_POSTED_MAX];
};

must_check int io_calls_init(struct io_calls *calls, struct err *err);
void io_calls_fini(struct io_calls *calls);

/* Any thread but the I/O thread: returns when the function has run. */
void io_calls_call(struct io_calls *calls, void (*function)(void *context), void *context);

/* Any thread. -EAGAIN: the store is used up. */
must_check int io_calls_post(
	struct io_calls *calls, void (*function)(void *context), void *context);

/* The I/O thread: runs all that is there now. */
void io_calls_run(struct io_calls *calls);
