/*
 * Token buckets for bytes and operations, kept as times: each bucket remembers when it will be full
 * again. Pure: the caller brings the time and owns the waiting. Several threads may take from the
 * same limit; what they take at the same time beyond it becomes debt.
 *
 * A request larger than a bucket is let through when the bucket is full and leaves a debt that
 * later requests wait for.
 */
#pragma once

#include "compiler.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* 0: no limit; a burst of 0: what the rate gives in 100 ms. */
struct rate_limit_options {
	uint64_t bytes_per_second, burst_bytes;
	uint64_t operations_per_second, burst_operations;
};

struct rate_bucket {
	uint64_t rate; /* units per second, 0: no limit */
	uint64_t burst_ns;
	_Atomic uint64_t full_ns; /* when it is full again */
};

struct rate_limit {
	struct rate_bucket bytes, operations;
};

void rate_limit_init(struct rate_limit *limit, const struct rate_limit_options *options);

bool rate_limit_is_on(const struct rate_limit *limit);

/* 0: taken; otherwise the time at which to try again, nothing was taken. */
must_check uint64_t rate_limit_take(struct rate_limit *limit, uint64_t now_ns, uint64_t bytes);

/* Takes without asking: what is missing becomes debt. */
void rate_limit_force(struct rate_limit *limit, uint64_t now_ns, uint64_t bytes);
