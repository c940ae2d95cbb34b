/*
 * A driver thread and a device thread on real rings: data arrives whole, every chain comes back
 * once, and nobody sleeps through a notification. Meant for ThreadSanitizer too: only words that a
 * guest shares atomically are atomic here.
 */
#include "clock.h"
#include "compiler.h"
#include "virtq_fixture.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* In each of six rounds. So many as the variable says, however long that takes, and with sanitizers
 * a million in all; else OPERATIONS, or a second of them on a slow host. */
#define OPERATIONS           500000u
#define SANITIZED_OPERATIONS 170000u
#define OPERATIONS_VARIABLE  "HULL_TEST_VIRTQ_OPERATIONS"
#define HANG_MS              60000 /* a lost notification, not a slow host */

#define SIZE        64
#define HELD_MAX    8
#define PIECES      3
#define PIECE_BYTES 64u
#define SLOT_BYTES  (2 * PIECES * PIECE_BYTES)
#define TABLE_BYTES (2 * PIECES * 16u)

struct round {
	struct fixture f;
	int to_device, to_driver; /* eventfds */
	_Atomic bool done;
	uint64_t operations; /* driver's */
	uint64_t expected[DRIVER_SIZE_MAX];
	uint32_t lengths[DRIVER_SIZE_MAX], slots[DRIVER_SIZE_MAX];
	uint32_t free_slots[SIZE], free_count;
	uint64_t random_driver, random_device;
	uint64_t sleeps_driver, sleeps_device;
};

static uint32_t random_below(uint64_t *state, uint32_t limit)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (uint32_t)(*state >> 32) % limit;
}

static void notify(int fd)
{
	uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) != sizeof(one))
		abort();
}

static void sleep_on(int fd, const char *who)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	uint64_t count;

	if (poll(&poll_fd, 1, HANG_MS) != 1) {
		(void)fprintf(stderr, "the %s was never notified\n", who);
		abort();
	}
	if (read(fd, &count, sizeof(count)) != sizeof(count))
		abort();
}

/* The answer to a request of length bytes: each byte plus 1. */
static void answer(struct round *round, struct chain *chain)
{
	uint8_t bytes[PIECES * PIECE_BYTES];
	uint32_t length = (uint32_t)chain->readable_bytes;
	struct iovec iov[PIECES];
	uint32_t done = 0;
	int count;

	if (length > sizeof(bytes) || chain_read(chain, bytes, length) < 0)
		abort();
	for (uint32_t i = 0; i < length; i++)
		bytes[i]++;
	if (random_below(&round->random_device, 2)) {
		if (chain_write(chain, bytes, length) < 0)
			abort();
		return;
	}
	count = chain_take_writable(chain, length, iov, PIECES);
	if (count < 0 || chain_count_written(chain, length) < 0)
		abort();
	for (int i = 0; i < count; i++) {
		memcpy(iov[i].iov_base, bytes + done, iov[i].iov_len);
		done += (uint32_t)iov[i].iov_len;
	}
}

static void push_one(struct round *round, struct chain *held[HELD_MAX], unsigned int *held_count)
{
	unsigned int which = random_below(&round->random_device, *held_count);

	virtq_push(round->f.queue, held[which]);
	held[which] = held[--*held_count];
}

static void *run_device(void *argument)
{
	struct round *round = argument;
	struct virtq *queue = round->f.queue;
	struct chain *held[HELD_MAX];
	unsigned int held_count = 0;

	for (;;) {
		struct chain *chain;
		int r = virtq_pop(queue, &chain);

		if (r < 0)
			abort();
		if (r == 1) {
			virtq_disable_notifications(queue);
			answer(round, chain);
			held[held_count++] = chain;
			if (held_count == HELD_MAX || random_below(&round->random_device, 3) == 0)
				push_one(round, held, &held_count);
			if (random_below(&round->random_device, 4) == 0 && virtq_flush(queue))
				notify(round->to_driver);
			continue;
		}
		while (held_count)
			push_one(round, held, &held_count);
		if (virtq_flush(queue))
			notify(round->to_driver);
		if (virtq_enable_notifications(queue))
			continue;
		if (round->done)
			return NULL;
		round->sleeps_device++;
		sleep_on(round->to_device, "device");
	}
}

static bool add_request(struct round *round)
{
	uint32_t slot = round->free_slots[round->free_count - 1];
	uint64_t at = BUFFERS + (uint64_t)slot * SLOT_BYTES;
	uint64_t table = random_below(&round->random_driver, 3) ? 0 : TABLE + slot * TABLE_BYTES;
	struct driver_buffer buffers[2 * PIECES];
	uint16_t pieces = (uint16_t)(1 + random_below(&round->random_driver, PIECES));
	uint32_t length = 0;
	uint16_t id;

	for (uint16_t i = 0; i < pieces; i++) {
		uint32_t piece = 8 + random_below(&round->random_driver, PIECE_BYTES - 7);

		buffers[i] = (struct driver_buffer){at + i * PIECE_BYTES, piece, false};
		buffers[pieces + i] = (struct driver_buffer){
			at + (PIECES + i) * PIECE_BYTES, PIECE_BYTES, true};
		length += piece;
	}
	if (!driver_add(&round->f.driver, buffers, (uint16_t)(2 * pieces), table, &id))
		return false;
	round->expected[id] = round->operations;
	round->lengths[id] = length;
	round->slots[id] = slot;
	round->free_count--;
	for (uint16_t i = 0; i < pieces; i++) {
		uint8_t *bytes = round->f.driver.memory + buffers[i].address;

		memset(bytes, (int)(round->operations & 0xff), buffers[i].length);
		memset(round->f.driver.memory + buffers[pieces + i].address, 0x55, PIECE_BYTES);
	}
	round->operations++;
	return true;
}

static unsigned int harvest(struct round *round)
{
	unsigned int count = 0;
	uint32_t length;
	uint16_t id;

	for (; driver_get_used(&round->f.driver, &id, &length); count++) {
		const uint8_t *answers = round->f.driver.memory + BUFFERS +
		                         (uint64_t)round->slots[id] * SLOT_BYTES +
		                         PIECES * PIECE_BYTES;
		uint8_t expected = (uint8_t)(round->expected[id] + 1);

		if (length != round->lengths[id] && length != UINT32_MAX)
			abort();
		for (uint32_t i = 0; i < round->lengths[id]; i++)
			if (answers[i] != expected)
				abort();
		round->free_slots[round->free_count++] = round->slots[id];
	}
	return count;
}

static void wait_for_device(struct round *round)
{
	if (driver_enable_interrupts(&round->f.driver)) {
		driver_disable_interrupts(&round->f.driver);
		return;
	}
	round->sleeps_driver++;
	sleep_on(round->to_driver, "driver");
	driver_disable_interrupts(&round->f.driver);
}

static void run_driver(struct round *round)
{
	const char *text = getenv(OPERATIONS_VARIABLE);
	bool is_counted = text || SANITIZED;
	uint64_t operations = text        ? strtoul(text, NULL, 10)
	                      : SANITIZED ? SANITIZED_OPERATIONS
	                                  : OPERATIONS;
	uint64_t end = clock_monotonic_ns() + NANOSECONDS_PER_SECOND;
	uint32_t bursts = 0;

	while (round->operations < operations &&
		(is_counted || ++bursts % 256 || clock_monotonic_ns() < end)) {
		uint32_t burst = 1 + random_below(&round->random_driver, 16);
		bool full = false;

		while (burst-- && !full)
			full = round->free_count == 0 || !add_request(round);
		if (driver_publish(&round->f.driver))
			notify(round->to_device);
		if (harvest(round) == 0 && full)
			wait_for_device(round);
	}
	while (round->free_count < SIZE)
		if (harvest(round) == 0)
			wait_for_device(round);
	round->done = true;
	notify(round->to_device);
}

static void one_round(struct virtq_features features)
{
	struct round *round = calloc(1, sizeof(*round));
	pthread_t device;

	assert_non_null(round);
	fixture_begin(&round->f, SIZE, 2 * PIECES, features);
	round->to_device = eventfd(0, EFD_CLOEXEC);
	round->to_driver = eventfd(0, EFD_CLOEXEC);
	round->random_driver = 0x9e3779b97f4a7c15;
	round->random_device = 0xd1b54a32d192ed03;
	for (uint32_t i = 0; i < SIZE; i++)
		round->free_slots[round->free_count++] = i;
	driver_disable_interrupts(&round->f.driver);
	assert_int_equal(pthread_create(&device, NULL, run_device, round), 0);
	run_driver(round);
	assert_int_equal(pthread_join(device, NULL), 0);
	assert_int_equal(virtq_outstanding(round->f.queue), 0);
	print_message("%llu operations, driver slept %llu times, device %llu times\n",
		(unsigned long long)round->operations, (unsigned long long)round->sleeps_driver,
		(unsigned long long)round->sleeps_device);
	close(round->to_device);
	close(round->to_driver);
	fixture_end(&round->f);
	free(round);
}

static void split(void **state)
{
	(void)state;
	one_round((struct virtq_features){.format = VIRTQ_SPLIT, .indirect = true});
}

static void split_event_index(void **state)
{
	(void)state;
	one_round((struct virtq_features){
		.format = VIRTQ_SPLIT, .indirect = true, .event_idx = true});
}

static void split_in_order(void **state)
{
	(void)state;
	one_round((struct virtq_features){
		.format = VIRTQ_SPLIT, .indirect = true, .event_idx = true, .in_order = true});
}

static void packed(void **state)
{
	(void)state;
	one_round((struct virtq_features){.format = VIRTQ_PACKED, .indirect = true});
}

static void packed_event_index(void **state)
{
	(void)state;
	one_round((struct virtq_features){
		.format = VIRTQ_PACKED, .indirect = true, .event_idx = true});
}

static void packed_in_order(void **state)
{
	(void)state;
	one_round((struct virtq_features){
		.format = VIRTQ_PACKED, .indirect = true, .event_idx = true, .in_order = true});
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(split),
		cmocka_unit_test(split_event_index),
		cmocka_unit_test(split_in_order),
		cmocka_unit_test(packed),
		cmocka_unit_test(packed_event_index),
		cmocka_unit_test(packed_in_order),
	};

	return cmocka_run_group_tests_name("virtq_threads", tests, NULL, NULL);
}
