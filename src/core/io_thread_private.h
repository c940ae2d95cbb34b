/*
 * The I/O thread for its own files: io_thread.c makes it and runs its rounds, io_watch.c is what
 * callbacks submit and attach, io_timer.c and io_poller.c are what needs no engine.
 */
#pragma once

#include "io_calls.h"
#include "io_engine.h"
#include "io_thread.h"

#include <pthread.h>

TAILQ_HEAD(io_timers, io_timer);
TAILQ_HEAD(io_pollers, io_poller);

struct io_thread {
	struct io_calls calls;
	struct io_event calls_event; /* [io] */
	pthread_t thread;            /* [main] */

	/* [const] once created */
	enum io_engine_choice choice;
	uint64_t poll_ns;
	char name[16];
	char engine_line[512];
	pthread_t self;
	struct io_engine *engine;

	unsigned int admitted;         /* [io] */
	struct io_timers timers;       /* [io] by deadline, then by arming */
	struct io_pollers pollers;     /* [io] those that are awake */
	struct io_poller *next_poller; /* [io] of the walk under way */
	uint64_t window_ns;            /* [io] how long to poll before the next sleep */
	bool stopping;                 /* [io] */

	/* Of the start: what became of it. Under start_lock. */
	pthread_mutex_t start_lock;
	pthread_cond_t start_known;
	bool started;
	int start_result;
	struct err *start_err;
};

/* --- For the rounds. --- */

/* Expires what is due. */
void io_timers_run(struct io_thread *thread);
/* 0: something is due; UINT64_MAX: nothing is armed. */
uint64_t io_timers_wait_ns(const struct io_thread *thread);

/* Looks at what is awake, and calls whatever has something. */
void io_pollers_run(struct io_thread *thread);
bool io_pollers_look(const struct io_thread *thread);
/* Before a sleep: false, and none is awake any more; or true, and there is something to do. */
bool io_pollers_rest(struct io_thread *thread);
