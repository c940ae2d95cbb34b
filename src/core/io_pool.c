/*
 * The engine for hosts that forbid io_uring: a few threads which run one blocking system call after
 * another, and ppoll in the I/O thread for eventfds and descriptors.
 *
 * Operations are handed over in batches, one lock per round. Workers wake the I/O thread by an
 * eventfd when the list of finished operations was empty. Workers never call a callback.
 */
#include "clock.h"
#include "fd.h"
#include "io_engine.h"
#include "io_step.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Enough to keep a fast disk busy; their stacks are touched only when they work. */
#define POOL_THREADS 8

struct pool {
	struct io_engine engine;
	struct io_operations collected; /* [io] submitted in this round */
	unsigned int collected_count;   /* [io] */
	struct pollfd *fds;             /* [io] wake_fd, events (one is the thread's own), polls */
	int wake_fd;
	_Atomic bool has_finished; /* [atomic] a hint for peek */

	pthread_mutex_t lock;
	pthread_cond_t work;
	struct io_operations waiting;  /* [lock] */
	struct io_operations finished; /* [lock] */
	bool stopping;                 /* [lock] */

	pthread_t threads[POOL_THREADS];
	unsigned int thread_count;
};

static struct pool *to_pool(struct io_engine *engine)
{
	return container_of(engine, struct pool, engine);
}

/* --- Workers. --- */

static int64_t run_step(const struct io_operation *operation)
{
	struct io_chunk chunk = io_step_chunk(operation);
	ssize_t r = -1;

	/* -1 is the current position for preadv2 and pwritev2, and right for streams. */
	switch (operation->opcode) {
	case IO_READV:
		r = preadv2(operation->fd, chunk.iov, (int)chunk.iov_count, (off_t)chunk.offset,
			operation->flags);
		break;
	case IO_WRITEV:
		r = pwritev2(operation->fd, chunk.iov, (int)chunk.iov_count, (off_t)chunk.offset,
			operation->flags);
		break;
	case IO_FDATASYNC:
		r = fdatasync(operation->fd);
		break;
	case IO_FALLOCATE:
		r = fallocate(operation->fd, operation->flags, (off_t)operation->offset,
			(off_t)operation->length);
		break;
	}
	return r < 0 ? -errno : r;
}

static void run_operation(struct io_operation *operation)
{
	while (!io_step_advance(operation, run_step(operation)))
		continue;
}

static void *worker_main(void *argument)
{
	struct pool *pool = argument;
	struct io_operation *operation;
	bool was_empty;

	(void)pthread_setname_np(pthread_self(), "io-worker");
	(void)pthread_mutex_lock(&pool->lock);
	for (;;) {
		while (!pool->stopping && STAILQ_EMPTY(&pool->waiting))
			(void)pthread_cond_wait(&pool->work, &pool->lock);
		if (pool->stopping)
			break;
		operation = STAILQ_FIRST(&pool->waiting);
		STAILQ_REMOVE_HEAD(&pool->waiting, link);
		(void)pthread_mutex_unlock(&pool->lock);
		run_operation(operation);
		(void)pthread_mutex_lock(&pool->lock);
		was_empty = STAILQ_EMPTY(&pool->finished);
		STAILQ_INSERT_TAIL(&pool->finished, operation, link);
		if (was_empty) {
			atomic_store_explicit(&pool->has_finished, true, memory_order_relaxed);
			(void)eventfd_write(pool->wake_fd, 1);
		}
	}
	(void)pthread_mutex_unlock(&pool->lock);
	return NULL;
}

/* --- The I/O thread. --- */

static void pool_submit(struct io_engine *engine, struct io_operation *operation)
{
	struct pool *pool = to_pool(engine);

	STAILQ_INSERT_TAIL(&pool->collected, operation, link);
	pool->collected_count++;
}

static void pool_flush(struct io_engine *engine)
{
	struct pool *pool = to_pool(engine);
	unsigned int count = pool->collected_count;

	if (count == 0)
		return;
	pool->collected_count = 0;
	(void)pthread_mutex_lock(&pool->lock);
	STAILQ_CONCAT(&pool->waiting, &pool->collected);
	if (count >= pool->thread_count)
		(void)pthread_cond_broadcast(&pool->work);
	for (; count < pool->thread_count && count > 0; count--)
		(void)pthread_cond_signal(&pool->work);
	(void)pthread_mutex_unlock(&pool->lock);
}

static void take_finished(struct pool *pool)
{
	(void)pthread_mutex_lock(&pool->lock);
	atomic_store_explicit(&pool->has_finished, false, memory_order_relaxed);
	STAILQ_CONCAT(&pool->engine.ready_operations, &pool->finished);
	(void)pthread_mutex_unlock(&pool->lock);
}

static nfds_t list_descriptors(struct pool *pool)
{
	const struct io_event *event;
	const struct io_poll *poll;
	nfds_t count = 0;

	pool->fds[count++] = (struct pollfd){.fd = pool->wake_fd, .events = POLLIN};
	TAILQ_FOREACH(event, &pool->engine.events, link)
	pool->fds[count++] = (struct pollfd){.fd = event->fd, .events = POLLIN};
	TAILQ_FOREACH(poll, &pool->engine.polls, link)
	pool->fds[count++] = (struct pollfd){.fd = poll->fd, .events = poll->events};
	return count;
}

/* A system call, but the one way to see an eventfd. */
static bool pool_peek(struct io_engine *engine)
{
	struct pool *pool = to_pool(engine);

	return atomic_load_explicit(&pool->has_finished, memory_order_relaxed) ||
	       poll(pool->fds, list_descriptors(pool), 0) > 0;
}

/* In the order of list_descriptors; the lists have not changed since. */
static void take_descriptors(struct pool *pool)
{
	const struct pollfd *fd = pool->fds;
	struct io_event *event;
	struct io_poll *poll, *next;
	eventfd_t value;

	if (fd++->revents)
		(void)eventfd_read(pool->wake_fd, &value);
	TAILQ_FOREACH(event, &pool->engine.events, link)
	{
		if (fd++->revents == 0)
			continue;
		/* Does not block: it is readable and we are its only reader. */
		(void)eventfd_read(event->fd, &value);
		io_engine_event_fired(&pool->engine, event);
	}
	for (poll = TAILQ_FIRST(&pool->engine.polls); poll; poll = next) {
		short revents = fd++->revents;

		next = TAILQ_NEXT(poll, link);
		if (revents)
			io_engine_poll_fired(&pool->engine, poll, revents);
	}
}

static void pool_wait(struct io_engine *engine, uint64_t timeout_ns)
{
	struct pool *pool = to_pool(engine);
	struct timespec timeout;
	nfds_t count;

	pool_flush(engine);
	/* Without a look at the wake_fd: that costs a spurious wake-up at times, and saves a system
	 * call in all busy rounds. */
	take_finished(pool);
	if (io_engine_has_ready(engine))
		timeout_ns = 0;
	timeout.tv_sec = (time_t)(timeout_ns / NANOSECONDS_PER_SECOND);
	timeout.tv_nsec = (long)(timeout_ns % NANOSECONDS_PER_SECOND);
	count = list_descriptors(pool);
	if (ppoll(pool->fds, count, timeout_ns == UINT64_MAX ? NULL : &timeout, NULL) <= 0)
		return; /* time is over, or a signal (to be had by a debugger only) */
	take_descriptors(pool);
	take_finished(pool);
}

/* Events and polls are found by their lists. */
static void event_nothing(struct io_engine *engine, struct io_event *event)
{
	(void)engine;
	(void)event;
}

static void poll_nothing(struct io_engine *engine, struct io_poll *poll)
{
	(void)engine;
	(void)poll;
}

static int pool_reserve(struct io_engine *engine, unsigned int operations, struct err *err)
{
	(void)engine;
	(void)operations;
	(void)err;
	return 0; /* lists have no size */
}

/* --- Start and end. --- */

static void pool_close(struct io_engine *engine)
{
	struct pool *pool = to_pool(engine);

	(void)pthread_mutex_lock(&pool->lock);
	pool->stopping = true;
	(void)pthread_cond_broadcast(&pool->work);
	(void)pthread_mutex_unlock(&pool->lock);
	for (unsigned int i = 0; i < pool->thread_count; i++)
		(void)pthread_join(pool->threads[i], NULL);
	(void)pthread_cond_destroy(&pool->work);
	(void)pthread_mutex_destroy(&pool->lock);
	fd_close(&pool->wake_fd);
	free(pool->fds);
	free(pool);
}

/* Fewer threads than wanted will do, none will not. Workers inherit the blocked signals. */
static int start_workers(struct pool *pool, struct err *err)
{
	while (pool->thread_count < POOL_THREADS) {
		int r = pthread_create(&pool->threads[pool->thread_count], NULL, worker_main, pool);

		if (r != 0 && pool->thread_count == 0)
			return err_set_errno(err, r, "cannot start a thread");
		if (r != 0)
			break;
		pool->thread_count++;
	}
	return 0;
}

static int pool_open(struct io_engine **ret_engine, struct err *err)
{
	struct pool *pool = calloc(1, sizeof(*pool));
	int r;

	if (!pool)
		return err_set_errno(err, ENOMEM, "cannot set up");
	io_engine_init(&pool->engine, &io_engine_pool);
	STAILQ_INIT(&pool->collected);
	STAILQ_INIT(&pool->waiting);
	STAILQ_INIT(&pool->finished);
	(void)pthread_mutex_init(&pool->lock, NULL);
	(void)pthread_cond_init(&pool->work, NULL);
	pool->fds = calloc(2 + IO_WATCHES_MAX, sizeof(*pool->fds));
	pool->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!pool->fds || pool->wake_fd < 0)
		r = err_set_errno(err, pool->fds ? errno : ENOMEM, "cannot set up");
	else
		r = start_workers(pool, err);
	if (r < 0) {
		pool_close(&pool->engine);
		return r;
	}
	*ret_engine = &pool->engine;
	return 0;
}

const struct io_engine_ops io_engine_pool = {
	.open = pool_open,
	.close = pool_close,
	.reserve = pool_reserve,
	.submit = pool_submit,
	.event_attach = event_nothing,
	.event_detach = event_nothing,
	.poll_start = poll_nothing,
	.poll_cancel = poll_nothing,
	.flush = pool_flush,
	.peek = pool_peek,
	.wait = pool_wait,
};
