/* See frame_stream.h. */
#include "frame_stream.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define LENGTH_BYTES 4

_Static_assert(FRAME_READER_BYTES >= 2 * (LENGTH_BYTES + FRAME_STREAM_FRAME_MAX),
	"a partial frame leaves room for the rest of it");

void frame_reader_init(struct frame_reader *reader)
{
	reader->start = reader->end = 0;
}

int frame_reader_fill(struct frame_reader *reader, int fd)
{
	ssize_t count;

	if (reader->start > 0) {
		memmove(reader->buffer, reader->buffer + reader->start,
			reader->end - reader->start);
		reader->end -= reader->start;
		reader->start = 0;
	}
	if (reader->end == sizeof(reader->buffer))
		return 0;
	do
		count = recv(fd, reader->buffer + reader->end, sizeof(reader->buffer) - reader->end,
			MSG_DONTWAIT);
	while (count < 0 && errno == EINTR);
	if (count < 0)
		return errno == EAGAIN ? 0 : -errno;
	if (count == 0)
		return -EPIPE;
	reader->end += (size_t)count;
	return 1;
}

int frame_reader_next(struct frame_reader *reader, const uint8_t **ret_frame, size_t *ret_length)
{
	const uint8_t *head = reader->buffer + reader->start;
	size_t available = reader->end - reader->start;
	size_t length;

	if (available < LENGTH_BYTES)
		return 0;
	length = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
	if (length > FRAME_STREAM_FRAME_MAX)
		return -EPROTO;
	if (available - LENGTH_BYTES < length)
		return 0;
	reader->start += LENGTH_BYTES + length;
	*ret_frame = head + LENGTH_BYTES;
	*ret_length = length;
	return 1;
}

void frame_writer_init(struct frame_writer *writer)
{
	writer->start = writer->used = 0;
}

size_t frame_writer_room(const struct frame_writer *writer)
{
	return sizeof(writer->buffer) - writer->used;
}

static void put_bytes(struct frame_writer *writer, const uint8_t *bytes, size_t length)
{
	size_t at = (writer->start + writer->used) % sizeof(writer->buffer);
	size_t first = sizeof(writer->buffer) - at;

	if (first > length)
		first = length;
	memcpy(writer->buffer + at, bytes, first);
	memcpy(writer->buffer, bytes + first, length - first);
	writer->used += length;
}

bool frame_writer_put(struct frame_writer *writer, const uint8_t *frame, size_t length)
{
	const uint8_t head[LENGTH_BYTES] = {(uint8_t)(length >> 24), (uint8_t)(length >> 16),
		(uint8_t)(length >> 8), (uint8_t)length};

	if (length > FRAME_STREAM_FRAME_MAX || frame_writer_room(writer) < LENGTH_BYTES + length)
		return false;
	put_bytes(writer, head, sizeof(head));
	put_bytes(writer, frame, length);
	return true;
}

int frame_writer_flush(struct frame_writer *writer, int fd)
{
	while (writer->used > 0) {
		size_t first = sizeof(writer->buffer) - writer->start;
		struct iovec parts[2];
		struct msghdr message = {.msg_iov = parts, .msg_iovlen = array_size(parts)};
		ssize_t count;

		if (first > writer->used)
			first = writer->used;
		parts[0] = (struct iovec){writer->buffer + writer->start, first};
		parts[1] = (struct iovec){writer->buffer, writer->used - first};
		count = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return errno == EAGAIN ? 0 : -errno;
		writer->start = (writer->start + (size_t)count) % sizeof(writer->buffer);
		writer->used -= (size_t)count;
	}
	writer->start = 0;
	return 0;
}
