/* Timers of an I/O thread, see io_thread.h. The nearest deadline bounds the wait of a round. */
#include "clock.h"
#include "io_thread_private.h"

#include <assert.h>

void io_timer_cancel(struct io_thread *thread, struct io_timer *timer)
{
	assert(io_thread_is_current(thread));
	if (timer->deadline_ns == 0)
		return;
	TAILQ_REMOVE(&thread->timers, timer, link);
	timer->deadline_ns = 0;
}

void io_timer_arm(struct io_thread *thread, struct io_timer *timer, uint64_t deadline_ns)
{
	struct io_timer *earlier;

	io_timer_cancel(thread, timer);
	if (deadline_ns == 0)
		return;
	timer->deadline_ns = deadline_ns;
	TAILQ_FOREACH_REVERSE(earlier, &thread->timers, io_timers, link)
	if (earlier->deadline_ns <= deadline_ns)
		break;
	if (earlier)
		TAILQ_INSERT_AFTER(&thread->timers, earlier, timer, link);
	else
		TAILQ_INSERT_HEAD(&thread->timers, timer, link);
}

void io_timers_run(struct io_thread *thread)
{
	uint64_t now = TAILQ_EMPTY(&thread->timers) ? 0 : clock_monotonic_ns();
	unsigned int due = 0;
	struct io_timer *timer;

	/* Counted first: a timer which its own callback arms for the past must not keep us here. */
	TAILQ_FOREACH(timer, &thread->timers, link)
	{
		if (timer->deadline_ns > now)
			break;
		due++;
	}
	for (; due > 0; due--) {
		timer = TAILQ_FIRST(&thread->timers);
		if (!timer || timer->deadline_ns > now)
			return;
		io_timer_cancel(thread, timer);
		timer->expired(timer);
	}
}

uint64_t io_timers_wait_ns(const struct io_thread *thread)
{
	const struct io_timer *nearest = TAILQ_FIRST(&thread->timers);
	uint64_t now;

	if (!nearest)
		return UINT64_MAX;
	now = clock_monotonic_ns();
	return nearest->deadline_ns > now ? nearest->deadline_ns - now : 0;
}
