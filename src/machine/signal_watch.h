/*
 * SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGCONT and SIGWINCH as events of the main loop; SIGTTIN and
 * SIGTTOU are blocked.
 *
 * Must be set up before any thread is created, so that all of them inherit the blocked mask. A
 * signal that was ignored when Hull started (nohup) stays ignored.
 */
#pragma once

#include "err.h"
#include "loop.h"

#include <signal.h>

struct signal_watch {
	struct loop *loop; /* borrowed; NULL: not set up */
	struct loop_source source;
	sigset_t saved_mask;
	void (*received)(void *owner, int signal);
	void *owner;
};

must_check int signal_watch_init(struct signal_watch *watch, struct loop *loop,
	void (*received)(void *owner, int signal), void *owner, struct err *err);
void signal_watch_fini(struct signal_watch *watch);
