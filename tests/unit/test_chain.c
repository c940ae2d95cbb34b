/* Cursors over chains: spans of every cut, all or nothing, the last bytes, what is counted. */
#include "chain.h"
#include "cmocka_all.h"

#include <errno.h>
#include <string.h>

#define BYTES 24

/* The same 24 bytes for either part, cut into spans of these lengths. */
struct fixture {
	char readable[BYTES], writable[BYTES + 1];
	struct gmem_span spans[2 * BYTES];
	struct chain chain;
};

static void build(struct fixture *fixture, const uint32_t *lengths, uint16_t count)
{
	uint32_t offset = 0;

	for (uint32_t i = 0; i < BYTES; i++)
		fixture->readable[i] = (char)('a' + i);
	memset(fixture->writable, '.', BYTES);
	fixture->writable[BYTES] = 0;
	for (uint16_t i = 0; i < count; i++) {
		fixture->spans[i] = (struct gmem_span){fixture->readable + offset, lengths[i]};
		fixture->spans[count + i] = (struct gmem_span){
			fixture->writable + offset, lengths[i]};
		offset += lengths[i];
	}
	assert_int_equal(offset, BYTES);
	fixture->chain = (struct chain){
		.reader = {fixture->spans, count, 0, 0, BYTES},
		.writer = {fixture->spans + count, count, 0, 0, BYTES},
		.readable_bytes = BYTES,
		.writable_bytes = BYTES,
	};
}

static const uint32_t cuts[][BYTES + 1] = {
	{24},
	{1, 23},
	{23, 1},
	{12, 12},
	{5, 6, 7, 6},
	{8, 1, 1, 14},
	{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1},
};

static uint16_t cut_count(const uint32_t *lengths)
{
	uint16_t count = 0;

	while (lengths[count])
		count++;
	return count;
}

#define for_each_cut(fixture, i)                                                                \
	for (size_t i = 0;                                                                      \
		i < array_size(cuts) && (build(&(fixture), cuts[i], cut_count(cuts[i])), true); \
		i++)

static void reading(void **state)
{
	struct fixture f;

	(void)state;
	for (uint32_t step = 1; step <= BYTES; step++) {
		for_each_cut(f, i)
		{
			char in[BYTES + 1] = {0};
			uint32_t done = 0;

			for (; done + step <= BYTES; done += step)
				assert_int_equal(chain_read(&f.chain, in + done, step), 0);
			assert_int_equal(chain_read(&f.chain, in, BYTES - done + 1), -ENODATA);
			assert_int_equal(chain_read(&f.chain, in + done, BYTES - done), 0);
			assert_string_equal(in, "abcdefghijklmnopqrstuvwx");
			assert_int_equal(f.chain.reader.left_bytes, 0);
			assert_int_equal(chain_read(&f.chain, in, 0), 0);
			assert_int_equal(chain_read(&f.chain, in, 1), -ENODATA);
		}
	}
}

static void skipping(void **state)
{
	struct fixture f;

	(void)state;
	for (uint32_t first = 0; first < BYTES; first++) {
		for_each_cut(f, i)
		{
			char c;

			assert_int_equal(chain_skip_readable(&f.chain, BYTES + 1), -ENODATA);
			assert_int_equal(chain_skip_readable(&f.chain, UINT64_MAX), -ENODATA);
			assert_int_equal(chain_skip_readable(&f.chain, first), 0);
			assert_int_equal(chain_read(&f.chain, &c, 1), 0);
			assert_int_equal(c, 'a' + (char)first);
			assert_int_equal(chain_skip_readable(&f.chain, BYTES - first - 1), 0);
			assert_int_equal(chain_skip_readable(&f.chain, 1), -ENODATA);
		}
	}
}

static void writing(void **state)
{
	static const char text[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	struct fixture f;

	(void)state;
	for (uint32_t step = 1; step <= BYTES; step++) {
		for_each_cut(f, i)
		{
			uint32_t done = 0;

			for (; done + step <= BYTES; done += step)
				assert_int_equal(chain_write(&f.chain, text + done, step), 0);
			assert_int_equal(f.chain.written_bytes, done);
			assert_int_equal(chain_write(&f.chain, text, BYTES - done + 1), -ENODATA);
			assert_int_equal(f.chain.written_bytes, done);
			assert_memory_equal(f.writable, text, done);
			for (uint32_t k = done; k < BYTES; k++)
				assert_int_equal(f.writable[k], '.');
		}
	}
}

static void counting(void **state)
{
	struct fixture f;

	(void)state;
	for_each_cut(f, i)
	{
		assert_int_equal(chain_write(&f.chain, "xx", 2), 0);
		assert_int_equal(chain_count_written(&f.chain, 10), 0);
		assert_int_equal(f.chain.written_bytes, 12);
		assert_int_equal(chain_count_written(&f.chain, BYTES - 11), -ENODATA);
		assert_int_equal(chain_count_written(&f.chain, UINT64_MAX), -ENODATA);
		assert_int_equal(f.chain.written_bytes, 12);
		assert_int_equal(chain_count_written(&f.chain, BYTES - 12), 0);
		assert_int_equal(chain_count_written(&f.chain, 0), 0);
		assert_int_equal(chain_count_written(&f.chain, 1), -ENODATA);
	}
}

static void check_iov(const struct iovec *iov, int count, const char *start, size_t length)
{
	for (int i = 0; i < count; i++) {
		assert_ptr_equal(iov[i].iov_base, start);
		assert_true(iov[i].iov_len > 0 && iov[i].iov_len <= length);
		start += iov[i].iov_len;
		length -= iov[i].iov_len;
	}
	assert_int_equal(length, 0);
}

static void taking(void **state)
{
	struct iovec iov[BYTES];
	struct fixture f;

	(void)state;
	for (uint32_t first = 0; first <= BYTES; first++) {
		for_each_cut(f, i)
		{
			int count;

			assert_int_equal(
				chain_take_readable(&f.chain, BYTES + 1, iov, BYTES), -ENODATA);
			count = chain_take_readable(&f.chain, first, iov, BYTES);
			assert_true(count >= 0);
			check_iov(iov, count, f.readable, first);
			count = chain_take_readable(&f.chain, BYTES - first, iov, BYTES);
			assert_true(count >= 0);
			check_iov(iov, count, f.readable + first, BYTES - first);
			assert_int_equal(chain_take_readable(&f.chain, 0, iov, 0), 0);

			count = chain_take_writable(&f.chain, first, iov, BYTES);
			assert_true(count >= 0);
			check_iov(iov, count, f.writable, first);
			assert_int_equal(f.chain.written_bytes, 0);
			assert_int_equal(f.chain.writer.left_bytes, BYTES - first);
		}
	}
}

static void taking_too_many_pieces(void **state)
{
	struct iovec iov[BYTES];
	struct fixture f;

	(void)state;
	for_each_cut(f, i)
	{
		unsigned int pieces = cut_count(cuts[i]);

		assert_int_equal(chain_take_writable(&f.chain, BYTES, iov, pieces - 1), -EMSGSIZE);
		assert_int_equal(f.chain.writer.left_bytes, BYTES);
		assert_int_equal(chain_take_writable(&f.chain, BYTES, iov, pieces), (int)pieces);
		assert_int_equal(chain_take_writable(&f.chain, 1, iov, BYTES), -ENODATA);
	}
}

/* A block request: data taken, status behind it; in either order. */
static void last_bytes(void **state)
{
	struct iovec iov[BYTES];
	struct fixture f;

	(void)state;
	for (uint32_t tail = 0; tail <= BYTES; tail++) {
		for_each_cut(f, i)
		{
			static const char text[] = "123456789012345678901234";
			int count;

			assert_int_equal(chain_write_last(&f.chain, text, BYTES + 1), -ENODATA);
			assert_int_equal(chain_write_last(&f.chain, text, tail), 0);
			assert_memory_equal(f.writable + BYTES - tail, text, tail);
			for (uint32_t k = 0; k < BYTES - tail; k++)
				assert_int_equal(f.writable[k], '.');
			assert_int_equal(f.chain.written_bytes, tail);
			assert_int_equal(f.chain.writer.left_bytes, BYTES - tail);
			assert_int_equal(
				chain_take_writable(&f.chain, BYTES - tail + 1, iov, BYTES),
				-ENODATA);
			count = chain_take_writable(&f.chain, BYTES - tail, iov, BYTES);
			assert_true(count >= 0);
			check_iov(iov, count, f.writable, BYTES - tail);
			assert_int_equal(chain_count_written(&f.chain, BYTES - tail), 0);
			assert_int_equal(f.chain.written_bytes, BYTES);
		}
	}
}

static void last_bytes_behind_written_ones(void **state)
{
	struct fixture f;

	(void)state;
	for (uint32_t head = 0; head < BYTES - 2; head++) {
		for_each_cut(f, i)
		{
			for (uint32_t k = 0; k < head; k++)
				assert_int_equal(chain_write(&f.chain, "d", 1), 0);
			assert_int_equal(chain_write_last(&f.chain, "z", 1), 0);
			assert_int_equal(chain_write_last(&f.chain, "y", 1), 0);
			assert_string_equal(f.writable + BYTES - 2, "yz");
			assert_int_equal(f.chain.written_bytes, head + 2);
			assert_int_equal(
				chain_write(&f.chain, f.readable, BYTES - head - 1), -ENODATA);
			assert_int_equal(chain_write(&f.chain, f.readable, BYTES - head - 2), 0);
			assert_string_equal(f.writable + BYTES - 2, "yz");
		}
	}
}

/* No spans at all: chains of empty buffers. */
static void nothing(void **state)
{
	struct chain chain = {0};
	struct iovec iov;
	char c;

	(void)state;
	assert_int_equal(chain_read(&chain, &c, 0), 0);
	assert_int_equal(chain_read(&chain, &c, 1), -ENODATA);
	assert_int_equal(chain_write(&chain, "x", 1), -ENODATA);
	assert_int_equal(chain_write_last(&chain, "x", 1), -ENODATA);
	assert_int_equal(chain_write_last(&chain, "x", 0), 0);
	assert_int_equal(chain_take_readable(&chain, 0, &iov, 1), 0);
	assert_int_equal(chain_take_writable(&chain, 1, &iov, 1), -ENODATA);
	assert_int_equal(chain_count_written(&chain, 1), -ENODATA);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(reading),
		cmocka_unit_test(skipping),
		cmocka_unit_test(writing),
		cmocka_unit_test(counting),
		cmocka_unit_test(taking),
		cmocka_unit_test(taking_too_many_pieces),
		cmocka_unit_test(last_bytes),
		cmocka_unit_test(last_bytes_behind_written_ones),
		cmocka_unit_test(nothing),
	};

	return cmocka_run_group_tests_name("chain", tests, NULL, NULL);
}
