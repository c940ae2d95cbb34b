/*
 * Who is at the other end of a console, and what of it reaches the device: '+' and '-' stand for
 * "connected" among the bytes that were received.
 */
#include "console_guest.h"

#include <errno.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>

static void guest_connected(void *opaque, bool connected)
{
	struct guest *guest = opaque;

	guest->received[guest->received_count++] = connected ? '+' : '-';
}

static void begin_sessions(struct guest *guest, enum console_kind kind, int fd)
{
	struct console_options options = {kind, guest->path, fd, -1};
	struct console_events events = {
		.receive = guest_receive, .connected = guest_connected, .device = guest};
	struct err err = {0};

	if (console_create(&options, &guest->console, &err) != 0)
		fail_msg("%s", err.text);
	if (console_start(guest->console, &guest->loop, &events, &err) != 0)
		fail_msg("%s", err.text);
	guest->port = console_port(guest->console);
}

static void expect(struct guest *guest, const char *text)
{
	expect_input(guest, text, strlen(text));
}

static int dial(const struct guest *guest)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	(void)strcpy(address.sun_path, guest->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void pair(int fds[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
}

static void lasting_kinds_are_connected(void **state)
{
	static const enum console_kind kinds[] = {
		CONSOLE_NULL, CONSOLE_STDIO, CONSOLE_PTY, CONSOLE_FILE};
	struct guest *guest = *state;

	for (size_t i = 0; i < array_size(kinds); i++) {
		begin_sessions(guest, kinds[i], -1);
		settle(guest);
		expect(guest, "+");
		finish(guest);
	}
}

static void clients_come_and_go(void **state)
{
	struct guest *guest = *state;
	cleanup_fd int first = -1, second = -1;

	begin_sessions(guest, CONSOLE_SOCKET, -1);
	settle(guest);
	assert_int_equal(guest->received_count, 0);
	first = dial(guest);
	expect(guest, "+");
	assert_int_equal(fd_write(first, "abc", 3), 0);
	fd_close(&first);
	expect(guest, "abc-");
	second = dial(guest);
	assert_int_equal(fd_write(second, "d", 1), 0);
	expect(guest, "+d");
	assert_int_equal(shutdown(second, SHUT_WR), 0); /* it still reads */
	settle(guest);
	assert_int_equal(guest->received_count, 0);
	assert_int_equal(put(guest, "hello"), 5);
	expect_output(second, "hello");
	fd_close(&second);
	expect(guest, "-");
}

/* The end is behind the bytes, however late the device takes them. */
static void the_end_comes_last(void **state)
{
	static const size_t sizes[] = {1, 5000, 16384, 40000};
	static uint8_t bytes[40000];
	struct guest *guest = *state;

	begin_sessions(guest, CONSOLE_SOCKET, -1);
	for (size_t i = 0; i < array_size(sizes); i++) {
		cleanup_fd int client = dial(guest);

		guest->room = 0;
		expect(guest, "+");
		assert_int_equal(fd_write(client, bytes, sizes[i]), 0);
		fd_close(&client);
		settle(guest);
		assert_int_equal(guest->received_count, 0);
		guest->room = SIZE_MAX;
		guest->port.ops->resume_input(guest->port.host);
		settle(guest);
		assert_int_equal(guest->received_count, sizes[i] + 1);
		assert_int_equal(guest->received[sizes[i]], '-');
		guest->received_count = 0;
	}
}

/* What nobody took is not what the next client said. */
static void a_new_client_starts_anew(void **state)
{
	static uint8_t bytes[40000];
	static const size_t sizes[] = {3, 40000};
	struct guest *guest = *state;

	begin_sessions(guest, CONSOLE_SOCKET, -1);
	for (size_t i = 0; i < array_size(sizes); i++) {
		cleanup_fd int first = dial(guest), second = -1;

		guest->room = 0;
		expect(guest, "+");
		assert_int_equal(fd_write(first, bytes, sizes[i]), 0);
		settle(guest);
		fd_close(&first);
		settle(guest);
		second = dial(guest);
		assert_int_equal(fd_write(second, "new", 3), 0);
		expect(guest, "-+");
		guest->room = SIZE_MAX;
		guest->port.ops->resume_input(guest->port.host);
		expect(guest, "new");
		fd_close(&second);
		expect(guest, "-");
	}
}

static void inherited_socket(void **state)
{
	struct guest *guest = *state;
	cleanup_fd int ours = -1, theirs = -1;
	int fds[2];

	pair(fds);
	ours = fds[0];
	theirs = fds[1];
	begin_sessions(guest, CONSOLE_FD, ours);
	fd_close(&ours); /* it has its own */
	expect(guest, "+");
	assert_int_equal(put(guest, "to you"), 6);
	expect_output(theirs, "to you");
	assert_int_equal(fd_write(theirs, "to me", 5), 0);
	expect(guest, "to me");
	assert_int_equal(shutdown(theirs, SHUT_WR), 0);
	settle(guest); /* half an end is none, and no busy loop */
	assert_int_equal(guest->received_count, 0);
	assert_int_equal(put(guest, "still"), 5);
	expect_output(theirs, "still");
	fd_close(&theirs);
	expect(guest, "-");
	settle(guest);
	assert_int_equal(put(guest, "nobody"), 6);
}

static void inherited_socket_hangs_up_while_full(void **state)
{
	static uint8_t bytes[40000];
	struct guest *guest = *state;
	cleanup_fd int ours = -1, theirs = -1;
	int fds[2];

	pair(fds);
	ours = fds[0];
	theirs = fds[1];
	guest->room = 0;
	begin_sessions(guest, CONSOLE_FD, ours);
	fd_close(&ours);
	expect(guest, "+");
	assert_int_equal(fd_write(theirs, bytes, sizeof(bytes)), 0);
	settle(guest);
	fd_close(&theirs);
	settle(guest);
	guest->room = SIZE_MAX;
	guest->port.ops->resume_input(guest->port.host);
	settle(guest);
	assert_int_equal(guest->received_count, sizeof(bytes) + 1);
	assert_int_equal(guest->received[sizeof(bytes)], '-');
}

static void inherited_pipes(void **state)
{
	struct guest *guest = *state;
	cleanup_fd int input = -1, to_guest = -1, from_guest = -1, output = -1;

	make_pipe(&input, &to_guest);
	make_pipe(&from_guest, &output);
	begin_sessions(guest, CONSOLE_FD, input);
	assert_int_equal(put(guest, "nowhere"), 7);
	assert_int_equal(fd_write(to_guest, "in", 2), 0);
	fd_close(&to_guest);
	expect(guest, "+in-");
	settle(guest);
	finish(guest);

	begin_sessions(guest, CONSOLE_FD, output);
	settle(guest);
	expect(guest, "+"); /* reading from it fails, and is no end */
	assert_int_equal(put(guest, "out"), 3);
	expect_output(from_guest, "out");
}

static void inherited_file_is_written(void **state)
{
	struct guest *guest = *state;
	cleanup_fd int fd = open(guest->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	char text[16];

	assert_int_equal(fd_write(fd, "before ", 7), 0);
	begin_sessions(guest, CONSOLE_FD, fd);
	assert_int_equal(put(guest, "and after"), 9);
	assert_int_equal(console_flush(guest->console, 10 * SECOND), 0);
	settle(guest);
	expect(guest, "+");
	assert_int_equal(fd_pread(fd, text, sizeof(text), 0), 16);
	assert_memory_equal(text, "before and after", 16);
}

static void what_was_not_inherited_is_refused(void **state)
{
	static const int fds[] = {-1, 9999, INT32_MAX};
	struct console *console;

	(void)state;
	for (size_t i = 0; i < array_size(fds); i++) {
		const struct console_options options = {
			.kind = CONSOLE_FD, .input_fd = fds[i], .output_fd = 1};
		struct err err = {0};

		assert_int_equal(console_create(&options, &console, &err), -EBADF);
		assert_non_null(strstr(err.text, "was not inherited"));
	}
}

/* One way only, whatever the descriptor is open for. */
static void input_ends_with_the_file(void **state)
{
	struct guest *guest = *state;
	int fd = memfd_create("input", MFD_CLOEXEC), input, to_guest;

	assert_int_equal(fd_write(fd, "all", 3), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	begin_sessions(guest, CONSOLE_INPUT, fd);
	expect(guest, "+all-");
	assert_int_equal(put(guest, "lost"), 4);
	settle(guest);
	finish(guest);
	assert_int_equal(lseek(fd, 0, SEEK_END), 3);
	close(fd);
	make_pipe(&input, &to_guest);
	begin_sessions(guest, CONSOLE_INPUT, input);
	assert_int_equal(fd_write(to_guest, "a", 1), 0);
	expect(guest, "+a");
	guest->room = 1;
	assert_int_equal(fd_write(to_guest, "bc", 2), 0);
	close(to_guest);
	expect(guest, "b");
	settle(guest);
	guest->room = SIZE_MAX;
	guest->port.ops->resume_input(guest->port.host);
	expect(guest, "c-");
	finish(guest);
	close(input);
}

static void note_reader_gone(void *owner)
{
	assert_int_equal(fd_write(*(int *)owner, "g", 1), 0);
}

static void output_tells_when_its_reader_goes(void **state)
{
	struct guest *guest = *state;
	int reader, output, told, tell;
	struct console_options options = {.kind = CONSOLE_OUTPUT, .input_fd = -1};
	struct console_events events = {
		.connected = guest_connected, .device = guest, .reader_gone = note_reader_gone};

	make_pipe(&reader, &output);
	make_pipe(&told, &tell);
	options.output_fd = output;
	events.owner = &tell;
	assert_int_equal(console_create(&options, &guest->console, NULL), 0);
	assert_int_equal(console_start(guest->console, &guest->loop, &events, NULL), 0);
	guest->port = console_port(guest->console);
	close(output);
	expect(guest, "+");
	assert_int_equal(put(guest, "heard"), 5);
	expect_output(reader, "heard");
	close(reader);
	assert_int_equal(put(guest, "not heard"), 9);
	expect_output(told, "g");
	assert_int_equal(put(guest, "nor this"), 8);
	assert_false(guest->port.ops->is_congested(guest->port.host));
	assert_int_equal(console_flush(guest->console, SECOND), 0);
	finish(guest);
	close(told);
	close(tell);
}

static void what_is_closed_has_nobody(void **state)
{
	struct guest *guest = *state;

	begin_sessions(guest, CONSOLE_INPUT, -1);
	settle(guest);
	assert_int_equal(guest->received_count, 0);
	finish(guest);
	begin_sessions(guest, CONSOLE_OUTPUT, -1);
	settle(guest);
	assert_int_equal(guest->received_count, 0);
	assert_int_equal(put(guest, "lost"), 4);
	assert_int_equal(console_flush(guest->console, SECOND), 0);
	finish(guest);
}

static void terminals_have_a_size(void **state)
{
	struct guest *guest = *state;
	cleanup_fd int slave = -1, input = -1, to_guest = -1;
	struct winsize size = {.ws_row = 43, .ws_col = 132};
	uint16_t columns = 1, rows = 2;

	begin_sessions(guest, CONSOLE_PTY, -1);
	assert_int_equal(console_window_size(guest->console, &columns, &rows), -ENOTTY);
	slave = open(console_path(guest->console), O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_int_equal(ioctl(slave, TIOCSWINSZ, &size), 0);
	assert_int_equal(console_window_size(guest->console, &columns, &rows), 0);
	assert_int_equal(columns, 132);
	assert_int_equal(rows, 43);
	finish(guest);
	make_pipe(&input, &to_guest);
	begin_sessions(guest, CONSOLE_FD, input);
	assert_int_equal(console_window_size(guest->console, &columns, &rows), -ENOTTY);
	finish(guest);
	begin_sessions(guest, CONSOLE_NULL, -1);
	assert_int_equal(console_window_size(guest->console, &columns, &rows), -ENOTTY);
	assert_int_equal(columns, 132);
}

#define SESSION_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		SESSION_TEST(lasting_kinds_are_connected),
		SESSION_TEST(clients_come_and_go),
		SESSION_TEST(the_end_comes_last),
		SESSION_TEST(a_new_client_starts_anew),
		SESSION_TEST(inherited_socket),
		SESSION_TEST(inherited_socket_hangs_up_while_full),
		SESSION_TEST(inherited_pipes),
		SESSION_TEST(inherited_file_is_written),
		SESSION_TEST(what_was_not_inherited_is_refused),
		SESSION_TEST(input_ends_with_the_file),
		SESSION_TEST(output_tells_when_its_reader_goes),
		SESSION_TEST(what_is_closed_has_nobody),
		SESSION_TEST(terminals_have_a_size),
	};

	(void)signal(SIGPIPE, SIG_IGN); /* as the program does */
	return cmocka_run_group_tests_name("console sessions", tests, NULL, NULL);
}
