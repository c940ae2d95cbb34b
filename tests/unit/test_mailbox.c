/* Messages and timers of the main loop, from several threads. */
#include "clock.h"
#include "cmocka_all.h"
#include "loop_timer.h"
#include "mailbox.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#define SENDERS  4
#define MESSAGES 1000

struct receiver {
	struct loop loop;
	struct mailbox mailbox;
	uint32_t next[SENDERS];
	unsigned int count;
};

static void received(void *owner, const struct mail *mail)
{
	struct receiver *receiver = owner;

	assert_true(mail->kind < SENDERS);
	assert_int_equal(mail->value, receiver->next[mail->kind]++); /* in order of each sender */
	assert_ptr_equal(mail->about, receiver);
	if (++receiver->count == SENDERS * MESSAGES)
		loop_stop(&receiver->loop);
}

struct sender {
	struct receiver *receiver;
	uint32_t index;
};

static void *send_messages(void *argument)
{
	struct sender *sender = argument;

	for (uint32_t i = 0; i < MESSAGES;) {
		struct mail mail = {sender->index, i, sender->receiver};

		if (mailbox_send(&sender->receiver->mailbox, mail) == 0)
			i++;
	}
	return NULL;
}

static void many_senders(void **state)
{
	struct receiver receiver = {0};
	struct sender senders[SENDERS];
	pthread_t threads[SENDERS];

	(void)state;
	assert_int_equal(
		mailbox_init(&receiver.mailbox, &receiver.loop, received, &receiver, NULL), 0);
	for (uint32_t i = 0; i < SENDERS; i++) {
		senders[i] = (struct sender){&receiver, i};
		assert_int_equal(pthread_create(&threads[i], NULL, send_messages, &senders[i]), 0);
	}
	assert_int_equal(loop_run(&receiver.loop), 0);
	for (uint32_t i = 0; i < SENDERS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	mailbox_fini(&receiver.mailbox);
}

static void a_full_box_says_so(void **state)
{
	struct receiver receiver = {0};
	int r = 0;

	(void)state;
	assert_int_equal(
		mailbox_init(&receiver.mailbox, &receiver.loop, received, &receiver, NULL), 0);
	for (unsigned int i = 0; i < 1000000 && r == 0; i++)
		r = mailbox_send(&receiver.mailbox, (struct mail){0});
	assert_int_equal(r, -EAGAIN);
	mailbox_drain(&receiver.mailbox);
	assert_int_equal(mailbox_send(&receiver.mailbox, (struct mail){0, 0, &receiver}), 0);
	assert_int_equal(loop_run_once(&receiver.loop, 0), 0);
	assert_int_equal(receiver.count, 1);
	mailbox_fini(&receiver.mailbox);
	mailbox_fini(&receiver.mailbox);
}

static void count_expiry(void *owner)
{
	(*(unsigned int *)owner)++;
}

static void timers(void **state)
{
	struct loop loop = {0};
	struct loop_timer timer = {0};
	struct timer device_view;
	unsigned int expiries = 0;

	(void)state;
	assert_int_equal(loop_timer_init(&timer, &loop, count_expiry, &expiries, NULL), 0);
	device_view = loop_timer_for_device(&timer);
	assert_int_equal(loop_run_once(&loop, 0), 0);
	assert_int_equal(expiries, 0);
	timer_arm(&device_view, 1); /* long past */
	assert_int_equal(loop_run_once(&loop, -1), 0);
	assert_int_equal(expiries, 1);
	timer_arm(&device_view, clock_monotonic_ns() + 3600 * NANOSECONDS_PER_SECOND);
	assert_int_equal(loop_run_once(&loop, 0), 0);
	timer_arm(&device_view, 1);
	timer_arm(&device_view, 0);
	assert_int_equal(loop_run_once(&loop, 0), 0);
	assert_int_equal(expiries, 1);
	loop_timer_fini(&timer);
	loop_timer_fini(&timer);
	assert_int_equal(loop.source_count, 0);
}

static void detach_other(void *owner, short revents)
{
	struct loop_source **other = owner;

	(void)revents;
	loop_detach((struct loop *)(void *)other[1], other[0]);
	other[0] = NULL;
}

/* A callback that detaches a source which is ready in the same round keeps it from being called. */
static void detaching_in_a_callback(void **state)
{
	struct loop loop = {0};
	struct loop_timer timer = {0};
	struct loop_source *cell[2] = {&timer.source, (struct loop_source *)(void *)&loop};
	struct loop_source first = {.events = POLLOUT, .ready = detach_other, .owner = cell};
	unsigned int expiries = 0;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	first.fd = fds[1];
	assert_int_equal(loop_attach(&loop, &first), 0);
	assert_int_equal(loop_timer_init(&timer, &loop, count_expiry, &expiries, NULL), 0);
	loop_timer_arm(&timer, 1);
	while (cell[0])
		assert_int_equal(loop_run_once(&loop, -1), 0);
	assert_int_equal(expiries, 0);
	loop_timer_fini(&timer);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_senders),
		cmocka_unit_test(a_full_box_says_so),
		cmocka_unit_test(timers),
		cmocka_unit_test(detaching_in_a_callback),
	};

	return cmocka_run_group_tests_name("mailbox", tests, NULL, NULL);
}
