#include "cmocka_all.h"
#include "rate_limit.h"

#define SECOND UINT64_C(1000000000)

/* Requests of so many bytes as fast as the limit lets them through: how many until the end. */
static unsigned int count_until(
	struct rate_limit *limit, uint64_t start, uint64_t end, uint64_t bytes)
{
	uint64_t now = start;
	unsigned int count = 0;

	while (now < end) {
		uint64_t retry = rate_limit_take(limit, now, bytes);

		if (retry) {
			assert_true(retry > now);
			now = retry;
		} else {
			count++;
		}
	}
	return count;
}

static void off(void **state)
{
	struct rate_limit limit;

	(void)state;
	rate_limit_init(&limit, &(struct rate_limit_options){0});
	assert_false(rate_limit_is_on(&limit));
	for (unsigned int i = 0; i < 1000; i++)
		assert_int_equal(rate_limit_take(&limit, 5, UINT64_MAX), 0);
}

static void operations(void **state)
{
	struct rate_limit limit;

	(void)state;
	rate_limit_init(&limit,
		&(struct rate_limit_options){.operations_per_second = 100, .burst_operations = 5});
	assert_true(rate_limit_is_on(&limit));
	/* The burst, and then the rate: 5 at once, one each 10 ms. */
	assert_int_equal(count_until(&limit, SECOND, SECOND + 1, 4096), 5);
	assert_int_equal(count_until(&limit, SECOND + 1, 2 * SECOND, 4096), 99);
	/* Idle time fills the bucket and no more. */
	assert_int_equal(count_until(&limit, 100 * SECOND, 100 * SECOND + 1, 4096), 5);
}

static void bytes(void **state)
{
	struct rate_limit limit;

	(void)state;
	rate_limit_init(&limit,
		&(struct rate_limit_options){.bytes_per_second = 1 << 20, .burst_bytes = 64 << 10});
	assert_int_equal(count_until(&limit, SECOND, SECOND + 1, 4096), 16);
	assert_in_range(count_until(&limit, SECOND + 1, 11 * SECOND, 4096), 2559, 2560);
	/* What moves no bytes is free. */
	for (unsigned int i = 0; i < 100; i++)
		assert_int_equal(rate_limit_take(&limit, 11 * SECOND, 0), 0);
}

static void default_burst(void **state)
{
	struct rate_limit limit;

	(void)state;
	rate_limit_init(&limit, &(struct rate_limit_options){.operations_per_second = 1000});
	assert_int_equal(count_until(&limit, SECOND, SECOND + 1, 0), 100);
	/* Slower than one in 100 ms: one at a time nevertheless. */
	rate_limit_init(&limit, &(struct rate_limit_options){.operations_per_second = 1});
	assert_int_equal(count_until(&limit, SECOND, SECOND + 1, 0), 1);
	assert_int_equal(count_until(&limit, SECOND + 1, 11 * SECOND, 0), 9);
}

/* Larger than the bucket: let through when it is full, and paid for afterwards. */
static void large_request(void **state)
{
	struct rate_limit limit;
	uint64_t retry;

	(void)state;
	rate_limit_init(
		&limit, &(struct rate_limit_options){.bytes_per_second = 1000, .burst_bytes = 100});
	assert_int_equal(rate_limit_take(&limit, SECOND, 10000), 0);
	retry = rate_limit_take(&limit, SECOND, 1);
	assert_in_range(retry, 10 * SECOND + SECOND * 9 / 10, 11 * SECOND);
	assert_int_equal(rate_limit_take(&limit, retry, 1), 0);
	/* The next one has to find it full again. */
	retry = rate_limit_take(&limit, retry, 10000);
	assert_in_range(retry, 11 * SECOND, 11 * SECOND + SECOND / 5);
}

/* The slower of the two decides, and a refusal costs nothing. */
static void both(void **state)
{
	struct rate_limit limit;
	uint64_t retry;

	(void)state;
	rate_limit_init(&limit, &(struct rate_limit_options){.bytes_per_second = 1 << 20,
					.burst_bytes = 1 << 20,
					.operations_per_second = 10,
					.burst_operations = 1});
	assert_int_equal(rate_limit_take(&limit, SECOND, 512), 0);
	retry = rate_limit_take(&limit, SECOND, 512);
	assert_int_equal(retry, SECOND + SECOND / 10);
	for (unsigned int i = 0; i < 10000; i++)
		assert_int_equal(rate_limit_take(&limit, SECOND, 512), retry);
	assert_int_equal(rate_limit_take(&limit, retry, 512), 0);
}

static void forced_is_debt(void **state)
{
	struct rate_limit limit;

	(void)state;
	rate_limit_init(&limit,
		&(struct rate_limit_options){.operations_per_second = 10, .burst_operations = 1});
	for (unsigned int i = 0; i < 20; i++)
		rate_limit_force(&limit, SECOND, 4096);
	assert_int_equal(rate_limit_take(&limit, SECOND, 4096), 3 * SECOND);
}

static void extremes(void **state)
{
	struct rate_limit limit;

	(void)state;
	rate_limit_init(&limit, &(struct rate_limit_options){.bytes_per_second = UINT64_MAX,
					.burst_bytes = UINT64_MAX,
					.operations_per_second = UINT64_MAX});
	assert_int_equal(rate_limit_take(&limit, SECOND, UINT64_MAX / 2), 0);
	rate_limit_init(&limit,
		&(struct rate_limit_options){.bytes_per_second = 1, .burst_bytes = UINT64_MAX});
	for (unsigned int i = 0; i < 100; i++)
		rate_limit_force(&limit, SECOND, UINT64_MAX);
	assert_true(rate_limit_take(&limit, SECOND, 1) > SECOND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(off),
		cmocka_unit_test(operations),
		cmocka_unit_test(bytes),
		cmocka_unit_test(default_burst),
		cmocka_unit_test(large_request),
		cmocka_unit_test(both),
		cmocka_unit_test(forced_is_debt),
		cmocka_unit_test(extremes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
