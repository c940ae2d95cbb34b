/* See io_calls.h. */
#include "io_calls.h"

#include "fd.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

int io_calls_init(struct io_calls *calls, struct err *err)
{
	*calls = (struct io_calls){
		.event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.finished = PTHREAD_COND_INITIALIZER,
	};
	if (calls->event_fd < 0)
		return err_set_errno(err, errno, "cannot create an eventfd");
	STAILQ_INIT(&calls->waiting);
	STAILQ_INIT(&calls->unused);
	for (unsigned int i = 0; i < IO_CALLS_POSTED_MAX; i++)
		STAILQ_INSERT_TAIL(&calls->unused, &calls->store[i], link);
	return 0;
}

void io_calls_fini(struct io_calls *calls)
{
	fd_close(&calls->event_fd);
	(void)pthread_cond_destroy(&calls->finished);
	(void)pthread_mutex_destroy(&calls->lock);
}

/* Under the lock. */
static void append(struct io_calls *calls, struct io_call *call)
{
	bool was_empty = STAILQ_EMPTY(&calls->waiting);

	STAILQ_INSERT_TAIL(&calls->waiting, call, link);
	if (was_empty)
		(void)eventfd_write(calls->event_fd, 1); /* full: it is readable, all is well */
}

void io_calls_call(struct io_calls *calls, void (*function)(void *context), void *context)
{
	struct io_call call = {.function = function, .context = context, .waited_for = true};

	(void)pthread_mutex_lock(&calls->lock);
	append(calls, &call);
	while (!call.finished)
		(void)pthread_cond_wait(&calls->finished, &calls->lock);
	(void)pthread_mutex_unlock(&calls->lock);
}

int io_calls_post(struct io_calls *calls, void (*function)(void *context), void *context)
{
	struct io_call *call;

	(void)pthread_mutex_lock(&calls->lock);
	call = STAILQ_FIRST(&calls->unused);
	if (call) {
		STAILQ_REMOVE_HEAD(&calls->unused, link);
		call->function = function;
		call->context = context;
		append(calls, call);
	}
	(void)pthread_mutex_unlock(&calls->lock);
	return call ? 0 : -EAGAIN;
}

void io_calls_run(struct io_calls *calls)
{
	struct io_call_list list = STAILQ_HEAD_INITIALIZER(list);
	struct io_call *call;

	(void)pthread_mutex_lock(&calls->lock);
	STAILQ_CONCAT(&list, &calls->waiting);
	while ((call = STAILQ_FIRST(&list))) {
		void (*function)(void *context) = call->function;
		void *context = call->context;

		STAILQ_REMOVE_HEAD(&list, link);
		if (!call->waited_for)
			STAILQ_INSERT_TAIL(&calls->unused, call, link);
		(void)pthread_mutex_unlock(&calls->lock);
		function(context);
		(void)pthread_mutex_lock(&calls->lock);
		if (call->waited_for) {
			call->finished = true; /* the node is gone once the lock is free */
			(void)pthread_cond_broadcast(&calls->finished);
		}
	}
	(void)pthread_mutex_unlock(&calls->lock);
}
