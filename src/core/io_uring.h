/*
 * Between io_uring.c, which owns a ring, and io_uring_setup.c, which makes one that works here.
 */
#pragma once

#include "err.h"

#include <liburing.h>

/* Of a ring that serves so many operations: their completions, and those of what is watched. */
unsigned int uring_completions_for(unsigned int operations);

/* A ring with the best set of features there is, to be used by the calling thread only. The
 * sentence of a refusal names the system call and what may be in the way. */
must_check int uring_setup(struct io_uring *ring, unsigned int completions, struct err *err);

/* "<what>: <error> (<what may be in the way>)". */
int uring_refusal(struct err *err, int code, const char *what);
