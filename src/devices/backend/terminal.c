/* See terminal.h. */
#include "terminal.h"

#include "fd.h"
#include "terminal_guardian.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

/* SAFETY: the one static of this layer (lint's allow-list). A signal handler has no other way to
 * find the terminal; it is set while a terminal is raw and cleared before the terminal goes. */
static struct terminal *_Atomic terminal_of_process;

void terminal_apply(int fd, const struct termios *modes)
{
	sigset_t block, before;

	/* With SIGTTOU blocked the kernel lets a background process through instead of stopping it:
	 * whether to come here at all was decided by the caller. */
	(void)sigemptyset(&block);
	(void)sigaddset(&block, SIGTTOU);
	(void)pthread_sigmask(SIG_BLOCK, &block, &before);
	(void)tcsetattr(fd, TCSANOW, modes); /* a terminal that is gone needs no modes */
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

bool terminal_is_ours(const struct terminal *terminal)
{
	pid_t foreground = tcgetpgrp(terminal->fd);

	/* A terminal that is not our controlling one knows no job control for us. */
	if (foreground < 0)
		return errno == ENOTTY;
	return foreground == terminal->process_group;
}

int terminal_open(struct terminal *terminal, int fd, struct err *err)
{
	*terminal = (struct terminal){.fd = fd, .guardian_fd = -1, .process_group = getpgrp()};
	if (atomic_load(&terminal_of_process))
		return err_set(err, EBUSY, "console: this process has the terminal already");
	if (tcgetattr(fd, &terminal->original) != 0)
		return err_set_errno(err, errno, "console: cannot read the terminal's modes");
	terminal->raw = terminal->original;
	/* Output processing stays: Hull's own lines share the screen with the guest's. */
	terminal->raw.c_iflag &= ~(
		tcflag_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
	terminal->raw.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
	terminal->raw.c_cc[VMIN] = 1;
	terminal->raw.c_cc[VTIME] = 0;
	terminal->open = true;
	return 0;
}

bool terminal_enter_raw(struct terminal *terminal)
{
	if (!terminal->open || !terminal_is_ours(terminal))
		return false;
	if (!terminal->guardian)
		terminal_guardian_start(terminal);
	/* Published first: a fatal signal in between restores what was not changed yet. */
	atomic_store(&terminal_of_process, terminal);
	terminal_apply(terminal->fd, &terminal->raw);
	terminal->raw_active = true;
	return true;
}

void terminal_leave_raw(struct terminal *terminal)
{
	if (!terminal->raw_active)
		return;
	/* In the background the shell has set modes of its own. */
	if (terminal_is_ours(terminal))
		terminal_apply(terminal->fd, &terminal->original);
	terminal->raw_active = false;
	atomic_store(&terminal_of_process, NULL);
}

void terminal_close(struct terminal *terminal)
{
	if (!terminal->open)
		return;
	terminal_leave_raw(terminal);
	terminal_guardian_stop(terminal);
	terminal->open = false;
}

void terminal_restore_from_signal(void)
{
	const struct terminal *terminal = atomic_load(&terminal_of_process);
	int saved = errno;

	if (terminal && terminal_is_ours(terminal))
		terminal_apply(terminal->fd, &terminal->original);
	errno = saved;
}
