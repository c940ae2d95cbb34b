/*
 * The cursors over a popped chain. See chain.h for the contract.
 *
 * Everything works on copies of a cursor that are stored back when the whole call can be done, so
 * that a refused call consumes nothing. left_bytes is the bound; the spans always hold at least as
 * much.
 */
#include "chain.h"

#include <errno.h>
#include <string.h>

/* The next piece of the cursor, at most length bytes and never empty; advances past it. The caller
 * has compared length, which is not 0, with left_bytes. */
static struct gmem_span next_piece(struct chain_cursor *cursor, uint64_t length)
{
	const struct gmem_span *span = &cursor->spans[cursor->index];
	uint32_t available = span->length - cursor->offset;
	/* SAFETY: offset < span->length, and the piece ends where the span does at the latest. */
	struct gmem_span piece = {(char *)span->host + cursor->offset,
		length < available ? (uint32_t)length : available};

	cursor->offset += piece.length;
	if (cursor->offset == span->length) {
		cursor->index++;
		cursor->offset = 0;
	}
	cursor->left_bytes -= piece.length;
	return piece;
}

static void skip(struct chain_cursor *cursor, uint64_t length)
{
	while (length)
		length -= next_piece(cursor, length).length;
}

static void copy_in(struct chain_cursor *cursor, const void *buffer, uint32_t length)
{
	const char *source = buffer;

	while (length) {
		struct gmem_span piece = next_piece(cursor, length);

		memcpy(piece.host, source, piece.length);
		source += piece.length;
		length -= piece.length;
	}
}

int chain_read(struct chain *chain, void *buffer, uint32_t length)
{
	char *target = buffer;

	if (length > chain->reader.left_bytes)
		return -ENODATA;
	while (length) {
		struct gmem_span piece = next_piece(&chain->reader, length);

		memcpy(target, piece.host, piece.length);
		target += piece.length;
		length -= piece.length;
	}
	return 0;
}

int chain_skip_readable(struct chain *chain, uint64_t length)
{
	if (length > chain->reader.left_bytes)
		return -ENODATA;
	skip(&chain->reader, length);
	return 0;
}

int chain_write(struct chain *chain, const void *buffer, uint32_t length)
{
	if (length > chain->writer.left_bytes)
		return -ENODATA;
	copy_in(&chain->writer, buffer, length);
	chain->written_bytes += length;
	return 0;
}

int chain_count_written(struct chain *chain, uint64_t length)
{
	if (length > chain->writable_bytes - chain->written_bytes)
		return -ENODATA;
	chain->written_bytes += length;
	return 0;
}

static int take(
	struct chain_cursor *cursor, uint64_t length, struct iovec *iov, unsigned int iov_max)
{
	struct chain_cursor ahead = *cursor;
	unsigned int count = 0;

	if (length > ahead.left_bytes)
		return -ENODATA;
	if (iov_max > INT32_MAX)
		iov_max = INT32_MAX;
	while (length) {
		struct gmem_span piece;

		if (count == iov_max)
			return -EMSGSIZE;
		piece = next_piece(&ahead, length);
		iov[count++] = (struct iovec){piece.host, piece.length};
		length -= piece.length;
	}
	*cursor = ahead;
	return (int)count;
}

int chain_take_readable(
	struct chain *chain, uint64_t length, struct iovec *iov, unsigned int iov_max)
{
	return take(&chain->reader, length, iov, iov_max);
}

int chain_take_writable(
	struct chain *chain, uint64_t length, struct iovec *iov, unsigned int iov_max)
{
	return take(&chain->writer, length, iov, iov_max);
}

int chain_write_last(struct chain *chain, const void *buffer, uint32_t length)
{
	struct chain_cursor tail = chain->writer;

	if (length > tail.left_bytes)
		return -ENODATA;
	skip(&tail, tail.left_bytes - length);
	copy_in(&tail, buffer, length);
	chain->writer.left_bytes -= length;
	chain->written_bytes += length;
	return 0;
}
