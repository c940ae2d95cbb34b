/*
 * The unlinked file that keeps what a guest has written to an ephemeral disk.
 */
#pragma once

#include "compiler.h"
#include "err.h"

#include <stdint.h>

/* A sparse file of that size, in the directory; NULL: $TMPDIR, else /tmp, else in memory. */
must_check int disk_overlay_open(
	const char *directory, uint64_t size_bytes, int *ret_fd, struct err *err);
