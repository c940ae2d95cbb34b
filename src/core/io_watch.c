/* What callbacks ask of an I/O thread: operations, events, polls. See io_thread.h. */
#include "io_step.h"
#include "io_thread_private.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>

void io_submit(struct io_thread *thread, struct io_operation *operation)
{
	struct io_engine *engine = thread->engine;

	assert(io_thread_is_current(thread));
	assert(engine->in_flight < thread->admitted);
	engine->in_flight++;
	if (io_step_begin(operation))
		engine->ops->submit(engine, operation);
	else
		io_engine_operation_finished(engine, operation);
}

int io_event_attach(struct io_thread *thread, struct io_event *event)
{
	struct io_engine *engine = thread->engine;

	assert(io_thread_is_current(thread));
	if (event->attached)
		return -EBUSY;
	if (fcntl(event->fd, F_GETFD) < 0)
		return -errno;
	if (engine->watches > IO_WATCHES_MAX) /* one is ours */
		return -ENOSPC;
	engine->watches++;
	event->attached = true;
	event->is_ready = false;
	TAILQ_INSERT_TAIL(&engine->events, event, link);
	engine->ops->event_attach(engine, event);
	return 0;
}

void io_event_detach(struct io_thread *thread, struct io_event *event)
{
	struct io_engine *engine = thread->engine;

	assert(io_thread_is_current(thread));
	if (!event->attached)
		return;
	engine->ops->event_detach(engine, event);
	TAILQ_REMOVE(&engine->events, event, link);
	if (event->is_ready)
		TAILQ_REMOVE(&engine->ready_events, event, ready_link);
	event->attached = false;
	event->is_ready = false;
	engine->watches--;
}

void io_poll_start(struct io_thread *thread, struct io_poll *poll)
{
	struct io_engine *engine = thread->engine;

	assert(io_thread_is_current(thread));
	assert(!poll->started);
	assert(engine->watches <= IO_WATCHES_MAX); /* one is ours */
	engine->watches++;
	poll->started = true;
	poll->is_ready = false;
	TAILQ_INSERT_TAIL(&engine->polls, poll, link);
	engine->ops->poll_start(engine, poll);
}

void io_poll_cancel(struct io_thread *thread, struct io_poll *poll)
{
	struct io_engine *engine = thread->engine;

	assert(io_thread_is_current(thread));
	if (!poll->started)
		return;
	if (!poll->is_ready)
		engine->ops->poll_cancel(engine, poll);
	/* It may have become ready while it was cancelled. */
	if (poll->is_ready)
		TAILQ_REMOVE(&engine->ready_polls, poll, link);
	else
		TAILQ_REMOVE(&engine->polls, poll, link);
	poll->started = false;
	poll->is_ready = false;
	engine->watches--;
}
