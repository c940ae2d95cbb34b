/* What an I/O thread looks at while it does not sleep, see io_thread.h. */
#include "io_thread_private.h"

#include <assert.h>

bool io_poller_wake(struct io_thread *thread, struct io_poller *poller)
{
	assert(io_thread_is_current(thread));
	if (thread->window_ns == 0)
		return false;
	if (!poller->awake)
		TAILQ_INSERT_TAIL(&thread->pollers, poller, link);
	poller->awake = true;
	return true;
}

void io_poller_stop(struct io_thread *thread, struct io_poller *poller)
{
	assert(io_thread_is_current(thread));
	if (!poller->awake)
		return;
	if (thread->next_poller == poller)
		thread->next_poller = TAILQ_NEXT(poller, link);
	TAILQ_REMOVE(&thread->pollers, poller, link);
	poller->awake = false;
}

void io_pollers_run(struct io_thread *thread)
{
	struct io_poller *poller = TAILQ_FIRST(&thread->pollers);

	for (; poller; poller = thread->next_poller) {
		thread->next_poller = TAILQ_NEXT(poller, link);
		if (poller->look(poller))
			poller->ready(poller);
	}
}

bool io_pollers_look(const struct io_thread *thread)
{
	struct io_poller *poller;

	TAILQ_FOREACH(poller, &thread->pollers, link)
	if (poller->look(poller))
		return true;
	return false;
}

bool io_pollers_rest(struct io_thread *thread)
{
	struct io_poller *poller;

	while ((poller = TAILQ_FIRST(&thread->pollers))) {
		if (poller->rest(poller))
			return true;
		io_poller_stop(thread, poller);
	}
	return false;
}
