/*
 * The engine of io_uring: one ring per I/O thread, used by that thread only. io_uring(7).
 *
 * What a round of callbacks asks for is collected in lists and becomes submissions in one place,
 * `prepare`, so that one io_uring_enter submits a round's work and waits for the next. Eventfds are
 * multishot polls: a notification costs one completion, no submission and no read.
 *
 * Detaching is synchronous: the cancellation is submitted and completions are collected until the
 * last one of its target was seen, so no address in a completion can be stale and the kernel holds
 * no reference to the file any more. Other completions go to the ready lists meanwhile, where no
 * callback runs.
 *
 * The completion queue has room for all admitted operations, and for all that is watched; should
 * bursts of notifications fill it all the same, the kernel keeps the rest (IORING_FEAT_NODROP).
 */
#include "io_uring.h"

#include "clock.h"
#include "fd.h"
#include "io_engine.h"
#include "io_step.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>

struct uring {
	struct io_engine engine;
	struct io_uring ring;
	struct io_operations collected; /* to be submitted */
	bool arm_needed;                /* some event or poll is to be submitted */
	unsigned int cancels;           /* submitted and not completed */
	bool tried;                     /* the ring is known to work */
	int error;                      /* of io_uring_enter, while it is tried */
};

/* What a completion is about, in the low bits of its address. */
enum tag { TAG_OPERATION, TAG_EVENT, TAG_POLL, TAG_CANCEL, TAG_MASK = 3 };

_Static_assert(_Alignof(struct io_operation) > TAG_MASK && _Alignof(struct io_event) > TAG_MASK &&
		       _Alignof(struct io_poll) > TAG_MASK,
	"no room for tags");

static uint64_t tagged(const void *object, enum tag tag)
{
	return (uint64_t)(uintptr_t)object | tag;
}

static struct uring *to_uring(struct io_engine *engine)
{
	return container_of(engine, struct uring, engine);
}

/* --- Entering the kernel. --- */

static void check_enter(struct uring *uring, int r)
{
	bool is_expected = r >= 0 || r == -EINTR || r == -EAGAIN || r == -EBUSY || r == -ETIME ||
	                   r == -ENOMEM;

	/* All that was submitted is tried again when it was not taken. */
	if (!uring->tried && !is_expected)
		uring->error = r;
	assert(is_expected || !uring->tried);
}

/* The kernel has completions to make, as soon as it is entered. */
static bool has_task_work(const struct io_uring *ring)
{
	return IO_URING_READ_ONCE(*ring->sq.kflags) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW);
}

static bool uring_peek(struct io_engine *engine)
{
	const struct io_uring *ring = &to_uring(engine)->ring;

	return io_uring_cq_ready(ring) > 0 || has_task_work(ring);
}

static void enter(struct uring *uring, uint64_t timeout_ns)
{
	struct __kernel_timespec timeout = {
		.tv_sec = (long long)(timeout_ns / NANOSECONDS_PER_SECOND),
		.tv_nsec = (long long)(timeout_ns % NANOSECONDS_PER_SECOND),
	};
	struct io_uring_cqe *cqe;

	if (timeout_ns > 0)
		check_enter(uring, io_uring_submit_and_wait_timeout(&uring->ring, &cqe, 1,
					   timeout_ns == UINT64_MAX ? NULL : &timeout, NULL));
	else if (io_uring_sq_ready(&uring->ring) > 0 || has_task_work(&uring->ring))
		check_enter(uring, io_uring_submit_and_get_events(&uring->ring));
}

/* NULL: the kernel takes no more now. */
static struct io_uring_sqe *take_sqe(struct uring *uring)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);

	if (sqe)
		return sqe;
	check_enter(uring, io_uring_submit(&uring->ring));
	return io_uring_get_sqe(&uring->ring);
}

/* --- Submissions. --- */

static void prepare_operation(struct io_uring_sqe *sqe, struct io_operation *operation)
{
	struct io_chunk chunk = io_step_chunk(operation);

	switch (operation->opcode) {
	case IO_READV:
		io_uring_prep_readv2(sqe, operation->fd, chunk.iov, chunk.iov_count, chunk.offset,
			operation->flags);
		break;
	case IO_WRITEV:
		io_uring_prep_writev2(sqe, operation->fd, chunk.iov, chunk.iov_count, chunk.offset,
			operation->flags);
		break;
	case IO_FDATASYNC:
		io_uring_prep_fsync(sqe, operation->fd, IORING_FSYNC_DATASYNC);
		break;
	case IO_FALLOCATE:
		io_uring_prep_fallocate(sqe, operation->fd, operation->flags,
			(off_t)operation->offset, (off_t)operation->length);
		break;
	}
	if (operation->again)
		sqe->flags |= IOSQE_ASYNC;
	io_uring_sqe_set_data64(sqe, tagged(operation, TAG_OPERATION));
}

static void arm_all(struct uring *uring)
{
	struct io_uring_sqe *sqe;
	struct io_event *event;
	struct io_poll *poll;

	TAILQ_FOREACH(event, &uring->engine.events, link)
	{
		if (event->armed || event->failed)
			continue;
		sqe = take_sqe(uring);
		if (!sqe)
			return;
		io_uring_prep_poll_multishot(sqe, event->fd, POLLIN);
		io_uring_sqe_set_data64(sqe, tagged(event, TAG_EVENT));
		event->armed = true;
	}
	TAILQ_FOREACH(poll, &uring->engine.polls, link)
	{
		if (poll->armed)
			continue;
		sqe = take_sqe(uring);
		if (!sqe)
			return;
		io_uring_prep_poll_add(sqe, poll->fd, (unsigned short)poll->events);
		io_uring_sqe_set_data64(sqe, tagged(poll, TAG_POLL));
		poll->armed = true;
	}
	uring->arm_needed = false;
}

/* False: something is left, the kernel takes no more now. */
static bool prepare(struct uring *uring)
{
	struct io_operation *operation;

	if (uring->arm_needed)
		arm_all(uring);
	while ((operation = STAILQ_FIRST(&uring->collected))) {
		struct io_uring_sqe *sqe = take_sqe(uring);

		if (!sqe)
			return false;
		STAILQ_REMOVE_HEAD(&uring->collected, link);
		prepare_operation(sqe, operation);
	}
	return !uring->arm_needed;
}

/* --- Completions. --- */

static void operation_completed(struct uring *uring, struct io_operation *operation, int result)
{
	/* A disk that is too busy: once more by a thread of the kernel's, which waits. A stream
	 * says so only if it is O_NONBLOCK. */
	if (result == -EAGAIN && !operation->again && operation->offset != IO_OFFSET_STREAM) {
		operation->again = true;
		STAILQ_INSERT_TAIL(&uring->collected, operation, link);
		return;
	}
	if (io_step_advance(operation, result))
		io_engine_operation_finished(&uring->engine, operation);
	else
		STAILQ_INSERT_TAIL(&uring->collected, operation, link);
}

static bool is_passing(int result)
{
	return result == -ENOMEM || result == -EAGAIN || result == -EINTR || result == -ECANCELED;
}

static void event_completed(struct uring *uring, struct io_event *event, int result, bool more)
{
	if (!more) {
		event->armed = false;
		event->failed = result < 0 && !is_passing(result);
		uring->arm_needed = true;
	}
	if (result >= 0)
		io_engine_event_fired(&uring->engine, event);
}

static void poll_completed(struct uring *uring, struct io_poll *poll, int result)
{
	poll->armed = false;
	if (result >= 0)
		io_engine_poll_fired(&uring->engine, poll, (short)result);
	else if (is_passing(result))
		uring->arm_needed = true;
	else
		io_engine_poll_fired(&uring->engine, poll, result == -EBADF ? POLLNVAL : POLLERR);
}

static void completed(struct uring *uring, const struct io_uring_cqe *cqe)
{
	void *object = (void *)(uintptr_t)(cqe->user_data & ~(uint64_t)TAG_MASK);

	switch ((enum tag)(cqe->user_data & TAG_MASK)) {
	case TAG_OPERATION:
		operation_completed(uring, object, cqe->res);
		break;
	case TAG_EVENT:
		event_completed(uring, object, cqe->res, cqe->flags & IORING_CQE_F_MORE);
		break;
	case TAG_POLL:
		poll_completed(uring, object, cqe->res);
		break;
	case TAG_CANCEL:
		uring->cancels--;
		break;
	}
}

static void reap(struct uring *uring)
{
	struct io_uring_cqe *cqe;
	unsigned int head, count = 0;

	io_uring_for_each_cqe(&uring->ring, head, cqe)
	{
		completed(uring, cqe);
		count++;
	}
	io_uring_cq_advance(&uring->ring, count);
}

/* Until the last completion of the target has been seen and that of the cancellation, too. */
static void cancel(struct uring *uring, uint64_t target, const bool *armed)
{
	while (*armed || uring->cancels > 0) {
		struct io_uring_sqe *sqe = uring->cancels == 0 ? take_sqe(uring) : NULL;

		if (sqe) {
			io_uring_prep_cancel64(sqe, target, 0);
			io_uring_sqe_set_data64(sqe, tagged(NULL, TAG_CANCEL));
			uring->cancels++;
		}
		/* Bounded, in case that the cancellation came between two states of its target and
		 * has to be sent again. */
		enter(uring, NANOSECONDS_PER_SECOND / 1000);
		reap(uring);
	}
}

/* --- The engine. --- */

static void uring_submit(struct io_engine *engine, struct io_operation *operation)
{
	STAILQ_INSERT_TAIL(&to_uring(engine)->collected, operation, link);
}

static void uring_event_attach(struct io_engine *engine, struct io_event *event)
{
	event->armed = false;
	event->failed = false;
	to_uring(engine)->arm_needed = true;
}

static void uring_event_detach(struct io_engine *engine, struct io_event *event)
{
	cancel(to_uring(engine), tagged(event, TAG_EVENT), &event->armed);
}

static void uring_poll_start(struct io_engine *engine, struct io_poll *poll)
{
	poll->armed = false;
	to_uring(engine)->arm_needed = true;
}

static void uring_poll_cancel(struct io_engine *engine, struct io_poll *poll)
{
	cancel(to_uring(engine), tagged(poll, TAG_POLL), &poll->armed);
}

static void uring_flush(struct io_engine *engine)
{
	struct uring *uring = to_uring(engine);

	(void)prepare(uring); /* what is left is seen by uring_wait */
	if (io_uring_sq_ready(&uring->ring) > 0)
		check_enter(uring, io_uring_submit(&uring->ring));
}

static void uring_wait(struct io_engine *engine, uint64_t timeout_ns)
{
	struct uring *uring = to_uring(engine);

	if (!prepare(uring) || io_engine_has_ready(engine))
		timeout_ns = 0;
	enter(uring, timeout_ns);
	reap(uring);
}

/* The ring is replaced by a larger one. Polls take nothing from their descriptors, so leaving those
 * of the old ring behind loses nothing: the new ones see the state of the descriptors first. */
static int uring_reserve(struct io_engine *engine, unsigned int operations, struct err *err)
{
	struct uring *uring = to_uring(engine);
	unsigned int completions = uring_completions_for(operations);
	struct io_uring larger;
	struct io_event *event;
	struct io_poll *poll;
	int r;

	if (completions == 0)
		return err_set(err, ENOSPC, "%u operations in flight are too many", operations);
	if (completions <= uring->ring.cq.ring_entries)
		return 0;
	if (engine->in_flight > 0)
		return err_set(err, EBUSY, "the ring cannot grow while operations are in flight");
	r = uring_setup(&larger, completions, err);
	if (r < 0)
		return r;
	io_uring_queue_exit(&uring->ring);
	uring->ring = larger;
	uring->arm_needed = true;
	TAILQ_FOREACH(event, &engine->events, link)
	event->armed = false;
	TAILQ_FOREACH(poll, &engine->polls, link)
	poll->armed = false;
	return 0;
}

static void uring_close(struct io_engine *engine)
{
	struct uring *uring = to_uring(engine);

	io_uring_queue_exit(&uring->ring);
	free(uring);
}

/* --- Trying it out. --- */

static int try_transfer(struct uring *uring, enum io_opcode opcode, int fd, uint64_t *value)
{
	struct iovec iov = {value, sizeof(*value)};
	struct io_operation operation = {.opcode = opcode,
		.fd = fd,
		.offset = IO_OFFSET_STREAM,
		.iov = &iov,
		.iov_count = 1};

	(void)!io_step_begin(&operation); /* there are bytes to move */
	uring_submit(&uring->engine, &operation);
	while (STAILQ_EMPTY(&uring->engine.ready_operations)) {
		uring_wait(&uring->engine, NANOSECONDS_PER_SECOND);
		if (uring->error < 0)
			return uring->error;
	}
	STAILQ_REMOVE_HEAD(&uring->engine.ready_operations, link);
	if (operation.result < 0)
		return (int)operation.result;
	return operation.result == sizeof(*value) ? 0 : -EIO;
}

/* Of an eventfd that does not block: for others, and for files in memory, the kernel would start a
 * thread. */
static int try_transfers(struct uring *uring)
{
	cleanup_fd int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	uint64_t written = 0x68756c6c, read = 0;
	int r;

	if (fd < 0)
		return -errno;
	r = try_transfer(uring, IO_WRITEV, fd, &written);
	if (r == 0)
		r = try_transfer(uring, IO_READV, fd, &read);
	if (r == 0 && read != written)
		r = -EIO;
	return r;
}

/* A multishot poll must stay armed behind its first completion. */
static int try_event(struct uring *uring)
{
	cleanup_fd int fd = eventfd(1, EFD_CLOEXEC);
	struct io_engine *engine = &uring->engine;
	struct io_event event = {.fd = fd};
	bool works;

	if (fd < 0)
		return -errno;
	TAILQ_INSERT_TAIL(&engine->events, &event, link);
	uring_event_attach(engine, &event);
	while (!event.is_ready && !event.failed && uring->error == 0)
		uring_wait(engine, NANOSECONDS_PER_SECOND);
	works = event.is_ready && event.armed;
	if (uring->error == 0)
		uring_event_detach(engine, &event);
	TAILQ_REMOVE(&engine->events, &event, link);
	if (event.is_ready)
		TAILQ_REMOVE(&engine->ready_events, &event, ready_link);
	if (uring->error < 0)
		return uring->error;
	return works ? 0 : -ENOSYS;
}

static int try_ring(struct uring *uring, struct err *err)
{
	int r = try_transfers(uring);

	if (r < 0)
		return uring_refusal(err, r, "a read and a write by io_uring_enter");
	r = try_event(uring);
	if (r < 0)
		return uring_refusal(err, r, "a multishot poll by io_uring_enter");
	uring->tried = true;
	return 0;
}

static int uring_open(struct io_engine **ret_engine, struct err *err)
{
	struct uring *uring = calloc(1, sizeof(*uring));
	int r;

	if (!uring)
		return err_set_errno(err, ENOMEM, "io_uring");
	io_engine_init(&uring->engine, &io_engine_uring);
	STAILQ_INIT(&uring->collected);
	r = uring_setup(&uring->ring, uring_completions_for(0), err);
	if (r < 0) {
		free(uring);
		return r;
	}
	r = try_ring(uring, err);
	if (r < 0) {
		uring_close(&uring->engine);
		return r;
	}
	*ret_engine = &uring->engine;
	return 0;
}

const struct io_engine_ops io_engine_uring = {
	.open = uring_open,
	.close = uring_close,
	.reserve = uring_reserve,
	.submit = uring_submit,
	.event_attach = uring_event_attach,
	.event_detach = uring_event_detach,
	.poll_start = uring_poll_start,
	.poll_cancel = uring_poll_cancel,
	.flush = uring_flush,
	.peek = uring_peek,
	.wait = uring_wait,
};
