/*
 * See io_thread.h. The thread, the choice of its engine, rounds of callbacks.
 *
 * Nothing here depends on which engine runs, so both have the same order of callbacks and the same
 * rules of detaching.
 */
#include "io_thread.h"

#include "clock.h"
#include "io_thread_private.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define FOREVER UINT64_MAX

bool io_thread_is_current(const struct io_thread *thread)
{
	return pthread_equal(thread->self, pthread_self());
}

const char *io_thread_engine(const struct io_thread *thread)
{
	return thread->engine_line;
}

/* --- Rounds. --- */

static uint64_t time_to_wait(const struct io_thread *thread)
{
	return io_engine_has_ready(thread->engine) ? 0 : io_timers_wait_ns(thread);
}

static void dispatch_events(struct io_engine *engine)
{
	struct io_event *event;

	while ((event = TAILQ_FIRST(&engine->ready_events))) {
		TAILQ_REMOVE(&engine->ready_events, event, ready_link);
		event->is_ready = false;
		event->ready(event);
	}
}

static void dispatch_polls(struct io_engine *engine)
{
	struct io_poll *poll;

	while ((poll = TAILQ_FIRST(&engine->ready_polls))) {
		TAILQ_REMOVE(&engine->ready_polls, poll, link);
		poll->started = false;
		poll->is_ready = false;
		engine->watches--;
		poll->ready(poll, poll->revents);
	}
}

static void dispatch_operations(struct io_engine *engine)
{
	struct io_operations finished = STAILQ_HEAD_INITIALIZER(finished);
	struct io_operation *operation;

	/* What has nothing to do is ready as soon as it is submitted: that is for the next round.
	 */
	STAILQ_CONCAT(&finished, &engine->ready_operations);
	while ((operation = STAILQ_FIRST(&finished))) {
		STAILQ_REMOVE_HEAD(&finished, link);
		engine->in_flight--;
		operation->done(operation);
	}
}

/* Looks for work for a while before the thread goes to sleep; the time that remains to be waited.
 * The while is poll_ns as long as sleeps turn out to be shorter than that, and less and less when
 * they do not: an idle device costs nothing. */
static uint64_t poll_before_sleep(struct io_thread *thread, uint64_t timeout_ns)
{
	struct io_engine *engine = thread->engine;
	uint64_t start, spent = 0;

	if (thread->window_ns == 0 || timeout_ns == 0)
		return timeout_ns;
	engine->ops->flush(engine);
	start = clock_monotonic_ns();
	while (spent < thread->window_ns && spent < timeout_ns) {
		if (io_pollers_look(thread) || engine->ops->peek(engine))
			return 0;
		spent = clock_monotonic_ns() - start;
	}
	if (timeout_ns == FOREVER)
		return FOREVER;
	return timeout_ns > spent ? timeout_ns - spent : 0;
}

static void wait_for_work(struct io_thread *thread)
{
	struct io_engine *engine = thread->engine;
	uint64_t timeout_ns = poll_before_sleep(thread, time_to_wait(thread));
	uint64_t start;

	if (timeout_ns > 0 && io_pollers_rest(thread))
		timeout_ns = 0;
	if (thread->poll_ns == 0 || timeout_ns == 0) {
		engine->ops->wait(engine, timeout_ns);
		return;
	}
	start = clock_monotonic_ns();
	engine->ops->wait(engine, timeout_ns);
	if (clock_monotonic_ns() - start < thread->poll_ns)
		thread->window_ns = thread->poll_ns;
	else
		thread->window_ns /= 2;
}

static void calls_ready(struct io_event *event)
{
	io_calls_run(event->owner);
}

static void stop(void *context)
{
	struct io_thread *thread = context;

	assert(thread->engine->in_flight == 0);
	assert(thread->engine->watches == 1); /* our own */
	assert(TAILQ_EMPTY(&thread->timers));
	assert(TAILQ_EMPTY(&thread->pollers));
	thread->stopping = true;
}

/* --- The start and the end of the thread. --- */

static int open_engine(struct io_thread *thread, struct err *err)
{
	struct err reason = {0};
	int r;

	if (thread->choice != IO_ENGINE_THREADS) {
		r = io_engine_uring.open(&thread->engine, &reason);
		if (r == 0)
			return 0;
		if (thread->choice == IO_ENGINE_URING)
			return err_set(
				err, r, "the I/O engine io_uring does not work: %s", reason.text);
		(void)snprintf(thread->engine_line, sizeof(thread->engine_line), "threads: %.480s",
			reason.text);
	}
	r = io_engine_pool.open(&thread->engine, err);
	return r < 0 ? err_prefix(err, r, "the I/O engine of threads") : 0;
}

static int start_engine(struct io_thread *thread, struct err *err)
{
	const char *line = thread->choice == IO_ENGINE_THREADS ? "threads: as asked" : "io_uring";
	int r;

	(void)snprintf(thread->engine_line, sizeof(thread->engine_line), "%s", line);
	r = open_engine(thread, err);
	if (r < 0)
		return r;
	thread->calls_event = (struct io_event){
		.fd = thread->calls.event_fd, .ready = calls_ready, .owner = &thread->calls};
	r = io_event_attach(thread, &thread->calls_event);
	if (r < 0)
		thread->engine->ops->close(thread->engine);
	return r;
}

static void *io_thread_main(void *argument)
{
	struct io_thread *thread = argument;
	int r;

	thread->self = pthread_self();
	(void)pthread_setname_np(thread->self, thread->name);
	r = start_engine(thread, thread->start_err);
	(void)pthread_mutex_lock(&thread->start_lock);
	thread->started = true;
	thread->start_result = r;
	(void)pthread_cond_signal(&thread->start_known);
	(void)pthread_mutex_unlock(&thread->start_lock);
	if (r < 0)
		return NULL;
	while (!thread->stopping) {
		wait_for_work(thread);
		dispatch_events(thread->engine);
		io_pollers_run(thread);
		dispatch_polls(thread->engine);
		dispatch_operations(thread->engine);
		io_timers_run(thread);
	}
	io_event_detach(thread, &thread->calls_event);
	thread->engine->ops->close(thread->engine);
	return NULL;
}

static bool has_several_cpus(void)
{
	cpu_set_t set;

	/* It fails on a machine with more than 1024 processors. */
	return sched_getaffinity(0, sizeof(set), &set) < 0 || CPU_COUNT(&set) > 1;
}

static int start_thread(struct io_thread *thread, struct err *err)
{
	sigset_t all, before;
	int r;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&thread->thread, NULL, io_thread_main, thread);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r != 0)
		return err_set_errno(err, r, "cannot start the thread '%s'", thread->name);
	(void)pthread_mutex_lock(&thread->start_lock);
	while (!thread->started)
		(void)pthread_cond_wait(&thread->start_known, &thread->start_lock);
	r = thread->start_result;
	(void)pthread_mutex_unlock(&thread->start_lock);
	if (r < 0)
		(void)pthread_join(thread->thread, NULL);
	return r;
}

static void release(struct io_thread *thread)
{
	io_calls_fini(&thread->calls);
	(void)pthread_cond_destroy(&thread->start_known);
	(void)pthread_mutex_destroy(&thread->start_lock);
	free(thread);
}

int io_thread_create(
	const struct io_thread_options *options, struct io_thread **ret_thread, struct err *err)
{
	struct io_thread *thread = calloc(1, sizeof(*thread));
	int r;

	if (!thread)
		return err_set_errno(err, ENOMEM, "I/O thread '%s'", options->name);
	thread->choice = options->engine;
	thread->poll_ns = has_several_cpus() ? options->poll_ns : 0;
	thread->start_err = err;
	(void)snprintf(thread->name, sizeof(thread->name), "%s", options->name);
	TAILQ_INIT(&thread->timers);
	TAILQ_INIT(&thread->pollers);
	(void)pthread_mutex_init(&thread->start_lock, NULL);
	(void)pthread_cond_init(&thread->start_known, NULL);
	r = io_calls_init(&thread->calls, err);
	if (r == 0)
		r = start_thread(thread, err);
	if (r < 0) {
		release(thread);
		return err_prefix(err, r, "I/O thread '%s'", options->name);
	}
	*ret_thread = thread;
	return 0;
}

void io_thread_destroy(struct io_thread *thread)
{
	if (!thread)
		return;
	io_thread_call(thread, stop, thread);
	(void)pthread_join(thread->thread, NULL);
	release(thread);
}

void io_thread_call(struct io_thread *thread, void (*function)(void *context), void *context)
{
	if (io_thread_is_current(thread))
		function(context);
	else
		io_calls_call(&thread->calls, function, context);
}

int io_thread_post(struct io_thread *thread, void (*function)(void *context), void *context)
{
	return io_calls_post(&thread->calls, function, context);
}

struct admission {
	struct io_thread *thread;
	unsigned int operations;
	struct err *err;
	int result;
};

static void admit(void *context)
{
	struct admission *admission = context;
	struct io_thread *thread = admission->thread;
	unsigned int total;

	if (__builtin_add_overflow(thread->admitted, admission->operations, &total)) {
		admission->result = err_set(admission->err, ENOSPC, "too many operations");
		return;
	}
	admission->result = thread->engine->ops->reserve(thread->engine, total, admission->err);
	if (admission->result == 0)
		thread->admitted = total;
}

int io_thread_admit(struct io_thread *thread, unsigned int operations, struct err *err)
{
	struct admission admission = {thread, operations, err, 0};

	io_thread_call(thread, admit, &admission);
	return admission.result < 0
	               ? err_prefix(err, admission.result, "I/O thread '%s'", thread->name)
	               : 0;
}
