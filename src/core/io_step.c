/* See io_step.h. */
#include "io_step.h"

#include <errno.h>
#include <limits.h>

/* Direct I/O wants offsets that are multiples of at least this. */
#define SECTOR_BYTES 512

static bool is_transfer(const struct io_operation *operation)
{
	return operation->opcode == IO_READV || operation->opcode == IO_WRITEV;
}

/* Entries without bytes are passed over, so that a result of 0 can only mean end of file. */
static bool has_bytes_left(struct io_operation *operation)
{
	while (operation->iov_moved < operation->iov_count &&
		operation->iov[operation->iov_moved].iov_len == 0)
		operation->iov_moved++;
	return operation->iov_moved < operation->iov_count;
}

bool io_step_begin(struct io_operation *operation)
{
	operation->result = 0;
	operation->iov_moved = 0;
	operation->again = false;
	return !is_transfer(operation) || has_bytes_left(operation);
}

struct io_chunk io_step_chunk(const struct io_operation *operation)
{
	unsigned int left = operation->iov_count - operation->iov_moved;
	uint64_t offset = operation->offset;

	if (!is_transfer(operation))
		return (struct io_chunk){.offset = offset};
	if (offset != IO_OFFSET_STREAM)
		offset += (uint64_t)operation->result;
	return (struct io_chunk){
		.iov = operation->iov + operation->iov_moved,
		.iov_count = left < IOV_MAX ? left : IOV_MAX,
		.offset = offset,
	};
}

static void consume(struct io_operation *operation, uint64_t moved_bytes)
{
	operation->result += (int64_t)moved_bytes;
	while (moved_bytes > 0) {
		struct iovec *iov = &operation->iov[operation->iov_moved];

		if (moved_bytes < iov->iov_len) {
			iov->iov_base = (char *)iov->iov_base + moved_bytes;
			iov->iov_len -= moved_bytes;
			return;
		}
		moved_bytes -= iov->iov_len;
		operation->iov_moved++;
	}
}

/* Behind a direct read that met the unaligned end of a file, some file systems refuse the next one
 * for its offset instead of saying "end of file". */
static bool is_direct_end_of_file(const struct io_operation *operation, int64_t result)
{
	return result == -EINVAL && operation->opcode == IO_READV && operation->result > 0 &&
	       operation->offset != IO_OFFSET_STREAM &&
	       (operation->offset + (uint64_t)operation->result) % SECTOR_BYTES != 0;
}

bool io_step_advance(struct io_operation *operation, int64_t result)
{
	if (result == -EINTR)
		return false;
	if (result < 0) {
		if (!is_direct_end_of_file(operation, result))
			operation->result = result;
		return true;
	}
	if (!is_transfer(operation))
		return true;
	if (result == 0) {
		if (operation->opcode == IO_WRITEV)
			operation->result = -EIO; /* it would be tried for ever */
		return true;
	}
	operation->again = false;
	consume(operation, (uint64_t)result);
	return !has_bytes_left(operation);
}
