/*
 * See terminal_guardian.h. The child calls async-signal-safe functions only: it may have been
 * forked from a process with threads.
 */
#include "terminal_guardian.h"

#include "fd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* A shell that saw us die may have taken the terminal back already: restores only what still looks
 * as we left it. */
static void restore_if_raw(const struct terminal *terminal)
{
	struct termios now;

	if (!terminal_is_ours(terminal) || tcgetattr(terminal->fd, &now) != 0 ||
		now.c_iflag != terminal->raw.c_iflag || now.c_lflag != terminal->raw.c_lflag)
		return;
	terminal_apply(terminal->fd, &terminal->original);
}

static _Noreturn void guard(struct terminal *terminal, int pipe_fd)
{
	int tty = fcntl(terminal->fd, F_DUPFD, 3);
	int pipe_end = fcntl(pipe_fd, F_DUPFD, 3);
	char byte;

	/* A group of its own: what is sent to ours, SIGKILL included, is not meant for it. */
	(void)setpgid(0, 0);
	(void)prctl(PR_SET_NAME, "hull-terminal");
	if (tty < 0 || pipe_end < 0 || dup2(tty, 0) < 0 || dup2(pipe_end, 1) < 0 ||
		close_range(2, ~0U, 0) != 0)
		_exit(1); /* it must not hold what the VM wants to give up */
	terminal->fd = 0;
	while (read(1, &byte, 1) < 0 && errno == EINTR)
		;
	restore_if_raw(terminal);
	_exit(0);
}

void terminal_guardian_start(struct terminal *terminal)
{
	cleanup_fd int read_end = -1;
	cleanup_fd int write_end = -1;
	sigset_t all, before;
	int fds[2];
	pid_t child;

	if (pipe2(fds, O_CLOEXEC) != 0)
		return;
	read_end = fds[0];
	write_end = fds[1];
	/* Nothing but SIGKILL reaches the child, from its first instruction on. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	child = fork();
	if (child == 0)
		guard(terminal, read_end);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (child < 0)
		return;
	terminal->guardian = child;
	terminal->guardian_fd = take_fd(&write_end);
}

void terminal_guardian_stop(struct terminal *terminal)
{
	if (!terminal->guardian)
		return;
	/* Not by the pipe alone: a guardian that someone stopped would not notice it. */
	(void)kill(terminal->guardian, SIGKILL);
	while (waitpid(terminal->guardian, NULL, 0) < 0 && errno == EINTR)
		;
	terminal->guardian = 0;
	fd_close(&terminal->guardian_fd);
}
