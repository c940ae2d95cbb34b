/* I/O threads look at memory instead of being notified, and lose nothing when they go to sleep. */
#include "clock.h"
#include "io_thread_fixture.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define RINGS 3
#define ITEMS 3000

/* A ring with nothing in it: the giver counts up, and notifies only if it was asked to. */
struct ring {
	struct io_thread *thread;
	struct io_poller poller;
	struct io_event event;
	_Atomic unsigned int given;
	_Atomic bool wanted;     /* notifications */
	unsigned int taken;      /* [io] */
	unsigned int looked_for; /* [io] found without a notification */
	bool stopped;            /* [io] */
	unsigned int notifications;
	unsigned int pause_ns;
	sem_t all_taken;
};

static bool ask(struct ring *ring)
{
	atomic_store(&ring->wanted, true);
	return atomic_load(&ring->given) != ring->taken;
}

static void take(struct ring *ring)
{
	unsigned int before = ring->taken;

	if (ring->stopped || !io_thread_is_current(ring->thread))
		abort();
	atomic_store(&ring->wanted, false);
	do
		ring->taken = atomic_load(&ring->given);
	while (!io_poller_wake(ring->thread, &ring->poller) && ask(ring));
	if (before < ITEMS && ring->taken == ITEMS)
		sem_post(&ring->all_taken);
}

static bool ring_look(struct io_poller *poller)
{
	struct ring *ring = poller->owner;

	return atomic_load(&ring->given) != ring->taken;
}

static void ring_ready(struct io_poller *poller)
{
	struct ring *ring = poller->owner;

	ring->looked_for++;
	take(ring);
}

static bool ring_rest(struct io_poller *poller)
{
	return ask(poller->owner);
}

static void ring_notified(struct io_event *event)
{
	take(event->owner);
}

static void ring_start(void *context)
{
	struct ring *ring = context;

	if (io_event_attach(ring->thread, &ring->event) < 0)
		abort();
	take(ring);
}

static void ring_stop(void *context)
{
	struct ring *ring = context;

	io_poller_stop(ring->thread, &ring->poller);
	io_poller_stop(ring->thread, &ring->poller); /* does nothing */
	io_event_detach(ring->thread, &ring->event);
	ring->stopped = true;
	memset(&ring->poller, 0xa5, sizeof(ring->poller));
}

static void *give(void *context)
{
	struct ring *ring = context;

	for (unsigned int i = 0; i < ITEMS; i++) {
		const struct timespec pause = {.tv_nsec = (long)(ring->pause_ns * (i % 5))};

		atomic_fetch_add(&ring->given, 1);
		if (atomic_load(&ring->wanted)) {
			ring->notifications++;
			(void)eventfd_write(ring->event.fd, 1);
		}
		if (ring->pause_ns && i % 16 == 0)
			(void)nanosleep(&pause, NULL);
	}
	return NULL;
}

static void nothing_is_lost(void **state)
{
	struct io_thread *thread = thread_of(state);
	const struct fixture *fixture = *state;
	static struct ring rings[RINGS];
	pthread_t givers[RINGS];
	unsigned int looked_for = 0, notifications = 0;

	for (unsigned int i = 0; i < RINGS; i++) {
		struct ring *ring = &rings[i];

		*ring = (struct ring){.thread = thread, .pause_ns = 20000 * i};
		ring->poller = (struct io_poller){
			.look = ring_look, .ready = ring_ready, .rest = ring_rest, .owner = ring};
		ring->event = (struct io_event){.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
			.ready = ring_notified,
			.owner = ring};
		sem_init(&ring->all_taken, 0, 0);
		io_thread_call(thread, ring_start, ring);
	}
	for (unsigned int i = 0; i < RINGS; i++)
		assert_int_equal(pthread_create(&givers[i], NULL, give, &rings[i]), 0);
	for (unsigned int i = 0; i < RINGS; i++) {
		while (sem_wait(&rings[i].all_taken) < 0)
			continue;
		pthread_join(givers[i], NULL);
	}
	for (unsigned int i = 0; i < RINGS; i++) {
		io_thread_call(thread, ring_stop, &rings[i]);
		atomic_fetch_add(&rings[i].given, 1); /* is not looked at any more */
		looked_for += rings[i].looked_for;
		notifications += rings[i].notifications;
		sem_destroy(&rings[i].all_taken);
		close(rings[i].event.fd);
	}
	/* A thread that polls may be awake all the time. */
	if (!fixture->poll_ns) {
		assert_true(notifications > 0);
		assert_int_equal(looked_for, 0);
	}
}

/* One ring's callback stops another that is awake, and has something. */
struct pair {
	struct io_thread *thread;
	struct io_poller pollers[2];
	unsigned int calls;
	bool woken;
};

static bool pair_look(struct io_poller *poller)
{
	(void)poller;
	return true;
}

static void pair_ready(struct io_poller *poller)
{
	struct pair *pair = poller->owner;

	pair->calls++;
	for (unsigned int i = 0; i < 2; i++)
		io_poller_stop(pair->thread, &pair->pollers[i]);
}

static void wake_pair(void *context)
{
	struct pair *pair = context;

	pair->woken = true;
	for (unsigned int i = 0; i < 2; i++)
		pair->woken &= io_poller_wake(pair->thread, &pair->pollers[i]);
}

static void nothing(void *context)
{
	(void)context;
}

static void stopping_each_other(void **state)
{
	struct io_thread *thread = thread_of(state);
	const struct fixture *fixture = *state;
	struct pair pair = {.thread = thread};

	for (unsigned int i = 0; i < 2; i++)
		pair.pollers[i] = (struct io_poller){
			.look = pair_look, .ready = pair_ready, .rest = pair_look, .owner = &pair};
	/* The thread polls once its sleeps have turned out to be short. */
	for (unsigned int i = 0; i < 1000 && !pair.woken; i++)
		io_thread_call(thread, wake_pair, &pair);
	io_thread_call(thread, nothing, NULL);
	io_thread_call(thread, nothing, NULL);
	assert_int_equal(pair.calls, pair.woken ? 1 : 0);
	if (!fixture->poll_ns)
		assert_false(pair.woken);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_lost),
		cmocka_unit_test(stopping_each_other),
	};

	return run_on_all_engines(tests, array_size(tests));
}
