/*
 * See console_output.h.
 *
 * ORDERING: head, tail, state, congested and flushing are accessed with sequential consistency.
 * Each pair below is Dekker's pattern, "publish mine, then look at yours": the producer's head
 * against the thread's state (no lost wake-up), the thread's tail against congested (no lost
 * drained) and against flushing.
 */
#include "console_output.h"

#include "clock.h"
#include "fd.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define RING_BYTES  (UINT64_C(1) << 20)
#define CHUNK_BYTES (UINT64_C(64) << 10) /* memory is given back in these */

/* One chunk stays free: the producer then never writes into the chunk that the tail is in, which
 * makes giving it back safe. */
#define CAPACITY_BYTES (RING_BYTES - CHUNK_BYTES)

#define CONGESTED_BYTES   (UINT64_C(256) << 10)
#define DRAINED_BYTES     (UINT64_C(64) << 10)
#define DETACHED_BYTES    (UINT64_C(128) << 10) /* without a reader: trimmed from here ... */
#define SCROLLBACK_BYTES  (UINT64_C(64) << 10)  /* ... to what the next reader will see */
#define WRITE_BYTES       (UINT64_C(4) << 10) /* PIPE_BUF: a write that poll promised does not block */
#define NAP_NS            200000
#define STOP_RETRY_NS     (10 * NANOSECONDS_PER_SECOND / 1000)
#define THREAD_STACK_SIZE (128 << 10)

static void wake(struct console_output *output)
{
	static const uint64_t one = 1;

	/* Fails only when the counter is full, and then it wakes as well. */
	if (write(output->wake_fd, &one, sizeof(one)) < 0)
		return;
}

static uint64_t backlog_bytes(const struct console_output *output)
{
	/* The tail first: it never passes the head, so the difference cannot wrap. */
	uint64_t tail = atomic_load(&output->tail);

	return atomic_load(&output->head) - tail;
}

size_t console_output_write(struct console_output *output, const void *bytes, size_t length)
{
	uint64_t head = atomic_load_explicit(&output->head, memory_order_relaxed);
	uint64_t backlog = head - atomic_load(&output->tail);
	uint64_t room = CAPACITY_BYTES - backlog;
	size_t count = length < room ? length : (size_t)room;
	size_t at = (size_t)(head % RING_BYTES);
	size_t first = count < RING_BYTES - at ? count : (size_t)(RING_BYTES - at);
	enum output_state state = atomic_load(&output->state);
	bool must_wake = false;

	if (state == OUTPUT_GONE)
		return length;
	memcpy(output->ring + at, bytes, first);
	memcpy(output->ring, (const uint8_t *)bytes + first, count - first);
	atomic_store(&output->head, head + count);
	if (count < length)
		atomic_fetch_add_explicit(
			&output->dropped_bytes, length - count, memory_order_relaxed);
	state = atomic_load(&output->state);
	switch (state) {
	case OUTPUT_ASLEEP:
		must_wake = count > 0;
		break;
	case OUTPUT_DETACHED:
		must_wake = backlog + count > DETACHED_BYTES;
		break;
	case OUTPUT_BUSY:
	case OUTPUT_GONE:
		break;
	}
	/* Once per sleep; the thread may have moved on meanwhile. */
	if (must_wake && atomic_compare_exchange_strong(&output->state, &state, OUTPUT_BUSY))
		wake(output);
	return count;
}

bool console_output_is_congested(struct console_output *output)
{
	if (atomic_load(&output->state) == OUTPUT_GONE || backlog_bytes(output) <= CONGESTED_BYTES)
		return false;
	atomic_store(&output->congested, true);
	/* The thread may have drained it before it could see the flag. Whoever takes the flag back
	 * decides: either nobody has to be told, or drained is on its way. */
	if (backlog_bytes(output) > DRAINED_BYTES)
		return true;
	return !atomic_exchange(&output->congested, false);
}

void console_output_offer(struct console_output *output, int fd)
{
	int before = atomic_exchange(&output->offered_fd, fd);

	if (output->reader == OUTPUT_READER_SOCKET)
		fd_close(&before); /* a reader that came and went unnoticed */
	wake(output);
}

static void tell_flusher(struct console_output *output)
{
	if (!atomic_load(&output->flushing))
		return;
	(void)pthread_mutex_lock(&output->lock);
	(void)pthread_cond_broadcast(&output->changed);
	(void)pthread_mutex_unlock(&output->lock);
}

/* Gives memory back behind the reader and tells who waits for room. */
static void advance_tail(struct console_output *output, uint64_t count)
{
	uint64_t tail = atomic_load_explicit(&output->tail, memory_order_relaxed);
	uint64_t end = tail + count;

	for (uint64_t chunk = tail / CHUNK_BYTES; chunk < end / CHUNK_BYTES; chunk++)
		(void)madvise(output->ring + chunk * CHUNK_BYTES % RING_BYTES, CHUNK_BYTES,
			MADV_DONTNEED);
	atomic_store(&output->tail, end);
	tell_flusher(output);
	if (atomic_load(&output->congested) && backlog_bytes(output) <= DRAINED_BYTES &&
		atomic_exchange(&output->congested, false) && output->events->drained)
		output->events->drained(output->events->device);
}

static void report(struct console_output *output, int code)
{
	if (!output->failing && output->events->failed)
		output->events->failed(output->events->owner, code);
	output->failing = true;
}

static void drop(struct console_output *output, uint64_t count)
{
	atomic_fetch_add_explicit(&output->dropped_bytes, count, memory_order_relaxed);
	advance_tail(output, count);
}

/* The reader is gone: for now, or for good. */
static void lose_reader(struct console_output *output, int code)
{
	if (output->reader != OUTPUT_READER_PTY)
		fd_close(&output->fd);
	output->fd = -1;
	if (output->reader != OUTPUT_READER_LASTING)
		return;
	atomic_store(&output->state, OUTPUT_GONE);
	if (code != -EPIPE)
		report(output, code);
	advance_tail(output, backlog_bytes(output));
	if (output->events->reader_gone)
		output->events->reader_gone(output->events->owner);
}

static bool has_message(const struct console_output *output)
{
	return atomic_load(&output->stopping) || atomic_load(&output->offered_fd) >= 0;
}

/* Takes wake-ups back; what they were for is looked at afterwards. */
static void take_wakes(struct console_output *output)
{
	uint64_t count;

	if (output->woken && read(output->wake_fd, &count, sizeof(count)) > 0)
		output->woken = false;
}

static void wait_for_room(struct console_output *output)
{
	struct pollfd fds[] = {
		{.fd = output->fd, .events = POLLOUT},
		{.fd = output->wake_fd, .events = POLLIN},
	};

	take_wakes(output);
	if (!has_message(output) && poll(fds, array_size(fds), -1) > 0)
		output->woken = fds[1].revents != 0;
}

/* After a write, before looking again: what follows within a moment, bytes of the same line most
 * likely, is then written in one piece and costs the guest no wake-up. */
static void nap(struct console_output *output)
{
	static const struct timespec moment = {.tv_nsec = NAP_NS};
	struct pollfd fds = {.fd = output->wake_fd, .events = POLLIN};

	take_wakes(output);
	if (backlog_bytes(output) < WRITE_BYTES && !has_message(output) &&
		!atomic_load(&output->flushing))
		output->woken = ppoll(&fds, 1, &moment, NULL) > 0;
}

/* A pty without anyone at its other side takes bytes until its buffer is full. */
static bool is_hung_up(const struct console_output *output)
{
	struct pollfd fds = {.fd = output->fd};

	return output->reader == OUTPUT_READER_PTY && poll(&fds, 1, 0) > 0 &&
	       (fds.revents & POLLHUP);
}

static void write_some(struct console_output *output)
{
	uint64_t tail = atomic_load_explicit(&output->tail, memory_order_relaxed);
	uint64_t at = tail % RING_BYTES;
	uint64_t length = backlog_bytes(output);
	ssize_t count;

	if (length > WRITE_BYTES)
		length = WRITE_BYTES;
	if (length > RING_BYTES - at)
		length = RING_BYTES - at;
	if (is_hung_up(output)) {
		lose_reader(output, -EIO);
		return;
	}
	if (output->is_socket)
		count = send(output->fd, output->ring + at, length, MSG_DONTWAIT | MSG_NOSIGNAL);
	else
		count = write(output->fd, output->ring + at, length);
	if (count >= 0) {
		output->failing = false;
		advance_tail(output, (uint64_t)count);
		nap(output);
		return;
	}
	switch (errno) {
	case EINTR:
		break;
	case EAGAIN:
		wait_for_room(output);
		break;
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		report(output, -errno);
		drop(output, length);
		break;
	default:
		lose_reader(output, -errno);
		break;
	}
}

static bool has_work(const struct console_output *output, enum output_state state)
{
	if (has_message(output))
		return true;
	if (state == OUTPUT_GONE)
		return false;
	return backlog_bytes(output) > (state == OUTPUT_DETACHED ? DETACHED_BYTES : 0);
}

/* Sleeps until there is something to do. */
static void wait_for_work(struct console_output *output)
{
	struct pollfd fds = {.fd = output->wake_fd, .events = POLLIN};
	enum output_state state = atomic_load(&output->state);
	take_wakes(output);
	if (state != OUTPUT_GONE) {
		state = output->fd < 0 ? OUTPUT_DETACHED : OUTPUT_ASLEEP;
		atomic_store(&output->state, state);
	}
	tell_flusher(output);
	if (!has_work(output, state))
		output->woken = poll(&fds, 1, -1) > 0;
	if (state != OUTPUT_GONE)
		atomic_store(&output->state, OUTPUT_BUSY);
}

static void take_offer(struct console_output *output)
{
	int fd = atomic_exchange(&output->offered_fd, -1);

	if (fd < 0)
		return;
	if (output->reader == OUTPUT_READER_SOCKET)
		fd_close(&output->fd);
	output->fd = fd;
	output->is_socket = output->reader == OUTPUT_READER_SOCKET;
}

static void *output_main(void *argument)
{
	struct console_output *output = argument;

	while (!atomic_load(&output->stopping)) {
		uint64_t backlog = backlog_bytes(output);

		take_offer(output);
		if (output->fd >= 0 && backlog)
			write_some(output);
		else if (output->fd < 0 && backlog > DETACHED_BYTES)
			advance_tail(output, backlog - SCROLLBACK_BYTES);
		else
			wait_for_work(output);
	}
	(void)pthread_mutex_lock(&output->lock);
	output->exited = true;
	(void)pthread_cond_broadcast(&output->changed);
	(void)pthread_mutex_unlock(&output->lock);
	return NULL;
}

int console_output_init(
	struct console_output *output, enum output_reader reader, int fd, struct err *err)
{
	struct stat status;
	void *ring;

	output->initialised = true;
	output->reader = reader;
	output->fd = fd;
	output->is_socket = fd >= 0 && fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
	atomic_init(&output->offered_fd, -1);
	atomic_init(&output->state,
		fd < 0 && reader == OUTPUT_READER_LASTING ? OUTPUT_GONE : OUTPUT_BUSY);
	(void)pthread_mutex_init(&output->lock, NULL);
	(void)pthread_cond_init(&output->changed, NULL);
	output->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (output->wake_fd < 0)
		return err_set_errno(err, errno, "console: no eventfd");
	ring = mmap(NULL, RING_BYTES, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (ring == MAP_FAILED)
		return err_set_errno(err, errno, "console: no memory for the output ring");
	(void)madvise(ring, RING_BYTES, MADV_NOHUGEPAGE); /* a huge page would be all of it */
	output->ring = ring;
	return 0;
}

static void interrupt_write(int signal_number)
{
	(void)signal_number; /* that write() returned is all that is wanted */
}

/* Signals for the process are other threads' business; those that report a fault of this thread
 * must not be blocked, or the fatal handler would not run. SIGPIPE and SIGXFSZ are errnos here. */
static void output_thread_mask(sigset_t *ret_mask)
{
	static const int open[] = {
		SIGURG, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};

	(void)sigfillset(ret_mask);
	for (size_t i = 0; i < array_size(open); i++)
		(void)sigdelset(ret_mask, open[i]);
}

int console_output_start(
	struct console_output *output, const struct console_events *events, struct err *err)
{
	struct sigaction action = {.sa_handler = interrupt_write}; /* no SA_RESTART */
	sigset_t mask, before;
	pthread_attr_t attributes;
	int r;

	output->events = events;
	if (atomic_load(&output->state) == OUTPUT_GONE)
		return 0;
	if (sigaction(SIGURG, &action, NULL) != 0)
		return err_set_errno(err, errno, "console: cannot handle SIGURG");
	r = pthread_attr_init(&attributes);
	if (r)
		return err_set_errno(err, r, "console: cannot start the output thread");
	(void)pthread_attr_setstacksize(&attributes, THREAD_STACK_SIZE);
	output_thread_mask(&mask);
	(void)pthread_sigmask(SIG_SETMASK, &mask, &before);
	r = pthread_create(&output->thread, &attributes, output_main, output);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	(void)pthread_attr_destroy(&attributes);
	if (r)
		return err_set_errno(err, r, "console: cannot start the output thread");
	(void)pthread_setname_np(output->thread, "console");
	output->has_thread = true;
	return 0;
}

/* Waits for a change until the deadline; the lock is held. */
static bool wait_for_change(struct console_output *output, uint64_t deadline_ns)
{
	struct timespec deadline = {
		.tv_sec = (time_t)(deadline_ns / NANOSECONDS_PER_SECOND),
		.tv_nsec = (long)(deadline_ns % NANOSECONDS_PER_SECOND),
	};

	return pthread_cond_clockwait(
		       &output->changed, &output->lock, CLOCK_MONOTONIC, &deadline) != ETIMEDOUT;
}

static bool is_flushed(const struct console_output *output)
{
	enum output_state state = atomic_load(&output->state);

	return state == OUTPUT_GONE || state == OUTPUT_DETACHED || !backlog_bytes(output);
}

int console_output_flush(struct console_output *output, uint64_t timeout_ns)
{
	uint64_t tail = atomic_load(&output->tail);
	uint64_t deadline_ns = clock_monotonic_ns() + timeout_ns;
	int r = 0;

	if (!output->has_thread)
		return 0;
	atomic_store(&output->flushing, true);
	wake(output);
	(void)pthread_mutex_lock(&output->lock);
	while (r == 0 && !is_flushed(output)) {
		uint64_t now_at = atomic_load(&output->tail);

		if (now_at != tail) {
			tail = now_at;
			deadline_ns = clock_monotonic_ns() + timeout_ns;
		} else if (!wait_for_change(output, deadline_ns) &&
			   atomic_load(&output->tail) == tail && !is_flushed(output)) {
			r = -ETIMEDOUT;
		}
	}
	(void)pthread_mutex_unlock(&output->lock);
	atomic_store(&output->flushing, false);
	return r;
}

static void stop_thread(struct console_output *output)
{
	atomic_store(&output->stopping, true);
	wake(output);
	(void)pthread_mutex_lock(&output->lock);
	while (!output->exited) {
		/* A write to a descriptor that we could not make our own may be blocked. A signal
		 * just before it begins is lost, hence again. */
		if (!wait_for_change(output, clock_monotonic_ns() + STOP_RETRY_NS))
			(void)pthread_kill(output->thread, SIGURG);
	}
	(void)pthread_mutex_unlock(&output->lock);
	(void)pthread_join(output->thread, NULL);
	output->has_thread = false;
}

void console_output_fini(struct console_output *output)
{
	int offered;

	if (!output->initialised)
		return;
	if (output->has_thread)
		stop_thread(output);
	offered = atomic_exchange(&output->offered_fd, -1);
	if (output->reader == OUTPUT_READER_SOCKET)
		fd_close(&offered);
	if (output->reader != OUTPUT_READER_PTY)
		fd_close(&output->fd);
	fd_close(&output->wake_fd);
	if (output->ring)
		(void)munmap(output->ring, RING_BYTES);
	output->initialised = false;
	(void)pthread_cond_destroy(&output->changed);
	(void)pthread_mutex_destroy(&output->lock);
}
