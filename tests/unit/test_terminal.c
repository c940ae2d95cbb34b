#include "console_guest.h"
#include "terminal.h"

#include <errno.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>

/* A terminal emulator's end and the user's. */
struct tty {
	int master;
	int slave;
	struct termios modes; /* before anybody touched them */
};

static void open_tty(struct tty *tty)
{
	tty->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(tty->master >= 0 && grantpt(tty->master) == 0 && unlockpt(tty->master) == 0);
	tty->slave = open(ptsname(tty->master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(tty->slave >= 0 && tcgetattr(tty->slave, &tty->modes) == 0);
	assert_true(tty->modes.c_lflag & ICANON);
}

static void close_tty(struct tty *tty)
{
	fd_close(&tty->master);
	fd_close(&tty->slave);
}

/* 'r': raw, 'o': as in the beginning, '?': neither. */
static char modes_of(const struct tty *tty)
{
	struct termios now;

	assert_int_equal(tcgetattr(tty->slave, &now), 0);
	if (now.c_iflag == tty->modes.c_iflag && now.c_lflag == tty->modes.c_lflag &&
		now.c_oflag == tty->modes.c_oflag)
		return 'o';
	if (!(now.c_lflag & (ICANON | ECHO | ISIG)) && !(now.c_iflag & (ICRNL | IXON)) &&
		(now.c_oflag & OPOST))
		return 'r';
	return '?';
}

static void wait_for_modes(const struct tty *tty, char modes)
{
	for (unsigned int i = 0; modes_of(tty) != modes; i++) {
		assert_true(i < PATIENCE_MS / 10);
		(void)poll(NULL, 0, 10);
	}
}

static void raw_from_start_to_destroy(void **state)
{
	struct guest *guest = *state;
	struct tty tty;

	open_tty(&tty);
	begin(guest, CONSOLE_STDIO, tty.slave, tty.slave);
	assert_int_equal(modes_of(&tty), 'r');
	/* what would be a signal, a line or an end goes to the guest */
	assert_int_equal(fd_write(tty.master, "\003\032\034\004\r\021\023", 7), 0);
	expect_input(guest, "\003\032\034\004\r\021\023", 7);
	assert_int_equal(put(guest, "a\r\n"), 3);
	expect_output(tty.master, "a\r\r\n");
	assert_int_equal(fcntl(tty.slave, F_GETFL) & O_NONBLOCK, 0);
	finish(guest);
	assert_int_equal(modes_of(&tty), 'o');
	close_tty(&tty);
}

static void escapes_are_taken_out(void **state)
{
	static const struct {
		const char *typed;
		const char *received;
		unsigned int quits;
		const char *printed;
	} cases[] = {
		{"a", "a", 0, ""},
		{"\001a", "\001", 0, ""},
		{"\001\001", "\001", 0, ""},
		{"\001\001\001\001x", "\001\001x", 0, ""},
		{"\001\001\001x", "\001", 1, ""},
		{"x\001", "x", 0, ""}, /* the prefix is remembered ... */
		{"xy", "y", 1, ""},    /* ... across reads */
		{"\001q1", "1", 0, ""},
		{"ab\001xcd", "abcd", 1, ""},
		{"\001h", "", 0, "\r\r\nCtrl-a x"},
	};
	struct guest *guest = *state;
	struct tty tty;

	open_tty(&tty);
	begin(guest, CONSOLE_STDIO, tty.slave, tty.slave);
	for (size_t i = 0; i < array_size(cases); i++) {
		guest->quits = 0;
		assert_int_equal(fd_write(tty.master, cases[i].typed, strlen(cases[i].typed)), 0);
		settle(guest);
		assert_int_equal(guest->quits, cases[i].quits);
		expect_input(guest, cases[i].received, strlen(cases[i].received));
		expect_output(tty.master, cases[i].printed);
	}
	finish(guest);
	close_tty(&tty);
}

static void deaf_guest_can_be_ended(void **state)
{
	struct guest *guest = *state;
	struct tty tty;

	open_tty(&tty);
	guest->room = 0;
	begin(guest, CONSOLE_STDIO, tty.slave, -1);
	assert_int_equal(fd_write(tty.master, "hello?\r\r\r\001x", 11), 0);
	settle(guest);
	assert_int_equal(guest->quits, 1);
	assert_int_equal(guest->received_count, 0);
	finish(guest);
	close_tty(&tty);
}

static void job_control_gives_it_back(void **state)
{
	struct guest *guest = *state;
	struct tty tty;

	open_tty(&tty);
	begin(guest, CONSOLE_STDIO, tty.slave, tty.slave);
	console_suspend(guest->console);
	assert_int_equal(modes_of(&tty), 'o');
	assert_int_equal(fd_write(tty.master, "ls\n", 3), 0); /* for the shell */
	settle(guest);
	assert_int_equal(guest->received_count, 0);
	console_continue(guest->console);
	assert_int_equal(modes_of(&tty), 'r');
	finish(guest);
	assert_int_equal(modes_of(&tty), 'o');
	close_tty(&tty);
}

static void only_one_has_the_terminal(void **state)
{
	struct guest *guest = *state;
	struct console_options options = {CONSOLE_STDIO, NULL, -1, -1};
	struct console *second = NULL;
	struct err err = {0};
	struct tty tty;

	open_tty(&tty);
	begin(guest, CONSOLE_STDIO, tty.slave, tty.slave);
	options.input_fd = tty.slave;
	assert_int_equal(console_create(&options, &second, &err), -EBUSY);
	assert_int_equal(modes_of(&tty), 'r');
	finish(guest);
	close_tty(&tty);
}

/* A hung-up terminal is the end of input, not of the VM. */
static void hangup_is_an_end(void **state)
{
	struct guest *guest = *state;
	struct tty tty;

	open_tty(&tty);
	begin(guest, CONSOLE_STDIO, tty.slave, tty.slave);
	fd_close(&tty.master);
	settle(guest);
	assert_int_equal(put(guest, "gone\n"), 5);
	assert_int_equal(console_flush(guest->console, SECOND), 0);
	finish(guest);
	close_tty(&tty);
}

static void fatal(int signal_number)
{
	terminal_restore_from_signal();
	_exit(128 + signal_number);
}

/* Runs a console on the terminal in a process of its own, which reports once it has begun, and then
 * waits; returns its pid. */
static pid_t run_in_child(struct guest *guest, const struct tty *tty, bool background)
{
	cleanup_fd int began = -1, tell = -1;
	char byte = 0;
	pid_t child;

	make_pipe(&began, &tell);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		(void)signal(SIGSEGV, fatal);
		(void)signal(SIGTTIN, SIG_IGN);
		(void)signal(SIGTTOU, SIG_IGN);
		if (background)
			(void)setpgid(0, 0);
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		begin(guest, CONSOLE_STDIO, tty->slave, tty->slave);
		if (fd_write(tell, "b", 1) == 0 && loop_run(&guest->loop) == 0)
			_exit(0);
		_exit(1);
	}
	fd_close(&tell);
	assert_int_equal(fd_read(began, &byte, 1), 1);
	return child;
}

/* The child's guardian becomes ours; nobody may be left. */
static void expect_no_children(void)
{
	for (unsigned int i = 0;; i++) {
		pid_t child = waitpid(-1, NULL, WNOHANG);

		if (child < 0) {
			assert_int_equal(errno, ECHILD);
			return;
		}
		assert_true(i < PATIENCE_MS / 10);
		if (child == 0)
			(void)poll(NULL, 0, 10);
	}
}

static void killed_or_crashed_it_is_restored(void **state)
{
	static const int signals[] = {SIGSEGV, SIGKILL, SIGTERM};
	struct guest *guest = *state;
	struct tty tty;

	open_tty(&tty);
	for (size_t i = 0; i < array_size(signals); i++) {
		pid_t child = run_in_child(guest, &tty, false);
		int status;

		assert_int_equal(modes_of(&tty), 'r');
		assert_int_equal(kill(child, signals[i]), 0);
		assert_int_equal(waitpid(child, &status, 0), child);
		if (signals[i] == SIGSEGV)
			assert_int_equal(modes_of(&tty), 'o'); /* by the handler, at once */
		wait_for_modes(&tty, 'o');
		expect_no_children();
	}
	close_tty(&tty);
}

/* The guardian leaves alone what somebody else, the shell for instance, has set by then. */
static void guardian_respects_other_modes(void **state)
{
	struct guest *guest = *state;
	struct termios modes;
	struct tty tty;
	pid_t child;

	open_tty(&tty);
	child = run_in_child(guest, &tty, false);
	modes = tty.modes;
	modes.c_lflag &= ~(tcflag_t)ICANON;
	assert_int_equal(tcsetattr(tty.slave, TCSANOW, &modes), 0);
	assert_int_equal(kill(child, SIGKILL), 0);
	expect_no_children();
	assert_int_equal(modes_of(&tty), '?');
	close_tty(&tty);
}

/* The part of the test below that needs a session of its own. */
static _Noreturn void background_session(struct guest *guest, struct tty *tty)
{
	pid_t child;

	(void)signal(SIGTTOU, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	if (setsid() < 0 || ioctl(tty->slave, TIOCSCTTY, 0) != 0)
		_exit(10);
	child = run_in_child(guest, tty, true);
	if (modes_of(tty) != 'o')
		_exit(11);
	/* typed for the foreground: not eaten */
	if (fd_write(tty->master, "ls\n", 3) != 0 || read(tty->slave, (char[8]){0}, 8) != 3)
		_exit(12);
	if (kill(child, 0) != 0 || waitpid(child, NULL, WNOHANG | WUNTRACED) != 0)
		_exit(13);
	(void)kill(child, SIGKILL);
	(void)waitpid(child, NULL, 0);
	if (modes_of(tty) != 'o')
		_exit(14);
	/* in the foreground it is raw; killed, with the terminal still its group's, restored */
	child = run_in_child(guest, tty, false);
	if (modes_of(tty) != 'r')
		_exit(15);
	(void)kill(child, SIGKILL);
	(void)waitpid(child, NULL, 0);
	wait_for_modes(tty, 'o');
	_exit(0);
}

static void background_leaves_the_terminal_alone(void **state)
{
	struct guest *guest = *state;
	struct tty tty;
	pid_t child;
	int status;

	open_tty(&tty);
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		background_session(guest, &tty);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	expect_no_children();
	close_tty(&tty);
}

#define TERMINAL_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TERMINAL_TEST(raw_from_start_to_destroy),
		TERMINAL_TEST(escapes_are_taken_out),
		TERMINAL_TEST(deaf_guest_can_be_ended),
		TERMINAL_TEST(job_control_gives_it_back),
		TERMINAL_TEST(only_one_has_the_terminal),
		TERMINAL_TEST(hangup_is_an_end),
		TERMINAL_TEST(killed_or_crashed_it_is_restored),
		TERMINAL_TEST(guardian_respects_other_modes),
		TERMINAL_TEST(background_leaves_the_terminal_alone),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	return cmocka_run_group_tests_name("terminal", tests, NULL, NULL);
}
