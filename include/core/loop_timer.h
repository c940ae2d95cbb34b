/*
 * A one-shot timer on the main loop, behind a timerfd; also the way a device's struct timer is made
 * real. Arming is allowed from any thread; the callback runs on the loop's thread.
 */
#pragma once

#include "compiler.h"
#include "err.h"
#include "loop.h"
#include "timer.h"

#include <stdint.h>

struct loop_timer {
	struct loop *loop; /* borrowed */
	struct loop_source source;
	void (*expired)(void *owner);
	void *owner;
};

/* timer must stay where it is until loop_timer_fini, which accepts one that was never set up (all
 * zero). */
must_check int loop_timer_init(struct loop_timer *timer, struct loop *loop,
	void (*expired)(void *owner), void *owner, struct err *err);
void loop_timer_fini(struct loop_timer *timer);

/* CLOCK_MONOTONIC; a deadline in the past expires at once; 0 disarms. */
void loop_timer_arm(struct loop_timer *timer, uint64_t deadline_ns);

/* The same timer as a device sees it. */
struct timer loop_timer_for_device(struct loop_timer *timer);
