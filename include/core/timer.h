/*
 * A one-shot timer as a device sees it. The owner of the loop arms a timerfd behind it and calls
 * the device's tick function on the main thread when it expires. Arming is allowed from any thread.
 */
#pragma once

#include <stdint.h>

struct timer {
	void (*arm)(void *host, uint64_t deadline_ns); /* CLOCK_MONOTONIC; 0 disarms. NULL: none */
	void *host;
};

static inline void timer_arm(const struct timer *timer, uint64_t deadline_ns)
{
	if (timer->arm)
		timer->arm(timer->host, deadline_ns);
}
