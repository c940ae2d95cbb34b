/*
 * An operation as a series of system calls: how far it is and what the next one is. The one place
 * where short transfers, long vectors and retries are decided, for every engine.
 *
 * Run by whoever holds the operation: the I/O thread, or a thread of the pool.
 */
#pragma once

#include "io_thread.h"

#include <sys/types.h>

/* The next preadv2/pwritev2, or its equivalent; empty for what transfers nothing. */
struct io_chunk {
	struct iovec *iov;
	unsigned int iov_count; /* at most IOV_MAX */
	uint64_t offset;
};

/* Forgets earlier use. False: there is nothing to do, the operation has finished with 0. */
must_check bool io_step_begin(struct io_operation *operation);

struct io_chunk io_step_chunk(const struct io_operation *operation);

/* Takes the result of one call (a count or -errno). True: the operation has finished and its result
 * is final; false: there is another call to make. */
must_check bool io_step_advance(struct io_operation *operation, int64_t result);
