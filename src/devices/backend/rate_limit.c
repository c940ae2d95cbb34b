/* See rate_limit.h. */
#include "rate_limit.h"

#include "clock.h"

#define BURST_DEFAULT_NS (NANOSECONDS_PER_SECOND / 10)

/* A century: no sum of times near it wraps. */
#define TIME_MAX_NS (UINT64_C(100) * 365 * 86400 * NANOSECONDS_PER_SECOND)

/* Rounded up: a limit is not exceeded. */
static uint64_t cost_ns(const struct rate_bucket *bucket, uint64_t units)
{
	__uint128_t time = (__uint128_t)units * NANOSECONDS_PER_SECOND + bucket->rate - 1;

	time /= bucket->rate;
	return time > TIME_MAX_NS ? TIME_MAX_NS : (uint64_t)time;
}

static void init_bucket(struct rate_bucket *bucket, uint64_t rate, uint64_t burst)
{
	*bucket = (struct rate_bucket){.rate = rate};
	if (rate)
		bucket->burst_ns = burst ? cost_ns(bucket, burst) : BURST_DEFAULT_NS;
}

void rate_limit_init(struct rate_limit *limit, const struct rate_limit_options *options)
{
	init_bucket(&limit->bytes, options->bytes_per_second, options->burst_bytes);
	init_bucket(&limit->operations, options->operations_per_second, options->burst_operations);
}

bool rate_limit_is_on(const struct rate_limit *limit)
{
	return limit->bytes.rate || limit->operations.rate;
}

/* The earliest time at which the bucket holds as much, or is full. */
static uint64_t ready_ns(const struct rate_bucket *bucket, uint64_t units)
{
	uint64_t cost, spare, full_ns;

	if (!bucket->rate || !units)
		return 0;
	cost = cost_ns(bucket, units);
	spare = cost < bucket->burst_ns ? bucket->burst_ns - cost : 0;
	full_ns = atomic_load_explicit(&bucket->full_ns, memory_order_relaxed);
	return full_ns > spare ? full_ns - spare : 0;
}

static void take(struct rate_bucket *bucket, uint64_t now_ns, uint64_t units)
{
	uint64_t old_ns, full_ns;

	if (!bucket->rate || !units)
		return;
	old_ns = atomic_load_explicit(&bucket->full_ns, memory_order_relaxed);
	do {
		full_ns = old_ns < now_ns ? now_ns : old_ns;
		full_ns += cost_ns(bucket, units);
		if (full_ns - now_ns > TIME_MAX_NS)
			full_ns = now_ns + TIME_MAX_NS;
	} while (!atomic_compare_exchange_weak_explicit(
		&bucket->full_ns, &old_ns, full_ns, memory_order_relaxed, memory_order_relaxed));
}

uint64_t rate_limit_take(struct rate_limit *limit, uint64_t now_ns, uint64_t bytes)
{
	uint64_t bytes_ns = ready_ns(&limit->bytes, bytes);
	uint64_t operations_ns = ready_ns(&limit->operations, 1);
	uint64_t ready = bytes_ns > operations_ns ? bytes_ns : operations_ns;

	if (ready > now_ns)
		return ready;
	rate_limit_force(limit, now_ns, bytes);
	return 0;
}

void rate_limit_force(struct rate_limit *limit, uint64_t now_ns, uint64_t bytes)
{
	take(&limit->bytes, now_ns, bytes);
	take(&limit->operations, now_ns, 1);
}
