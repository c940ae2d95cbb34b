/*
 * An I/O thread: one thread around one engine (io_uring, or a small pool of threads with plain
 * system calls where io_uring is forbidden). It owns the run half of queues, their requests and the
 * descriptors of their backends.
 *
 * There is no epoll and no lock on the data path. An operation is embedded in its request; its
 * storage belongs to the engine from io_submit until its done callback runs, on the I/O thread,
 * never inside io_submit. What one round of callbacks submits goes to the kernel together. Short
 * transfers are continued inside; done sees the whole result once.
 *
 * Admission: whoever attaches says how many operations it may have in flight at most; the engine is
 * sized for the sum, so io_submit cannot fail for lack of room. More than admitted is a bug of the
 * caller's and ends in an assertion.
 *
 * Fields marked "engine's" are private and start as zero.
 */
#pragma once

#include "compiler.h"
#include "err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/uio.h>

struct io_thread;

enum io_engine_choice { IO_ENGINE_AUTO, IO_ENGINE_URING, IO_ENGINE_THREADS };

struct io_thread_options {
	const char *name; /* of the thread, at most 15 characters */
	enum io_engine_choice engine;
	uint64_t poll_ns; /* busy polling before sleeping, at most; 0, or one CPU only: none */
};

/* Probes with real submissions and, when the choice is AUTO, falls back to threads; URING fails
 * with a sentence instead. The thread starts at once. Main thread. */
must_check int io_thread_create(
	const struct io_thread_options *options, struct io_thread **ret_thread, struct err *err);

/* Everything must have been detached, cancelled, done. What was posted before still runs. Main
 * thread; returns when the thread has ended. NULL is accepted. */
void io_thread_destroy(struct io_thread *thread);

/* Which engine runs and, for a fallback, why: one line for people, owned by the thread. */
const char *io_thread_engine(const struct io_thread *thread);

/* Runs function(context) on the I/O thread and returns when it has run. Any other thread; never
 * with a lock held that function needs. Called on the I/O thread itself it simply calls. Calls and
 * posts of one thread run in their order. */
void io_thread_call(struct io_thread *thread, void (*function)(void *context), void *context);

/* Likewise, but does not wait; on the I/O thread too. -EAGAIN when more than a page of messages is
 * unread. */
must_check int io_thread_post(
	struct io_thread *thread, void (*function)(void *context), void *context);

/* Reserves room for operations in flight at the same time, in addition to what was reserved. Main
 * thread, before the first submit: -EBUSY when the engine would have to grow and has operations in
 * flight; -ENOSPC beyond what the kernel allows a ring (some 30000). */
must_check int io_thread_admit(struct io_thread *thread, unsigned int operations, struct err *err);

bool io_thread_is_current(const struct io_thread *thread);

/* --- On the I/O thread only from here on. --- */

enum io_opcode {
	IO_READV,
	IO_WRITEV,
	IO_FDATASYNC,
	IO_FALLOCATE, /* mode in flags, offset and length: discard, write zeroes */
};

/* The offset of descriptors without positions: pipes, sockets, terminals. Poll first: operations
 * cannot be cancelled, on the thread engine one that waits occupies one of a few threads, and with
 * O_NONBLOCK it depends on the kernel whether it waits or ends with -EAGAIN. */
#define IO_OFFSET_STREAM UINT64_MAX

struct io_operation {
	/* By the caller, unchanged until done: */
	enum io_opcode opcode;
	int fd;
	uint64_t offset;
	uint64_t length;   /* of IO_FALLOCATE */
	int flags;         /* FALLOC_FL_..., RWF_... */
	struct iovec *iov; /* entries are consumed: advanced over short transfers */
	unsigned int iov_count;
	void (*done)(struct io_operation *operation);

	/* Bytes moved in all, 0 for the others, or -errno. A read ends short at end of file only; a
	 * write is whole or an error. An error wins: how much was moved before it is not told (some
	 * of it may have been). -EAGAIN comes from O_NONBLOCK streams only, -EINTR never. */
	int64_t result;

	STAILQ_ENTRY(io_operation) link; /* engine's */
	unsigned int iov_moved;          /* engine's: entries that are done with */
	bool again;                      /* engine's: one more try, where it may block */
};

void io_submit(struct io_thread *thread, struct io_operation *operation);

/* Calls ready after the eventfd was written to: once or more per write, several writes may share
 * one call, and one may come at first for writes from before. Whether the counter is read is the
 * engine's affair: nobody else may, and its value means nothing. What the writer wants seen it must
 * publish itself (an atomic, a lock). Storage stays until detached; detaching takes effect at once:
 * ready is not called again, storage and descriptor are the caller's. Any callback may detach any
 * event, its own too. Detaching what is not attached does nothing. */
struct io_event {
	int fd;
	void (*ready)(struct io_event *event);
	void *owner;

	TAILQ_ENTRY(io_event) link;       /* engine's */
	TAILQ_ENTRY(io_event) ready_link; /* engine's */
	bool attached, is_ready;          /* engine's */
	bool armed, failed;               /* engine's */
};

/* -EBADF; -ENOSPC beyond IO_WATCHES_MAX; -EBUSY when attached already. */
must_check int io_event_attach(struct io_thread *thread, struct io_event *event);
void io_event_detach(struct io_thread *thread, struct io_event *event);

/* Polls a descriptor once for POLLIN/POLLOUT; POLLERR, POLLHUP and POLLNVAL come as with poll(2).
 * It may be started again from ready on. Cancelling takes effect at once, as above, and does
 * nothing to one that is not started. */
struct io_poll {
	int fd;
	short events;
	void (*ready)(struct io_poll *poll, short revents);
	void *owner;

	TAILQ_ENTRY(io_poll) link;     /* engine's */
	bool started, is_ready, armed; /* engine's */
	short revents;                 /* engine's */
};

void io_poll_start(struct io_thread *thread, struct io_poll *poll);
void io_poll_cancel(struct io_thread *thread, struct io_poll *poll); /* ready is not called again */

/* Events attached and polls started at the same time. */
#define IO_WATCHES_MAX 1024

/* What announces itself in memory, such as a ring that the guest fills. While it is awake the
 * thread looks at it once a round, and all the time while it polls before a sleep, so its other
 * side need not notify anybody. Before the thread sleeps `rest` asks the other side to notify
 * again: false, and the poller is not awake any more, or true when something has come in the
 * meantime. */
struct io_poller {
	bool (*look)(struct io_poller *poller); /* cheap; changes nothing */
	void (*ready)(struct io_poller *poller);
	bool (*rest)(struct io_poller *poller);
	void *owner;

	TAILQ_ENTRY(io_poller) link; /* engine's */
	bool awake;                  /* engine's */
};

/* False, and nothing happens: the thread does not poll these days, so ask for notifications. */
must_check bool io_poller_wake(struct io_thread *thread, struct io_poller *poller);
void io_poller_stop(struct io_thread *thread, struct io_poller *poller);

/* Expires once, not before its deadline; in the order of deadlines. Arming one that is armed moves
 * it; a deadline of 0 cancels. Meant for some dozens per thread: arming searches a list. */
struct io_timer {
	void (*expired)(struct io_timer *timer);
	void *owner;
	uint64_t deadline_ns; /* CLOCK_MONOTONIC; 0: not armed. Read only */

	TAILQ_ENTRY(io_timer) link; /* engine's */
};

void io_timer_arm(struct io_thread *thread, struct io_timer *timer, uint64_t deadline_ns);
void io_timer_cancel(struct io_thread *thread, struct io_timer *timer);
