#include "cmocka_all.h"
#include "frame_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Lengths are written here by hand, in network order. */
static const uint8_t three_frames[] = {
	0,
	0,
	0,
	3,
	'a',
	'b',
	'c', /* a short one */
	0,
	0,
	0,
	0, /* an empty one */
	0,
	0,
	0,
	5,
	'1',
	'2',
	'3',
	'4',
	'5',
};

struct pair {
	int ours, theirs;
	struct frame_reader reader;
	struct frame_writer writer;
};

static struct pair *pair_create(void)
{
	struct pair *pair = calloc(1, sizeof(*pair));
	int fds[2];

	assert_non_null(pair);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	pair->ours = fds[0];
	pair->theirs = fds[1];
	frame_reader_init(&pair->reader);
	frame_writer_init(&pair->writer);
	return pair;
}

static void pair_destroy(struct pair *pair)
{
	(void)close(pair->ours);
	(void)close(pair->theirs);
	free(pair);
}

static void send_bytes(struct pair *pair, const void *bytes, size_t length)
{
	assert_int_equal(send(pair->theirs, bytes, length, MSG_NOSIGNAL), length);
}

static void expect_frame(struct pair *pair, const char *content)
{
	const uint8_t *frame;
	size_t length;

	assert_int_equal(frame_reader_next(&pair->reader, &frame, &length), 1);
	assert_int_equal(length, strlen(content));
	assert_memory_equal(frame, content, length);
}

static void expect_no_frame(struct pair *pair, int r)
{
	const uint8_t *frame;
	size_t length;

	assert_int_equal(frame_reader_next(&pair->reader, &frame, &length), r);
}

/* In two parts, split at every byte; and byte by byte. */
static void frames_come_in_pieces(void **state)
{
	(void)state;
	for (size_t split = 0; split <= sizeof(three_frames); split++) {
		struct pair *pair = pair_create();
		const uint8_t *frame;
		size_t length, count = 0;

		for (int part = 0; part < 2; part++) {
			size_t from = part ? split : 0;
			size_t to = part ? sizeof(three_frames) : split;

			if (from == to)
				continue;
			send_bytes(pair, three_frames + from, to - from);
			assert_int_equal(frame_reader_fill(&pair->reader, pair->ours), 1);
			while (frame_reader_next(&pair->reader, &frame, &length) == 1)
				count++;
		}
		assert_int_equal(count, 3);
		pair_destroy(pair);
	}
}

static void frames_are_what_was_sent(void **state)
{
	struct pair *pair = pair_create();

	(void)state;
	for (size_t i = 0; i < sizeof(three_frames); i++) {
		send_bytes(pair, three_frames + i, 1);
		assert_int_equal(frame_reader_fill(&pair->reader, pair->ours), 1);
	}
	expect_frame(pair, "abc");
	expect_frame(pair, "");
	expect_frame(pair, "12345");
	expect_no_frame(pair, 0);
	assert_int_equal(frame_reader_fill(&pair->reader, pair->ours), 0);
	assert_int_equal(shutdown(pair->theirs, SHUT_WR), 0);
	assert_int_equal(frame_reader_fill(&pair->reader, pair->ours), -EPIPE);
	pair_destroy(pair);
}

static void lengths_that_cannot_be(void **state)
{
	static const uint8_t lengths[][4] = {
		{0, 1, 0x10, 1},
		{0x7f, 0xff, 0xff, 0xff},
		{0x80, 0, 0, 0},
		{0xff, 0xff, 0xff, 0xff},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct pair *pair = pair_create();

		send_bytes(pair, lengths[i], sizeof(lengths[i]));
		assert_int_equal(frame_reader_fill(&pair->reader, pair->ours), 1);
		expect_no_frame(pair, -EPROTO);
		pair_destroy(pair);
	}
}

/* The longest frame that may come, over and over: it always fits. */
static void longest_frames(void **state)
{
	static uint8_t bytes[4 + FRAME_STREAM_FRAME_MAX] = {0, 1, 0x10, 0};
	struct pair *pair = pair_create();
	size_t sent = 0, count = 0;

	(void)state;
	while (count < 40) {
		const uint8_t *frame;
		size_t length;
		ssize_t r = send(pair->theirs, bytes + sent, sizeof(bytes) - sent,
			MSG_DONTWAIT | MSG_NOSIGNAL);

		if (r > 0)
			sent = (sent + (size_t)r) % sizeof(bytes);
		assert_true(frame_reader_fill(&pair->reader, pair->ours) >= 0);
		while (frame_reader_next(&pair->reader, &frame, &length) == 1) {
			assert_int_equal(length, FRAME_STREAM_FRAME_MAX);
			count++;
		}
	}
	pair_destroy(pair);
}

/* Frames nobody takes fill the buffer, and then no more is read. */
static void frames_nobody_takes(void **state)
{
	static const uint8_t zeroes[4096];
	struct pair *pair = pair_create();
	size_t total = 0;

	(void)state;
	while (total < 2 * FRAME_READER_BYTES) {
		if (send(pair->theirs, zeroes, sizeof(zeroes), MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
			frame_reader_fill(&pair->reader, pair->ours) == 0)
			break;
		total += sizeof(zeroes);
	}
	assert_true(total < 2 * FRAME_READER_BYTES);
	pair_destroy(pair);
}

static void writer_is_bounded(void **state)
{
	static const uint8_t frame[60000];
	static uint8_t longer[FRAME_STREAM_FRAME_MAX + 1];
	struct pair *pair = pair_create();
	size_t count = 0;

	(void)state;
	while (frame_writer_put(&pair->writer, frame, sizeof(frame)))
		count++;
	assert_int_equal(count, FRAME_WRITER_BYTES / (4 + sizeof(frame)));
	assert_true(frame_writer_room(&pair->writer) < 4 + sizeof(frame));
	frame_writer_init(&pair->writer);
	assert_false(frame_writer_put(&pair->writer, longer, sizeof(longer)));
	assert_int_equal(frame_writer_room(&pair->writer), FRAME_WRITER_BYTES);
	pair_destroy(pair);
}

/* What the writer sends the reader reads, through every wrap of the ring, with a slow reader. */
static void writer_and_reader_agree(void **state)
{
	struct pair *pair = pair_create();
	uint8_t out[3000], sequence_out = 0, sequence_in = 0;
	size_t received = 0;

	(void)state;
	while (received < 5000) {
		const uint8_t *frame;
		size_t length = (size_t)sequence_out * 11;

		memset(out, sequence_out, length);
		if (frame_writer_put(&pair->writer, out, length))
			sequence_out++;
		if (sequence_out % 16 && frame_writer_room(&pair->writer) > 4096)
			continue;
		assert_int_equal(frame_writer_flush(&pair->writer, pair->theirs), 0);
		assert_true(frame_reader_fill(&pair->reader, pair->ours) >= 0);
		for (int i = 0; i < 20; i++) {
			if (frame_reader_next(&pair->reader, &frame, &length) != 1)
				break;
			assert_int_equal(length, (size_t)sequence_in * 11);
			for (size_t at = 0; at < length; at++)
				assert_int_equal(frame[at], sequence_in);
			sequence_in++;
			received++;
		}
	}
	pair_destroy(pair);
}

static void writer_notices_the_end(void **state)
{
	struct pair *pair = pair_create();

	(void)state;
	assert_true(frame_writer_put(&pair->writer, (const uint8_t *)"x", 1));
	assert_int_equal(shutdown(pair->ours, SHUT_RD), 0);
	assert_int_equal(frame_writer_flush(&pair->writer, pair->theirs), -EPIPE);
	pair_destroy(pair);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_come_in_pieces),
		cmocka_unit_test(frames_are_what_was_sent),
		cmocka_unit_test(lengths_that_cannot_be),
		cmocka_unit_test(longest_frames),
		cmocka_unit_test(frames_nobody_takes),
		cmocka_unit_test(writer_is_bounded),
		cmocka_unit_test(writer_and_reader_agree),
		cmocka_unit_test(writer_notices_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
