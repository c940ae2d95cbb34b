/*
 * File descriptors as owned values (-1 when empty, CLOEXEC at birth) and complete reads and writes.
 */
#pragma once

#include "compiler.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Closes *fd when it is not -1, keeps errno, leaves -1. */
void fd_close(int *fd);

#define cleanup_fd cleanup_with(fd_close)

static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

/* Whole transfers on blocking descriptors, continued over EINTR and short counts.
 * read: bytes read, fewer only at end of file; write: 0. -errno on failure. */
must_check ssize_t fd_read(int fd, void *buffer, size_t length);
must_check ssize_t fd_pread(int fd, void *buffer, size_t length, uint64_t offset);
must_check int fd_write(int fd, const void *buffer, size_t length);
