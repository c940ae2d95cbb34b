#include "console_guest.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

/* Consoles whose readers come and go. */

static void pty_readers_come_and_go(void **state)
{
	struct guest *guest = *state;
	cleanup_fd int tty = -1;

	begin(guest, CONSOLE_PTY, -1, -1);
	assert_non_null(console_path(guest->console));
	assert_int_equal(put(guest, "before\n"), 7);
	assert_int_equal(console_flush(guest->console, SECOND), 0); /* nobody to wait for */
	settle(guest);
	for (unsigned int i = 0; i < 3; i++) {
		tty = open(console_path(guest->console), O_RDWR | O_NOCTTY | O_CLOEXEC);
		assert_true(tty >= 0);
		settle(guest);
		expect_output(tty, i ? "between\n" : "before\n");
		assert_int_equal(put(guest, "now\r\n"), 5);
		expect_output(tty, "now\r\n");
		assert_int_equal(fd_write(tty, "\001xab\r\003", 6), 0);
		expect_input(guest, "\001xab\r\003", 6);
		fd_close(&tty);
		settle(guest);
		assert_int_equal(put(guest, "between\n"), 8);
		assert_int_equal(console_flush(guest->console, SECOND), 0);
	}
}

static void detached_output_keeps_the_latest(void **state)
{
	struct guest *guest = *state;
	cleanup_fd int tty = -1;
	char line[17];
	unsigned int last = 0;
	const unsigned int count = 100000;

	begin(guest, CONSOLE_PTY, -1, -1);
	for (unsigned int i = 0; i < count; i++) {
		(void)snprintf(line, sizeof(line), "line %09u\n\n", i);
		while (put(guest, line) != 16) /* the thread trims while we write */
			(void)sched_yield();
	}
	assert_int_equal(console_flush(guest->console, SECOND), 0); /* trimmed */
	assert_false(guest->port.ops->is_congested(guest->port.host));
	tty = open(console_path(guest->console), O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(tty >= 0);
	settle(guest);
	while (last != count - 1) {
		unsigned int number;

		assert_int_equal(fd_read(tty, line, 16), 16);
		line[14] = '\0';
		assert_int_equal(sscanf(line, "line %u", &number), 1);
		assert_true(last ? number == last + 1 : number > count - 10000);
		last = number;
	}
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0)
		fd_close(&fd);
	return fd;
}

static void socket_serves_one_client_at_a_time(void **state)
{
	struct guest *guest = *state;
	cleanup_fd int first = -1, second = -1;
	struct stat status;

	begin(guest, CONSOLE_SOCKET, -1, -1);
	assert_true(lstat(guest->path, &status) == 0 && S_ISSOCK(status.st_mode));
	assert_int_equal(status.st_mode & (S_IRWXG | S_IRWXO), 0);
	assert_int_equal(put(guest, "boot\n"), 5);
	first = connect_to(guest->path);
	settle(guest);
	expect_output(first, "boot\n");
	second = connect_to(guest->path);
	assert_int_equal(fd_write(second, "2", 1), 0);
	assert_int_equal(fd_write(first, "1", 1), 0);
	settle(guest);
	expect_input(guest, "1", 1);
	assert_int_equal(put(guest, "for the first\n"), 14);
	expect_output(first, "for the first\n");
	/* half closed: it still listens */
	assert_int_equal(shutdown(first, SHUT_WR), 0);
	settle(guest);
	assert_int_equal(put(guest, "still\n"), 6);
	expect_output(first, "still\n");
	assert_int_equal(guest->received_count, 0);
	fd_close(&first);
	settle(guest);
	expect_input(guest, "2", 1);
	assert_int_equal(put(guest, "for the second\n"), 15);
	expect_output(second, "for the second\n");
	fd_close(&second);
	settle(guest);
	assert_int_equal(put(guest, "to nobody\n"), 10);
	second = connect_to(guest->path);
	settle(guest);
	expect_output(second, "to nobody\n");
	finish(guest);
	assert_int_equal(lstat(guest->path, &status), -1);
}

static void client_that_left_makes_way(void **state)
{
	struct guest *guest = *state;
	cleanup_fd int client = -1;
	static char bytes[20000];

	memset(bytes, 'z', sizeof(bytes));
	guest->room = 0;
	begin(guest, CONSOLE_SOCKET, -1, -1);
	client = connect_to(guest->path);
	assert_int_equal(fd_write(client, bytes, sizeof(bytes)), 0);
	settle(guest);
	fd_close(&client);
	settle(guest);
	/* what was read of it is kept, and what was not as long as nobody else comes */
	guest->room = SIZE_MAX;
	guest->port.ops->resume_input(guest->port.host);
	expect_input(guest, bytes, sizeof(bytes));
	guest->room = 0;
	for (unsigned int i = 0; i < 2; i++) {
		client = connect_to(guest->path);
		assert_int_equal(fd_write(client, bytes, sizeof(bytes)), 0);
		settle(guest);
		assert_int_equal(put(guest, "hello\n"), 6);
		expect_output(client, "hello\n");
		fd_close(&client);
		settle(guest);
	}
}

static void listen_refuses(const char *path, int code)
{
	struct console_options options = {.kind = CONSOLE_SOCKET, .path = path};
	struct console *console = NULL;
	struct err err = {0};

	assert_int_equal(console_create(&options, &console, &err), code);
	assert_null(console);
	assert_true(strlen(err.text) > 20);
}

static void only_stale_sockets_are_replaced(void **state)
{
	struct guest *guest = *state;
	char long_path[200];
	struct stat status;
	cleanup_fd int fd = open(guest->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	listen_refuses(guest->path, -EADDRINUSE);
	assert_true(lstat(guest->path, &status) == 0 && S_ISREG(status.st_mode));
	assert_int_equal(unlink(guest->path), 0);
	memset(long_path, 'x', sizeof(long_path));
	long_path[sizeof(long_path) - 1] = '\0';
	listen_refuses(long_path, -ENAMETOOLONG);
	listen_refuses("", -EINVAL);
	listen_refuses("/nonexistent/socket", -ENOENT);
	begin(guest, CONSOLE_SOCKET, -1, -1);
	listen_refuses(guest->path, -EADDRINUSE);
	/* somebody else's by the time we go: stays, and is stale for the next */
	assert_int_equal(unlink(guest->path), 0);
	fd_close(&fd);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	{
		struct sockaddr_un address = {.sun_family = AF_UNIX};

		(void)strcpy(address.sun_path, guest->path);
		assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	}
	finish(guest);
	assert_int_equal(lstat(guest->path, &status), 0);
	fd_close(&fd);
	begin(guest, CONSOLE_SOCKET, -1, -1);
	fd = connect_to(guest->path);
	assert_true(fd >= 0);
}

#define CONSOLE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		CONSOLE_TEST(pty_readers_come_and_go),
		CONSOLE_TEST(detached_output_keeps_the_latest),
		CONSOLE_TEST(socket_serves_one_client_at_a_time),
		CONSOLE_TEST(client_that_left_makes_way),
		CONSOLE_TEST(only_stale_sockets_are_replaced),
	};

	(void)signal(SIGPIPE, SIG_IGN); /* as the program does */
	return cmocka_run_group_tests_name("console_readers", tests, NULL, NULL);
}
