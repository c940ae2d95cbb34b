/*
 * What io_thread.c asks of an engine, and what an engine hands back.
 *
 * Everything runs on the I/O thread. The common part keeps the lists of what is attached and calls
 * the callbacks; an engine never calls one: it puts what finished on the ready lists, so that
 * detaching can take a thing back from there, whatever the kernel said in the meantime.
 */
#pragma once

#include "io_thread.h"

STAILQ_HEAD(io_operations, io_operation);
TAILQ_HEAD(io_events, io_event);
TAILQ_HEAD(io_polls, io_poll);

struct io_engine {
	const struct io_engine_ops *ops;
	/* Kept by the common part. */
	struct io_events events; /* attached */
	unsigned int watches;    /* events attached, polls started */
	/* Started polls; io_engine_poll_fired moves one to ready_polls. */
	struct io_polls polls;
	unsigned int in_flight; /* operations submitted and not done */
	/* Filled by the engine, emptied by the common part. */
	struct io_operations ready_operations;
	struct io_events ready_events;
	struct io_polls ready_polls;
};

struct io_engine_ops {
	/* Allocates, sets up and tries it out; the sentence of a refusal completes "<name>: ". */
	int (*open)(struct io_engine **ret_engine, struct err *err);
	void (*close)(struct io_engine *engine);
	/* Room for so many operations in all. */
	int (*reserve)(struct io_engine *engine, unsigned int operations, struct err *err);
	/* The operation has been begun and is not finished yet. */
	void (*submit)(struct io_engine *engine, struct io_operation *operation);
	/* Behind detach and cancel the engine and the kernel know nothing of it; it may have become
	 * ready meanwhile. */
	void (*event_attach)(struct io_engine *engine, struct io_event *event);
	void (*event_detach)(struct io_engine *engine, struct io_event *event);
	void (*poll_start)(struct io_engine *engine, struct io_poll *poll);
	void (*poll_cancel)(struct io_engine *engine, struct io_poll *poll);
	/* Submits what was collected, without waiting. Used before busy polling. */
	void (*flush)(struct io_engine *engine);
	/* Is there, or may there be, something to collect? Cheap. */
	bool (*peek)(struct io_engine *engine);
	/* Submits what was collected; waits until something is ready or the time is over (0: at
	 * once, UINT64_MAX: never); fills the ready lists. May return early for no reason. */
	void (*wait)(struct io_engine *engine, uint64_t timeout_ns);
};

extern const struct io_engine_ops io_engine_uring;
extern const struct io_engine_ops io_engine_pool;

static inline void io_engine_init(struct io_engine *engine, const struct io_engine_ops *ops)
{
	engine->ops = ops;
	TAILQ_INIT(&engine->events);
	TAILQ_INIT(&engine->polls);
	STAILQ_INIT(&engine->ready_operations);
	TAILQ_INIT(&engine->ready_events);
	TAILQ_INIT(&engine->ready_polls);
}

static inline bool io_engine_has_ready(const struct io_engine *engine)
{
	return !STAILQ_EMPTY(&engine->ready_operations) || !TAILQ_EMPTY(&engine->ready_events) ||
	       !TAILQ_EMPTY(&engine->ready_polls);
}

static inline void io_engine_operation_finished(
	struct io_engine *engine, struct io_operation *operation)
{
	STAILQ_INSERT_TAIL(&engine->ready_operations, operation, link);
}

static inline void io_engine_event_fired(struct io_engine *engine, struct io_event *event)
{
	if (event->is_ready)
		return;
	event->is_ready = true;
	TAILQ_INSERT_TAIL(&engine->ready_events, event, ready_link);
}

static inline void io_engine_poll_fired(
	struct io_engine *engine, struct io_poll *poll, short revents)
{
	TAILQ_REMOVE(&engine->polls, poll, link);
	TAILQ_INSERT_TAIL(&engine->ready_polls, poll, link);
	poll->is_ready = true;
	poll->revents = revents;
}
