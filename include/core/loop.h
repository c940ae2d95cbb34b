/*
 * The main thread's event loop: a few descriptors, each with a callback. Data paths do not run
 * here; signals, timers, console input and messages from vCPU threads do.
 *
 * Everything runs on the thread that calls loop_run. Callbacks may add and remove sources, their
 * own too. A source is caller-owned storage and must stay where it is until removed.
 */
#pragma once

#include "compiler.h"

#include <poll.h>
#include <stdbool.h>

/* Three for each of 31 ports and the serial console, and what the machine itself has. */
#define LOOP_SOURCES_MAX 128

struct loop_source {
	int fd;       /* borrowed; -1: paused */
	short events; /* of poll(2); may be changed at any time on the loop's thread; 0: paused */
	void (*ready)(void *owner, short revents);
	void *owner;
};

struct loop {
	struct loop_source *sources[LOOP_SOURCES_MAX];
	unsigned int source_count;
	bool stopping;
};

/* -ENOSPC when the loop is full. */
must_check int loop_attach(struct loop *loop, struct loop_source *source);
void loop_detach(struct loop *loop, struct loop_source *source); /* unknown ones are ignored */

/* Dispatches until loop_stop; -errno when poll itself fails. */
must_check int loop_run(struct loop *loop);

/* One round: waits at most timeout_ms (-1: for ever), dispatches what is ready. */
must_check int loop_run_once(struct loop *loop, int timeout_ms);

void loop_stop(struct loop *loop);
