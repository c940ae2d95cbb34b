/*
 * The user's terminal: raw while the guest has it, as it was in every other case.
 *
 * Normal end, job control and fatal signals are handled here in the process; for SIGKILL a tiny
 * forked guardian waits on a pipe for our death and restores the modes if we did not. One terminal
 * per process; main thread, except where noted.
 */
#pragma once

#include "compiler.h"
#include "err.h"

#include <stdbool.h>
#include <sys/types.h>
#include <termios.h>

struct terminal {
	int fd; /* borrowed */
	bool open;
	bool raw_active;
	pid_t process_group; /* ours, when the terminal was opened */
	struct termios original;
	struct termios raw;
	pid_t guardian;  /* 0: none */
	int guardian_fd; /* its end of file is our death */
};

/* Remembers the modes of the terminal fd; -EBUSY when the process has one already. The storage must
 * stay where it is until terminal_close. */
must_check int terminal_open(struct terminal *terminal, int fd, struct err *err);

/* Raw mode, when we are in the terminal's foreground: false when not, and nothing was changed. */
bool terminal_enter_raw(struct terminal *terminal);

/* The modes of terminal_open again; nothing when not raw or not in the foreground. */
void terminal_leave_raw(struct terminal *terminal);

/* Are we in the foreground, so that reading would not stop us? */
bool terminal_is_ours(const struct terminal *terminal);

/* Leaves raw mode and ends the guardian. Accepts a zeroed one. */
void terminal_close(struct terminal *terminal);

/* Async-signal-safe: for the handler of a signal that will end the process. Any thread. */
void terminal_restore_from_signal(void);
