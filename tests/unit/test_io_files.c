/* Files that an I/O thread keeps: operations on them work as on others, and none is kept too long.
 */
#include "io_operations_fixture.h"

#include <poll.h>
#include <string.h>

#define MANY 100 /* more than are kept */

static void write_and_read(struct io_thread *thread, int fd, char mark)
{
	char out[64], in[64] = {0};

	memset(out, mark, sizeof(out));
	assert_int_equal(transfer(thread, IO_WRITEV, fd, out, sizeof(out), 4096), sizeof(out));
	assert_int_equal(transfer(thread, IO_READV, fd, in, sizeof(in), 4096), sizeof(in));
	assert_memory_equal(in, out, sizeof(out));
	assert_int_equal(
		run_one(thread, (struct io_operation){.opcode = IO_FDATASYNC, .fd = fd}), 0);
}

static void kept_files(void **state)
{
	struct io_thread *thread = thread_of(state);
	int fds[MANY];

	for (unsigned int i = 0; i < MANY; i++) {
		fds[i] = new_file();
		io_thread_keep_file(thread, fds[i]);
		io_thread_keep_file(thread, fds[i]); /* does nothing */
		write_and_read(thread, fds[i], (char)('a' + i % 26));
	}
	/* A larger ring keeps them, too. */
	assert_int_equal(io_thread_admit(thread, 5000, NULL), 0);
	for (unsigned int i = 0; i < MANY; i++)
		write_and_read(thread, fds[i], (char)('A' + i % 26));
	for (unsigned int i = 0; i < MANY; i++) {
		io_thread_drop_file(thread, fds[i]);
		io_thread_drop_file(thread, fds[i]); /* does nothing */
		write_and_read(thread, fds[i], 'x');
		close(fds[i]);
	}
}

/* The number of a dropped descriptor belongs to another file later. */
static void numbers_come_again(void **state)
{
	struct io_thread *thread = thread_of(state);
	int number = -1;

	for (unsigned int i = 0; i < 20; i++) {
		int fd = new_file();
		char byte;

		if (number < 0)
			number = fd;
		assert_int_equal(fd, number);
		assert_int_equal(transfer(thread, IO_READV, fd, &byte, 1, 0), 0);
		if (i % 2)
			io_thread_keep_file(thread, fd);
		assert_int_equal(transfer(thread, IO_READV, fd, &byte, 1, 0), 0);
		write_and_read(thread, fd, (char)('a' + i));
		io_thread_drop_file(thread, fd);
		close(fd);
	}
}

/* What was dropped and closed is closed for good. */
static void dropped_is_closed(void **state)
{
	struct io_thread *thread = thread_of(state);
	char word[] = "word";
	struct pollfd end;
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	io_thread_keep_file(thread, fds[1]);
	assert_int_equal(transfer(thread, IO_WRITEV, fds[1], word, 4, IO_OFFSET_STREAM), 4);
	assert_int_equal(read(fds[0], word, sizeof(word)), 4);
	io_thread_drop_file(thread, fds[1]);
	close(fds[1]);
	end = (struct pollfd){.fd = fds[0], .events = POLLIN};
	assert_int_equal(poll(&end, 1, 60000), 1);
	assert_true(end.revents & POLLHUP);
	close(fds[0]);
}

static void not_to_be_kept(void **state)
{
	struct io_thread *thread = thread_of(state);
	int file = new_file();
	int high = fcntl(file, F_DUPFD_CLOEXEC, 1020);

	io_thread_keep_file(thread, -1);
	io_thread_drop_file(thread, -1);
	io_thread_keep_file(thread, 1023); /* nothing is open there, or high is */
	if (high >= 0) {
		io_thread_keep_file(thread, high);
		write_and_read(thread, high, 'h');
		io_thread_drop_file(thread, high);
		close(high);
	}
	write_and_read(thread, file, 'f');
	close(file);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(kept_files),
		cmocka_unit_test(numbers_come_again),
		cmocka_unit_test(dropped_is_closed),
		cmocka_unit_test(not_to_be_kept),
	};

	return run_on_all_engines(tests, array_size(tests));
}
