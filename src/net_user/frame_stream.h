/*
 * Ethernet frames on a stream socket, each behind its length as 4 bytes in network order (what
 * QEMU's `-netdev stream` and passt speak). Bounded: what does not fit is refused, never stored.
 *
 * One thread. Reader and writer are large; they live in the caller's heap object.
 */
#pragma once

#include "compiler.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The longest frame that peers send (QEMU's NET_BUFSIZE); a longer one means that the stream is out
 * of step. */
#define FRAME_STREAM_FRAME_MAX (4096 + 65536)
#define FRAME_READER_BYTES     (512 << 10)
#define FRAME_WRITER_BYTES     (1 << 20)

struct frame_reader {
	size_t start, end; /* what is read and not taken yet */
	uint8_t buffer[FRAME_READER_BYTES];
};

struct frame_writer {
	size_t start, used; /* a ring */
	uint8_t buffer[FRAME_WRITER_BYTES];
};

void frame_reader_init(struct frame_reader *reader);

/* Reads what is there without waiting. 1: something came; 0: nothing did; -EPIPE: the peer has
 * closed; -errno. Takes no more while the buffer is full of frames that nobody took. */
must_check int frame_reader_fill(struct frame_reader *reader, int fd);

/* The next whole frame: 1 and the frame, which stays until the next fill; 0: it has not come yet;
 * -EPROTO: a length that cannot be. Frames may be empty. */
must_check int frame_reader_next(
	struct frame_reader *reader, const uint8_t **ret_frame, size_t *ret_length);

void frame_writer_init(struct frame_writer *writer);

/* A whole frame or nothing; false: there is no room. */
must_check bool frame_writer_put(struct frame_writer *writer, const uint8_t *frame, size_t length);
size_t frame_writer_room(const struct frame_writer *writer);

/* Writes what the peer takes without waiting. 0 (perhaps with a rest), -errno. */
must_check int frame_writer_flush(struct frame_writer *writer, int fd);
