#include "console_guest.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <termios.h>

static void null_takes_everything(void **state)
{
	struct guest *guest = *state;

	begin(guest, CONSOLE_NULL, -1, -1);
	assert_int_equal(put(guest, "nobody"), 6);
	assert_false(guest->port.ops->is_congested(guest->port.host));
	guest->port.ops->resume_input(guest->port.host);
	assert_int_equal(console_flush(guest->console, 0), 0);
	assert_null(console_path(guest->console));
	assert_int_equal(guest->loop.source_count, 0);
}

static void pipes_carry_both_directions(void **state)
{
	struct guest *guest = *state;
	cleanup_fd int input = -1, to_guest = -1, from_guest = -1, output = -1;

	make_pipe(&input, &to_guest);
	make_pipe(&from_guest, &output);
	begin(guest, CONSOLE_STDIO, input, output);
	assert_int_equal(put(guest, "hello\n"), 6);
	expect_output(from_guest, "hello\n");
	assert_int_equal(put(guest, "no newline"), 10);
	expect_output(from_guest, "no newline");
	assert_int_equal(fd_write(to_guest, "\001x in a pipe\n", 13), 0);
	expect_input(guest, "\001x in a pipe\n", 13); /* no escapes there */
	assert_int_equal(guest->quits, 0);
	/* what was inherited is as blocking as it was */
	assert_int_equal(fcntl(input, F_GETFL) & O_NONBLOCK, 0);
	assert_int_equal(fcntl(output, F_GETFL) & O_NONBLOCK, 0);
	fd_close(&to_guest);
	settle(guest); /* the end of input is no busy loop */
	assert_int_equal(put(guest, "still here"), 10);
	expect_output(from_guest, "still here");
	finish(guest);
	assert_int_equal(guest->loop.source_count, 0);
}

/* 10 MiB of numbered records into a pipe that nobody reads. */
static void stuck_reader_costs_bytes_not_time(void **state)
{
	struct guest *guest = *state;
	cleanup_fd int from_guest = -1, output = -1;
	uint64_t accepted = 0, offered = 0;
	uint32_t expected = 0;
	uint8_t record[64];

	make_pipe(&from_guest, &output);
	begin(guest, CONSOLE_STDIO, -1, output);
	for (uint32_t i = 0; offered < 10 << 20; i++) {
		/* numbered by what got in: a record that is cut short is the last */
		size_t count;

		for (size_t j = 0; j < sizeof(record); j += 4)
			memcpy(record + j, &(uint32_t){(uint32_t)(accepted + j) / 4}, 4);
		count = guest->port.ops->write(guest->port.host, record, sizeof(record));
		assert_true(count % 4 == 0);
		accepted += count;
		offered += sizeof(record);
	}
	assert_true(accepted < 2 << 20);
	assert_int_equal(console_dropped_bytes(guest->console), offered - accepted);
	assert_true(guest->port.ops->is_congested(guest->port.host));
	assert_int_equal(console_flush(guest->console, SECOND / 100), -ETIMEDOUT);
	while (expected < accepted / 4) {
		uint32_t words[1024];
		size_t want = accepted / 4 - expected < 1024 ? accepted / 4 - expected : 1024;

		assert_int_equal(fd_read(from_guest, words, want * 4), want * 4);
		for (size_t i = 0; i < want; i++)
			assert_int_equal(words[i], expected++);
	}
	assert_int_equal(console_flush(guest->console, SECOND), 0);
	assert_false(guest->port.ops->is_congested(guest->port.host));
	/* and to be destroyed with the reader stuck */
	for (unsigned int i = 0; i < 4096; i++)
		(void)guest->port.ops->write(guest->port.host, record, sizeof(record));
}

/* Memory is given back behind the reader while the writer is close to it from the other side. */
static void full_ring_keeps_its_order(void **state)
{
	struct guest *guest = *state;
	cleanup_fd int from_guest = -1, output = -1;
	uint32_t written = 0, expected = 0;
	const uint32_t count = 1 << 20;

	make_pipe(&from_guest, &output);
	begin(guest, CONSOLE_STDIO, -1, output);
	while (expected < count) {
		uint32_t word;

		while (written < count &&
			guest->port.ops->write(guest->port.host, &written, 4) == 4)
			written++;
		for (unsigned int i = 0; i < 1000 && expected < written; i++) {
			assert_int_equal(fd_read(from_guest, &word, 4), 4);
			assert_int_equal(word, expected++);
		}
	}
	assert_int_equal(console_dropped_bytes(guest->console) % 4, 0);
}

/* The master side of a pty cannot be opened a second time, so that writes to it really block. */
static void blocked_write_ends_with_destroy(void **state)
{
	struct guest *guest = *state;
	cleanup_fd int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	cleanup_fd int slave = -1;
	struct termios modes;
	char line[256];

	assert_true(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
	slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(slave >= 0 && tcgetattr(slave, &modes) == 0);
	cfmakeraw(&modes);
	assert_int_equal(tcsetattr(slave, TCSANOW, &modes), 0);
	begin(guest, CONSOLE_STDIO, -1, master);
	assert_int_equal(put(guest, "hello\n"), 6);
	expect_output(slave, "hello\n");
	memset(line, 'x', sizeof(line));
	for (unsigned int i = 0; i < 4096; i++)
		(void)guest->port.ops->write(guest->port.host, line, sizeof(line));
	assert_int_equal(console_flush(guest->console, SECOND / 5), -ETIMEDOUT);
	assert_int_equal(fcntl(master, F_GETFL) & O_NONBLOCK, 0);
	finish(guest);
}

static void drained_follows_congestion(void **state)
{
	struct guest *guest = *state;
	cleanup_fd int from_guest = -1, output = -1, drained = -1, drained_write = -1;
	static uint8_t bytes[1 << 20];
	size_t accepted = 0;

	make_pipe(&from_guest, &output);
	make_pipe(&drained, &drained_write);
	guest->drained_fd = drained_write;
	begin(guest, CONSOLE_STDIO, -1, output);
	while (!guest->port.ops->is_congested(guest->port.host))
		accepted += guest->port.ops->write(guest->port.host, "0123456789abcdef", 16);
	assert_int_equal(console_dropped_bytes(guest->console), 0);
	assert_int_equal(atomic_load(&guest->drains), 0);
	assert_int_equal(fd_read(from_guest, bytes, accepted), accepted);
	expect_output(drained, "d");
	assert_int_equal(console_flush(guest->console, SECOND), 0);
	assert_false(guest->port.ops->is_congested(guest->port.host));
	assert_int_equal(atomic_load(&guest->drains), 1);
	finish(guest);
}

static void closed_reader_is_forgotten(void **state)
{
	struct guest *guest = *state;
	cleanup_fd int from_guest = -1, output = -1;
	static const uint8_t bytes[4096];

	make_pipe(&from_guest, &output);
	begin(guest, CONSOLE_STDIO, -1, output);
	assert_int_equal(put(guest, "one\n"), 4);
	expect_output(from_guest, "one\n");
	fd_close(&from_guest);
	for (unsigned int i = 0; i < 1024; i++)
		(void)guest->port.ops->write(guest->port.host, bytes, sizeof(bytes));
	assert_int_equal(console_flush(guest->console, PATIENCE_MS / 1000 * SECOND), 0);
	assert_int_equal(put(guest, "two\n"), 4);
	assert_int_equal(console_flush(guest->console, SECOND), 0);
	assert_false(guest->port.ops->is_congested(guest->port.host));
	assert_int_equal(atomic_load(&guest->failures), 0); /* head(1) is no failure */
}

static void full_device_is_reported_once(void **state)
{
	struct guest *guest = *state;

	assert_int_equal(symlink("/dev/full", guest->path), 0);
	begin(guest, CONSOLE_FILE, -1, -1);
	for (unsigned int i = 0; i < 100; i++) {
		assert_int_equal(put(guest, "lost\n"), 5);
		assert_int_equal(console_flush(guest->console, SECOND), 0);
	}
	assert_int_equal(console_dropped_bytes(guest->console), 500);
	assert_int_equal(atomic_load(&guest->failures), 1);
	assert_int_equal(atomic_load(&guest->failure_code), -ENOSPC);
}

static void file_goes_on_when_space_returns(void **state)
{
	struct guest *guest = *state;
	struct rlimit before, limit;
	struct stat status;
	cleanup_fd int fd = -1;

	fd = open(guest->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(fd_write(fd, "an old log", 10), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = (struct rlimit){4, before.rlim_max};
	begin(guest, CONSOLE_FILE, -1, -1);
	assert_true(fstat(fd, &status) == 0 && status.st_size == 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(put(guest, "1234"), 4);
		assert_int_equal(console_flush(guest->console, SECOND), 0);
	}
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(atomic_load(&guest->failures), 1);
	assert_int_equal(atomic_load(&guest->failure_code), -EFBIG);
	assert_int_equal(put(guest, "5678"), 4);
	assert_int_equal(console_flush(guest->console, SECOND), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	expect_output(fd, "12345678");
	assert_int_equal(console_dropped_bytes(guest->console), 8);
}

static void absent_descriptors_are_nothing(void **state)
{
	static const int absent[] = {-1, 1000};
	struct guest *guest = *state;
	cleanup_fd int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	for (size_t i = 0; i < array_size(absent); i++) {
		begin(guest, CONSOLE_STDIO, absent[i], absent[i]);
		assert_int_equal(put(guest, "nowhere"), 7);
		settle(guest);
		assert_int_equal(console_flush(guest->console, SECOND), 0);
		finish(guest);
	}
	/* empty, and not writable */
	begin(guest, CONSOLE_STDIO, null_fd, null_fd);
	assert_int_equal(put(guest, "nowhere"), 7);
	settle(guest);
	assert_int_equal(console_flush(guest->console, SECOND), 0);
	assert_int_equal(guest->received_count, 0);
}

static void *resume_from_a_vcpu(void *opaque)
{
	struct guest *guest = opaque;

	guest->port.ops->resume_input(guest->port.host);
	return NULL;
}

static void input_waits_for_room(void **state)
{
	struct guest *guest = *state;
	cleanup_fd int input = -1, to_guest = -1;
	static uint8_t bytes[40000];
	pthread_t vcpu;
	int left;

	make_pipe(&input, &to_guest);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7 + i / 256);
	guest->room = 10;
	begin(guest, CONSOLE_STDIO, input, -1);
	assert_int_equal(fd_write(to_guest, bytes, sizeof(bytes)), 0);
	settle(guest);
	assert_int_equal(guest->received_count, 10);
	/* the rest is the sender's burden, not ours */
	assert_int_equal(ioctl(input, FIONREAD, &left), 0);
	assert_true(left >= 16384);
	guest->room = SIZE_MAX;
	assert_int_equal(pthread_create(&vcpu, NULL, resume_from_a_vcpu, guest), 0);
	expect_input(guest, (const char *)bytes, sizeof(bytes));
	assert_int_equal(pthread_join(vcpu, NULL), 0);
}

static void unusable_files_are_refused(void **state)
{
	static const struct {
		const char *path;
		int code;
	} cases[] = {
		{"/nonexistent/log", -ENOENT},
		{"/tmp", -EISDIR},
		{"", -ENOENT},
	};
	struct guest *guest = *state;
	struct console_options options = {.kind = CONSOLE_FILE};
	struct console *console = NULL;
	struct err err = {0};

	for (size_t i = 0; i < array_size(cases); i++) {
		options.path = cases[i].path;
		assert_int_equal(console_create(&options, &console, &err), cases[i].code);
		assert_true(strlen(err.text) > 20);
	}
	assert_int_equal(mkfifo(guest->path, 0600), 0);
	options.path = guest->path;
	assert_int_equal(console_create(&options, &console, &err), -ENXIO);
}

#define CONSOLE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		CONSOLE_TEST(null_takes_everything),
		CONSOLE_TEST(pipes_carry_both_directions),
		CONSOLE_TEST(stuck_reader_costs_bytes_not_time),
		CONSOLE_TEST(full_ring_keeps_its_order),
		CONSOLE_TEST(blocked_write_ends_with_destroy),
		CONSOLE_TEST(drained_follows_congestion),
		CONSOLE_TEST(closed_reader_is_forgotten),
		CONSOLE_TEST(full_device_is_reported_once),
		CONSOLE_TEST(file_goes_on_when_space_returns),
		CONSOLE_TEST(absent_descriptors_are_nothing),
		CONSOLE_TEST(input_waits_for_room),
		CONSOLE_TEST(unusable_files_are_refused),
	};

	(void)signal(SIGPIPE, SIG_IGN); /* as the program does */
	return cmocka_run_group_tests_name("console", tests, NULL, NULL);
}
