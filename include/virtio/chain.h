/*
 * One request from a driver: a validated descriptor chain, as two lists of spans, and the cursors
 * through which it is used. Nothing here looks at descriptors.
 *
 * Belongs to the thread that popped it. Consumed exactly once, by virtq_push.
 */
#pragma once

#include "compiler.h"
#include "gmem.h"

#include <stdint.h>
#include <sys/uio.h>

struct chain_cursor {
	const struct gmem_span *spans;
	uint16_t span_count;
	uint16_t index;  /* of the current span */
	uint32_t offset; /* in it */
	uint64_t left_bytes;
};

struct chain {
	uint16_t head; /* below the queue's size; no other chain has it while this is out */
	struct chain_cursor reader;              /* device-readable part */
	struct chain_cursor writer;              /* device-writable part */
	uint64_t written_bytes;                  /* what the used length will be */
	uint64_t readable_bytes, writable_bytes; /* [const] in all */
};

/* All or nothing: -ENODATA when fewer bytes are left (then nothing was consumed). The bytes are
 * copied once. */
must_check int chain_read(struct chain *chain, void *buffer, uint32_t length);
must_check int chain_skip_readable(struct chain *chain, uint64_t length);

/* Likewise for the writable part; counts into the used length. */
must_check int chain_write(struct chain *chain, const void *buffer, uint32_t length);
/* Bytes that somebody else has written (an I/O engine, through chain_take_writable). */
must_check int chain_count_written(struct chain *chain, uint64_t length);

/* Moves the next length bytes out as iovecs for an I/O engine: at most iov_max entries, -EMSGSIZE
 * when they do not do, -ENODATA when fewer bytes are left; nothing is consumed then. Returns the
 * number of entries. Taking writable bytes does not count them as written. */
must_check int chain_take_readable(
	struct chain *chain, uint64_t length, struct iovec *iov, unsigned int iov_max);
must_check int chain_take_writable(
	struct chain *chain, uint64_t length, struct iovec *iov, unsigned int iov_max);

/* Splits the last length bytes of the writable part off (a status byte behind data that has not
 * been taken): writes them without moving the writer's cursor. Counts them. */
must_check int chain_write_last(struct chain *chain, const void *buffer, uint32_t length);
