/*
 * The process that restores the terminal when we die without a chance to: it holds the terminal and
 * one end of a pipe, nothing else, and ends as soon as we do.
 */
#pragma once

#include "terminal.h"

/* Best effort: without one, only SIGKILL leaves the terminal raw. */
void terminal_guardian_start(struct terminal *terminal);
void terminal_guardian_stop(struct terminal *terminal);

/* Writes the modes without being stopped for it in the background. Async-signal-safe. */
void terminal_apply(int fd, const struct termios *modes);
