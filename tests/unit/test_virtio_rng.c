#include "clock.h"
#include "fake_virtio_host.h"
#include "virtio_rng.h"

static uint64_t now_ns;

static uint64_t read_now(void)
{
	return now_ns;
}

struct fixture {
	struct io_thread io;
	struct virtio_device *device;
};

static void make(struct fixture *fixture, uint64_t rate)
{
	const struct virtio_rng_options options = {
		.name = "rng",
		.io_thread = &fixture->io,
		.rate_bytes_per_second = rate,
		.read_clock = read_now,
	};

	*fixture = (struct fixture){.io.room = UINT32_MAX};
	now_ns = 1000;
	assert_int_equal(virtio_rng_create(&options, &fixture->device, NULL), 0);
	assert_int_equal(fixture->device->device_id, 4);
	assert_int_equal(fixture->device->queue_count, 1);
	assert_int_equal(fixture->device->offered_features, UINT64_C(1) << 35); /* in order */
	fake_activate(fixture->device, 0);
}

static void finish(struct fixture *fixture)
{
	fixture->device->ops->destroy(fixture->device);
}

static uint64_t used_length(struct fixture *fixture)
{
	return fake_take(fixture->device, 0)->chain.written_bytes;
}

static void fills_every_size(void **state)
{
	static const struct {
		size_t writable, readable, used;
	} cases[] = {
		{1, 0, 1},
		{2, 0, 2},
		{64, 0, 64},
		{1023, 0, 1023},
		{1024, 0, 1024},
		{1025, 0, 1025},
		{65535, 0, 65535},
		{65536, 0, 65536},
		{65537, 0, 65536},
		{1 << 20, 0, 65536},
		{0, 0, 0},
		{0, 512, 0},
		{32, 512, 32},
	};
	static const uint8_t junk[512];
	struct fixture fixture;

	(void)state;
	make(&fixture, 0);
	for (size_t i = 0; i < array_size(cases); i++) {
		fake_offer(fixture.device, 0, junk, cases[i].readable, cases[i].writable);
		fake_notify(fixture.device, 0);
		fake_settle(&fixture.io);
		assert_int_equal(fake_used_count(fixture.device, 0), 1);
		assert_int_equal(used_length(&fixture), cases[i].used);
	}
	assert_int_equal(fixture.io.broken, 0);
	finish(&fixture);
}

/* Sixteen buffers of 32 bytes: no two are the same, and every byte is written. */
static void gives_different_bytes(void **state)
{
	const struct fake_chain *chains[16];
	struct fixture fixture;
	uint8_t seen[32] = {0};

	(void)state;
	make(&fixture, 0);
	for (unsigned int i = 0; i < 16; i++)
		fake_offer(fixture.device, 0, NULL, 0, 32);
	fake_notify(fixture.device, 0);
	assert_int_equal(fixture.io.interrupts, 1); /* one for all */
	for (unsigned int i = 0; i < 16; i++) {
		chains[i] = fake_take(fixture.device, 0);
		for (unsigned int j = 0; j < 32; j++)
			seen[j] |= chains[i]->writable[j];
		for (unsigned int j = 0; j < i; j++)
			assert_memory_not_equal(chains[i]->writable, chains[j]->writable, 32);
	}
	for (unsigned int j = 0; j < 32; j++)
		assert_int_not_equal(seen[j], 0);
	finish(&fixture);
}

/* A driver that never stops offering has the thread for a slice at a time. */
static void yields(void **state)
{
	struct fixture fixture;

	(void)state;
	make(&fixture, 0);
	for (unsigned int i = 0; i < 32; i++)
		fake_offer(fixture.device, 0, NULL, 0, 1 << 20);
	for (unsigned int i = 0; i < FAKE_CHAINS_MAX - 32; i++)
		fake_offer(fixture.device, 0, NULL, 0, 0); /* nothing to fill is work, too */
	fake_notify(fixture.device, 0);
	assert_true(fake_used_count(fixture.device, 0) < 8);
	assert_non_null(fixture.io.timer);
	fake_notify(fixture.device, 0); /* is no way to get more */
	assert_true(fake_used_count(fixture.device, 0) < 8);
	fake_settle(&fixture.io);
	assert_int_equal(fake_used_count(fixture.device, 0), FAKE_CHAINS_MAX);
	assert_true(fixture.io.timer_arms >= 8);
	finish(&fixture);
}

static void rate_is_kept_and_order(void **state)
{
	uint64_t total = 0;
	struct fixture fixture;

	(void)state;
	make(&fixture, 1000);
	for (unsigned int i = 0; i < 30; i++)
		fake_offer(fixture.device, 0, NULL, 0, 100 + i);
	fake_notify(fixture.device, 0);
	while (fixture.io.timer) {
		/* not a nanosecond early: nothing comes of a notification before the time */
		unsigned int used = fake_used_count(fixture.device, 0);

		fake_notify(fixture.device, 0);
		assert_int_equal(fake_used_count(fixture.device, 0), used);
		assert_true(fixture.io.timer->deadline_ns > now_ns);
		now_ns = fixture.io.timer->deadline_ns;
		fake_expire(&fixture.io);
		assert_int_equal(fake_used_count(fixture.device, 0), used + 1);
	}
	for (unsigned int i = 0; i < 30; i++) {
		uint64_t length = used_length(&fixture);

		assert_int_equal(length, 100 + i);
		total += length;
	}
	/* one bucketful at once, the rest at the rate */
	assert_true(now_ns - 1000 >= (total - 1000) * 1000000);
	assert_true(now_ns - 1000 <= (total - 1000) * 1000000 + 30 * 1000);
	finish(&fixture);
}

static void small_rates_give_small_answers(void **state)
{
	static const uint64_t rates[] = {1, 7, 4096, UINT64_C(1) << 30, UINT64_MAX};

	(void)state;
	for (size_t i = 0; i < array_size(rates); i++) {
		uint64_t expected = rates[i] < 65536 ? rates[i] : 65536;
		struct fixture fixture;

		make(&fixture, rates[i]);
		for (unsigned int j = 0; j < 4; j++) {
			fake_offer(fixture.device, 0, NULL, 0, 1 << 20);
			fake_notify(fixture.device, 0);
			if (fixture.io.timer) {
				now_ns = fixture.io.timer->deadline_ns;
				fake_expire(&fixture.io);
			}
			assert_int_equal(used_length(&fixture), expected);
		}
		/* a bucket does not overflow in a year */
		now_ns += 365 * 86400 * NANOSECONDS_PER_SECOND;
		fake_offer(fixture.device, 0, NULL, 0, 1 << 20);
		fake_notify(fixture.device, 0);
		assert_int_equal(used_length(&fixture), expected);
		finish(&fixture);
	}
}

static void reset_ends_what_waits(void **state)
{
	struct fixture fixture;

	(void)state;
	make(&fixture, 10);
	for (unsigned int i = 0; i < 5; i++)
		fake_offer(fixture.device, 0, NULL, 0, 10);
	fake_notify(fixture.device, 0);
	assert_non_null(fixture.io.timer);
	fake_reset(fixture.device);
	assert_null(fixture.io.timer);
	fake_offer(fixture.device, 0, NULL, 0, 10);
	fake_notify(fixture.device, 0); /* one that was on its way */
	assert_int_equal(fake_used_count(fixture.device, 0), 0);
	fake_activate(fixture.device, 0);
	now_ns += NANOSECONDS_PER_SECOND;
	fake_notify(fixture.device, 0);
	assert_int_equal(used_length(&fixture), 10);
	finish(&fixture);
}

static void broken_queue_is_left_alone(void **state)
{
	struct fixture fixture;

	(void)state;
	make(&fixture, 0);
	fake_queue(fixture.device, 0)->corrupt = true;
	fake_notify(fixture.device, 0);
	fake_notify(fixture.device, 0);
	assert_int_equal(fixture.io.broken, 1);
	fake_reset(fixture.device);
	fake_activate(fixture.device, 0);
	fake_offer(fixture.device, 0, NULL, 0, 8);
	fake_notify(fixture.device, 0);
	assert_int_equal(used_length(&fixture), 8);
	finish(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fills_every_size),
		cmocka_unit_test(gives_different_bytes),
		cmocka_unit_test(yields),
		cmocka_unit_test(rate_is_kept_and_order),
		cmocka_unit_test(small_rates_give_small_answers),
		cmocka_unit_test(reset_ends_what_waits),
		cmocka_unit_test(broken_queue_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
