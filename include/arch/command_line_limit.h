/*
 * What kernels take of a command line, on any architecture.
 */
#pragma once

#include "err.h"

#include <stddef.h>
#include <stdint.h>

/* COMMAND_LINE_SIZE of arch/x86 and arch/arm64 less its NUL: Linux silently cuts what is longer. */
#define COMMAND_LINE_LINUX 2047

/* -E2BIG: the kernel takes at most maximum characters. */
must_check int command_line_limit_check(
	size_t length, uint64_t maximum, const char *kernel_name, struct err *err);
