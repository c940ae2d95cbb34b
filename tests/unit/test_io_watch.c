/* What I/O threads watch: eventfds, descriptors, deadlines. */
#include "clock.h"
#include "io_thread_fixture.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define MILLISECOND UINT64_C(1000000)

/* --- Events. --- */

struct counted_event {
	struct io_event event;
	int fd; /* the event's, for writers */
	struct io_thread *thread;
	_Atomic unsigned int written; /* raised before each write of the eventfd */
	unsigned int seen;            /* [io] */
	_Atomic unsigned int calls;
	unsigned int expected;
	sem_t all_seen;
	bool detached;
	struct counted_event *other; /* to be detached by this one */
};

static void event_ready(struct io_event *event)
{
	struct counted_event *counted = event->owner;

	if (!io_thread_is_current(counted->thread) || counted->detached)
		abort();
	counted->calls++;
	if (counted->other) {
		io_event_detach(counted->thread, &counted->other->event);
		counted->other->detached = true;
		counted->other->other = NULL;
		counted->other = NULL;
	}
	if (counted->seen < counted->expected) {
		counted->seen = atomic_load(&counted->written);
		if (counted->seen >= counted->expected)
			sem_post(&counted->all_seen);
	}
}

static void attach(void *context)
{
	struct counted_event *counted = context;

	counted->detached = false;
	if (io_event_attach(counted->thread, &counted->event) != 0)
		abort();
}

static void detach(void *context)
{
	struct counted_event *counted = context;

	io_event_detach(counted->thread, &counted->event);
	io_event_detach(counted->thread, &counted->event); /* does nothing */
	counted->detached = true;
}

static void event_init(
	struct counted_event *counted, struct io_thread *thread, unsigned int expected, int flags)
{
	*counted = (struct counted_event){.thread = thread, .expected = expected};
	counted->fd = eventfd(0, EFD_CLOEXEC | flags);
	counted->event = (struct io_event){
		.fd = counted->fd, .ready = event_ready, .owner = counted};
	sem_init(&counted->all_seen, 0, 0);
}

static void notify(struct counted_event *counted)
{
	atomic_fetch_add(&counted->written, 1);
	eventfd_write(counted->fd, 1);
}

#define STORM_THREADS 4
#define STORM_EVENTS  8
#define STORM_WRITES  2000

static void *storm(void *argument)
{
	struct counted_event *events = argument;

	for (unsigned int i = 0; i < STORM_WRITES; i++)
		notify(&events[i % STORM_EVENTS]);
	return NULL;
}

/* The last write of each event is seen, whatever was merged before. */
static void event_storm(void **state)
{
	struct io_thread *thread = thread_of(state);
	struct counted_event events[STORM_EVENTS];
	pthread_t threads[STORM_THREADS];

	for (unsigned int i = 0; i < STORM_EVENTS; i++) {
		event_init(&events[i], thread, STORM_THREADS * STORM_WRITES / STORM_EVENTS,
			i % 2 ? EFD_NONBLOCK : 0);
		io_thread_call(thread, attach, &events[i]);
	}
	for (unsigned int i = 0; i < STORM_THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, storm, events), 0);
	for (unsigned int i = 0; i < STORM_EVENTS; i++)
		while (sem_wait(&events[i].all_seen) < 0)
			continue;
	for (unsigned int i = 0; i < STORM_THREADS; i++)
		pthread_join(threads[i], NULL);
	for (unsigned int i = 0; i < STORM_EVENTS; i++) {
		io_thread_call(thread, detach, &events[i]);
		close(events[i].event.fd);
	}
}

/* Attached and detached while others write; the storage is overwritten right behind. */
static void event_detach_races(void **state)
{
	struct io_thread *thread = thread_of(state);
	struct counted_event events[STORM_EVENTS];
	pthread_t threads[STORM_THREADS];

	for (unsigned int i = 0; i < STORM_EVENTS; i++)
		event_init(&events[i], thread, 0, 0);
	for (unsigned int i = 0; i < STORM_THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, storm, events), 0);
	for (unsigned int round = 0; round < 50; round++) {
		for (unsigned int i = 0; i < STORM_EVENTS; i++)
			io_thread_call(thread, attach, &events[i]);
		for (unsigned int i = 0; i < STORM_EVENTS; i++) {
			io_thread_call(thread, detach, &events[i]);
			memset(&events[i].event, 0xa5, sizeof(events[i].event));
			events[i].event = (struct io_event){
				.fd = events[i].fd, .ready = event_ready, .owner = &events[i]};
		}
	}
	for (unsigned int i = 0; i < STORM_THREADS; i++)
		pthread_join(threads[i], NULL);
	for (unsigned int i = 0; i < STORM_EVENTS; i++)
		close(events[i].event.fd);
}

static void nothing(void *context)
{
	(void)context;
}

static void attach_pair(void *context)
{
	struct counted_event *first = context;
	struct counted_event *second = first->other;

	attach(first);
	attach(second);
}

/* Two events are ready in one round; whichever comes first detaches the other. */
static void detaching_in_a_callback(void **state)
{
	struct io_thread *thread = thread_of(state);
	struct counted_event first, second;

	event_init(&first, thread, 1, 0);
	event_init(&second, thread, 1, 0);
	first.other = &second;
	second.other = &first;
	notify(&first);
	notify(&second);
	io_thread_call(thread, attach_pair, &first);
	for (unsigned int i = 0; i < 10 || first.calls + second.calls == 0; i++) {
		io_thread_call(thread, nothing, NULL);
		notify(&first);
		notify(&second);
	}
	io_thread_call(thread, detach, &first);
	io_thread_call(thread, detach, &second);
	assert_true((first.calls == 0) != (second.calls == 0));
	close(first.event.fd);
	close(second.event.fd);
}

static void attach_impossible(void *context)
{
	struct io_thread *thread = context;
	struct io_event *events = calloc(IO_WATCHES_MAX + 1, sizeof(*events));
	struct io_event none = {.fd = -1};
	int fd = eventfd(0, EFD_CLOEXEC);

	if (io_event_attach(thread, &none) != -EBADF)
		abort();
	for (unsigned int i = 0; i <= IO_WATCHES_MAX; i++) {
		events[i].fd = fd;
		if (io_event_attach(thread, &events[i]) != (i < IO_WATCHES_MAX ? 0 : -ENOSPC))
			abort();
	}
	if (io_event_attach(thread, &events[3]) != -EBUSY)
		abort();
	for (unsigned int i = 0; i <= IO_WATCHES_MAX; i++)
		io_event_detach(thread, &events[i]);
	close(fd);
	free(events);
}

static void events_that_cannot_be(void **state)
{
	struct io_thread *thread = thread_of(state);

	io_thread_call(thread, attach_impossible, thread);
}

/* A larger ring takes over what the old one watched. */
static void events_survive_admission(void **state)
{
	struct io_thread *thread = thread_of(state);
	struct counted_event before, after;

	event_init(&before, thread, 1, 0);
	event_init(&after, thread, 1, 0);
	io_thread_call(thread, attach, &before);
	io_thread_call(thread, attach, &after);
	notify(&before);
	assert_int_equal(io_thread_admit(thread, 5000, NULL), 0);
	notify(&after);
	while (sem_wait(&before.all_seen) < 0 || sem_wait(&after.all_seen) < 0)
		continue;
	io_thread_call(thread, detach, &before);
	io_thread_call(thread, detach, &after);
	close(before.event.fd);
	close(after.event.fd);
}

/* --- Polls. --- */

struct watched {
	struct io_poll poll;
	struct io_thread *thread;
	unsigned int calls; /* [io] */
	short revents;      /* [io] */
	bool cancelled;     /* [io] */
	sem_t called;
};

static void poll_ready(struct io_poll *poll, short revents)
{
	struct watched *watched = poll->owner;

	if (!io_thread_is_current(watched->thread) || watched->cancelled)
		abort();
	watched->calls++;
	watched->revents = revents;
	sem_post(&watched->called);
}

static void start_poll(void *context)
{
	struct watched *watched = context;

	watched->cancelled = false;
	io_poll_start(watched->thread, &watched->poll);
}

static void cancel_poll(void *context)
{
	struct watched *watched = context;

	io_poll_cancel(watched->thread, &watched->poll);
	io_poll_cancel(watched->thread, &watched->poll);
	watched->cancelled = true;
}

static void watched_init(struct watched *watched, struct io_thread *thread, int fd, short events)
{
	*watched = (struct watched){.thread = thread};
	watched->poll = (struct io_poll){
		.fd = fd, .events = events, .ready = poll_ready, .owner = watched};
	sem_init(&watched->called, 0, 0);
}

static short wait_for_poll(struct watched *watched)
{
	while (sem_wait(&watched->called) < 0)
		continue;
	return watched->revents;
}

static void polls(void **state)
{
	struct io_thread *thread = thread_of(state);
	struct watched watched;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	watched_init(&watched, thread, fds[0], POLLOUT);
	io_thread_call(thread, start_poll, &watched);
	assert_int_equal(wait_for_poll(&watched), POLLOUT);
	watched.poll.events = POLLIN;
	io_thread_call(thread, start_poll, &watched);
	io_thread_call(thread, nothing, NULL);
	assert_int_equal(watched.calls, 1);
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(wait_for_poll(&watched), POLLIN);
	/* Once only, but as often as it is started. */
	for (unsigned int i = 0; i < 3; i++) {
		io_thread_call(thread, start_poll, &watched);
		assert_int_equal(wait_for_poll(&watched), POLLIN);
	}
	assert_int_equal(watched.calls, 5);
	close(fds[1]);
	io_thread_call(thread, start_poll, &watched);
	assert_true(wait_for_poll(&watched) & POLLHUP);
	close(fds[0]);
	watched.poll.fd = 1000;
	io_thread_call(thread, start_poll, &watched);
	assert_int_equal(wait_for_poll(&watched), POLLNVAL);
}

/* Behind a cancellation the kernel holds the socket no more: its other end sees it close. */
static void cancelled_polls_let_go(void **state)
{
	struct io_thread *thread = thread_of(state);
	struct watched watched;
	char byte;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	watched_init(&watched, thread, fds[0], POLLIN);
	io_thread_call(thread, start_poll, &watched);
	io_thread_call(thread, nothing, NULL);
	io_thread_call(thread, cancel_poll, &watched);
	close(fds[0]);
	assert_int_equal(read(fds[1], &byte, 1), 0);
	close(fds[1]);
	assert_int_equal(watched.calls, 0);
}

struct writer {
	int fd;
	_Atomic bool stop;
};

static void *write_bytes(void *argument)
{
	struct writer *writer = argument;

	while (!atomic_load(&writer->stop))
		if (write(writer->fd, "x", 1) < 0)
			break;
	return NULL;
}

static void cancel_and_write(void *context)
{
	struct watched *watched = context;

	/* In one go: the poll is ready at once, or while it is cancelled, or not yet. */
	start_poll(watched);
	cancel_poll(watched);
}

static void poll_cancel_races(void **state)
{
	struct io_thread *thread = thread_of(state);
	struct watched watched;
	struct writer writer = {0};
	pthread_t helper;
	char buffer[4096];
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	watched_init(&watched, thread, fds[0], POLLIN);
	writer.fd = fds[1];
	assert_int_equal(pthread_create(&helper, NULL, write_bytes, &writer), 0);
	for (unsigned int i = 0; i < 300; i++) {
		(void)!recv(fds[0], buffer, sizeof(buffer), MSG_DONTWAIT);
		io_thread_call(thread, i % 3 ? start_poll : cancel_and_write, &watched);
		io_thread_call(thread, cancel_poll, &watched);
		memset(&watched.poll, 0xa5, sizeof(watched.poll));
		watched.poll = (struct io_poll){
			.fd = fds[0], .events = POLLIN, .ready = poll_ready, .owner = &watched};
	}
	atomic_store(&writer.stop, true);
	while (recv(fds[0], buffer, sizeof(buffer), MSG_DONTWAIT) > 0)
		continue;
	pthread_join(helper, NULL);
	close(fds[0]);
	close(fds[1]);
}

/* --- Timers. --- */

struct counted_timer {
	struct io_timer timer;
	struct io_thread *thread;
	uint64_t deadline_ns;
	uint64_t again_ns;  /* arm it anew for this, in the callback */
	unsigned int again; /* so many times */
	unsigned int order; /* when it expired among all */
	unsigned int *expired;
	sem_t done;
};

static void timer_expired(struct io_timer *timer)
{
	struct counted_timer *counted = timer->owner;

	if (!io_thread_is_current(counted->thread) || timer->deadline_ns != 0 ||
		clock_monotonic_ns() < counted->deadline_ns)
		abort();
	counted->order = ++*counted->expired;
	if (counted->again > 0) {
		counted->again--;
		counted->deadline_ns = counted->again_ns;
		io_timer_arm(counted->thread, timer, counted->again_ns);
	} else {
		sem_post(&counted->done);
	}
}

static void timer_init(
	struct counted_timer *counted, struct io_thread *thread, unsigned int *expired)
{
	*counted = (struct counted_timer){.thread = thread, .expired = expired};
	counted->timer = (struct io_timer){.expired = timer_expired, .owner = counted};
	sem_init(&counted->done, 0, 0);
}

static void arm_timer(void *context)
{
	struct counted_timer *counted = context;

	io_timer_arm(counted->thread, &counted->timer, counted->deadline_ns);
}

static void cancel_timer(void *context)
{
	struct counted_timer *counted = context;

	io_timer_cancel(counted->thread, &counted->timer);
}

static void arm_at(struct counted_timer *counted, uint64_t deadline_ns)
{
	counted->deadline_ns = deadline_ns;
	io_thread_call(counted->thread, arm_timer, counted);
}

#define TIMERS 6

static void timers(void **state)
{
	static const unsigned int place[TIMERS] = {3, 5, 1, 2, 4, 0};
	struct io_thread *thread = thread_of(state);
	struct counted_timer all[TIMERS], far;
	unsigned int expired = 0;
	uint64_t now = clock_monotonic_ns();

	timer_init(&far, thread, &expired);
	arm_at(&far, now + 3600 * NANOSECONDS_PER_SECOND);
	for (unsigned int i = 0; i < TIMERS; i++) {
		timer_init(&all[i], thread, &expired);
		arm_at(&all[i], now + 3600 * NANOSECONDS_PER_SECOND);
	}
	for (unsigned int i = 0; i < TIMERS; i++) /* moved */
		arm_at(&all[i], now + 20 * MILLISECOND + place[i] * MILLISECOND);
	io_thread_call(thread, cancel_timer, &all[5]);
	for (unsigned int i = 0; i < TIMERS - 1; i++)
		while (sem_wait(&all[i].done) < 0)
			continue;
	for (unsigned int i = 0; i < TIMERS - 1; i++)
		assert_int_equal(all[i].order, place[i]);
	assert_int_equal(all[5].order, 0);
	arm_at(&far, 0);
	arm_at(&far, UINT64_MAX);
	io_thread_call(thread, cancel_timer, &far);
	io_thread_call(thread, cancel_timer, &far);
	assert_int_equal(expired, TIMERS - 1);
}

/* A deadline long past, again and again, leaves room for others. */
static void timers_of_the_past(void **state)
{
	struct io_thread *thread = thread_of(state);
	struct counted_timer greedy;
	unsigned int expired = 0;

	timer_init(&greedy, thread, &expired);
	greedy.again = UINT32_MAX;
	greedy.again_ns = 1;
	arm_at(&greedy, 1);
	for (unsigned int i = 0; i < 100; i++)
		io_thread_call(thread, nothing, NULL);
	io_thread_call(thread, cancel_timer, &greedy);
	assert_true(expired > 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(event_storm),
		cmocka_unit_test(event_detach_races),
		cmocka_unit_test(detaching_in_a_callback),
		cmocka_unit_test(events_that_cannot_be),
		cmocka_unit_test(events_survive_admission),
		cmocka_unit_test(polls),
		cmocka_unit_test(cancelled_polls_let_go),
		cmocka_unit_test(poll_cancel_races),
		cmocka_unit_test(timers),
		cmocka_unit_test(timers_of_the_past),
	};

	return run_on_all_engines(tests, array_size(tests));
}
