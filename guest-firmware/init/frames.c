/* Frames on a connection, see session.h. */
#include "session.h"

#include "linux.h"
#include "words.h"

int frames_read(struct frames *frames)
{
	for (;;) {
		size_t wanted = SERVE_HEADER_BYTES;
		long count;

		if (frames->length >= SERVE_HEADER_BYTES) {
			frames->payload_length = serve_number(frames->bytes + 1);
			if (frames->payload_length > SERVE_PAYLOAD_BYTES_MAX)
				return -EPROTO;
			wanted += frames->payload_length;
			if (frames->length == wanted)
				return 1;
		}
		/* Never behind the frame: it begins at the beginning. */
		count = sys_read(
			frames->fd, frames->bytes + frames->length, wanted - frames->length);
		if (count == -EAGAIN)
			return 0;
		if (count <= 0)
			return -EPIPE;
		frames->length += (size_t)count;
	}
}

void frames_next(struct frames *frames)
{
	frames->length = 0;
}

int frames_wait(struct frames *frames)
{
	struct pollfd readable = {.fd = frames->fd, .events = POLLIN};
	int r;

	while ((r = frames_read(frames)) == 0)
		(void)sys_poll(&readable, 1, -1);
	return r;
}

int write_all(int fd, const void *bytes, size_t length)
{
	const char *from = bytes;

	while (length) {
		struct pollfd writable = {.fd = fd, .events = POLLOUT};
		long count = sys_write(fd, from, length);

		if (count == -EAGAIN) {
			(void)sys_poll(&writable, 1, -1);
		} else if (count < 0) {
			return (int)count;
		} else {
			from += count;
			length -= (size_t)count;
		}
	}
	return 0;
}

int frame_send(int fd, enum serve_type type, const void *payload, size_t length)
{
	uint8_t header[SERVE_HEADER_BYTES];
	int r;

	serve_put_header(header, type, (uint32_t)length);
	r = write_all(fd, header, sizeof(header));
	return r < 0 ? r : write_all(fd, payload, length);
}

int frame_send_number(int fd, enum serve_type type, uint32_t number)
{
	uint8_t bytes[4];

	serve_put_number(bytes, number);
	return frame_send(fd, type, bytes, sizeof(bytes));
}

void frame_send_failure(int fd, int error, const char *what)
{
	uint8_t bytes[4 + 128];
	size_t length = text_length(what);

	serve_put_number(bytes, (uint32_t)-error);
	for (size_t i = 0; i < length; i++)
		bytes[4 + i] = (uint8_t)what[i];
	(void)frame_send(fd, SERVE_FAILED, bytes, 4 + length);
}
