/* Operations as series of system calls, with results that no kernel gives on demand. */
#include "cmocka_all.h"
#include "io_step.h"

#include <errno.h>
#include <limits.h>

#define RESULTS_MAX 6
#define PIECES      3
#define PIECE_BYTES 1000

struct step_case {
	const char *name;
	enum io_opcode opcode;
	uint64_t offset;
	int64_t results[RESULTS_MAX]; /* of the calls */
	unsigned int calls;           /* that are made */
	int64_t expected;
	uint64_t last_offset; /* of the last call */
};

static const struct step_case step_cases[] = {
	{"whole", IO_READV, 512, {3000}, 1, 3000, 512},
	{"short", IO_READV, 0, {1, 999, 1500, 500}, 4, 3000, 2500},
	{"end of file", IO_READV, 0, {0}, 1, 0, 0},
	{"short end of file", IO_READV, 100, {1234, 0}, 2, 1234, 1334},
	{"interrupted", IO_WRITEV, 0, {-EINTR, 1000, -EINTR, 2000}, 4, 3000, 1000},
	{"error after some", IO_WRITEV, 0, {1000, -ENOSPC}, 2, -ENOSPC, 1000},
	{"read error after some", IO_READV, 0, {1000, -EIO}, 2, -EIO, 1000},
	{"write that stands still", IO_WRITEV, 0, {1000, 0}, 2, -EIO, 1000},
	{"odd end of a direct read", IO_READV, 4096, {904, -EINVAL}, 2, 904, 5000},
	{"invalid at an even place", IO_READV, 4096, {512, -EINVAL}, 2, -EINVAL, 4608},
	{"invalid write", IO_WRITEV, 4096, {904, -EINVAL}, 2, -EINVAL, 5000},
	{"invalid at once", IO_READV, 100, {-EINVAL}, 1, -EINVAL, 100},
	{"stream", IO_READV, IO_OFFSET_STREAM, {1, 2999}, 2, 3000, IO_OFFSET_STREAM},
	{"invalid stream", IO_READV, IO_OFFSET_STREAM, {1, -EINVAL}, 2, -EINVAL, IO_OFFSET_STREAM},
	{"flush", IO_FDATASYNC, 0, {-EINTR, 0}, 2, 0, 0},
	{"failed flush", IO_FDATASYNC, 0, {-EIO}, 1, -EIO, 0},
	{"no discard", IO_FALLOCATE, 0, {-EOPNOTSUPP}, 1, -EOPNOTSUPP, 0},
};

static void steps(void **state)
{
	char memory[PIECES * PIECE_BYTES];

	(void)state;
	for (size_t i = 0; i < array_size(step_cases); i++) {
		const struct step_case *c = &step_cases[i];
		struct iovec iov[PIECES];
		struct io_operation operation = {.opcode = c->opcode,
			.offset = c->offset,
			.iov = iov,
			.iov_count = PIECES,
			.result = 77};
		bool finished = false;

		for (unsigned int j = 0; j < PIECES; j++)
			iov[j] = (struct iovec){memory + j * PIECE_BYTES, PIECE_BYTES};
		assert_true(io_step_begin(&operation));
		for (unsigned int call = 0; call < c->calls; call++) {
			struct io_chunk chunk = io_step_chunk(&operation);

			assert_false(finished);
			if (call == c->calls - 1)
				assert_int_equal(chunk.offset, c->last_offset);
			if (operation.result > 0)
				assert_ptr_equal(chunk.iov->iov_base, memory + operation.result);
			finished = io_step_advance(&operation, c->results[call]);
		}
		if (!finished || operation.result != c->expected)
			fail_msg("%s: %lld", c->name, (long long)operation.result);
	}
}

static void vectors(void **state)
{
	enum { COUNT = IOV_MAX * 2 };
	static const size_t empty[] = {0, 1, 500, IOV_MAX - 1, IOV_MAX, COUNT - 1};
	struct iovec iov[COUNT];
	struct io_operation operation = {.opcode = IO_READV, .iov = iov, .iov_count = COUNT};
	struct io_chunk chunk;
	char byte;

	(void)state;
	for (size_t i = 0; i < COUNT; i++)
		iov[i] = (struct iovec){&byte, 1};
	for (size_t i = 0; i < array_size(empty); i++)
		iov[empty[i]].iov_len = 0;
	assert_true(io_step_begin(&operation));
	chunk = io_step_chunk(&operation);
	assert_ptr_equal(chunk.iov, &iov[2]);
	assert_int_equal(chunk.iov_count, IOV_MAX);
	assert_false(io_step_advance(&operation, IOV_MAX - 3)); /* up to and with IOV_MAX + 1 */
	chunk = io_step_chunk(&operation);
	assert_ptr_equal(chunk.iov, &iov[IOV_MAX + 2]);
	assert_int_equal(chunk.offset, IOV_MAX - 3);
	assert_int_equal(chunk.iov_count, COUNT - IOV_MAX - 2);
	assert_true(io_step_advance(&operation, COUNT - IOV_MAX - 3));
	assert_int_equal(operation.result, COUNT - (int)array_size(empty));
	for (size_t i = 0; i < COUNT; i++)
		iov[i].iov_len = 0;
	assert_false(io_step_begin(&operation));
	operation.iov_count = 0;
	assert_false(io_step_begin(&operation));
	assert_int_equal(operation.result, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(steps),
		cmocka_unit_test(vectors),
	};

	return cmocka_run_group_tests_name("io_step", tests, NULL, NULL);
}
