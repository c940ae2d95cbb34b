/*
 * Writes an initial RAM disk: a cpio archive in the "newc" format, as the kernel's
 * Documentation/driver-api/early-userspace/buffer-format.rst has it. Main thread.
 *
 * Entries come in the order in which they are added; a directory before what is in it. The kernel
 * takes several archives behind one another, so one that exists may come first. The same input
 * gives the same bytes.
 *
 * The first error is kept: later calls do nothing, and cpio_end returns it.
 */
#pragma once

#include "compiler.h"
#include "err.h"

#include <stdint.h>

struct cpio {
	int fd; /* a memfd, owned; -1: none */
	uint64_t size_bytes;
	uint32_t entries;
	int error;
};

/* -errno when there is no memory for a file. */
must_check int cpio_begin(struct cpio *cpio, struct err *err);
/* An archive, or whatever the kernel takes there, as it is: the first thing that is added. */
void cpio_add_archive(struct cpio *cpio, int fd, uint64_t size_bytes);
/* Names have no leading slash. */
void cpio_add_directory(struct cpio *cpio, const char *name);
void cpio_add_bytes(struct cpio *cpio, const char *name, unsigned int permissions,
	const void *bytes, uint64_t length);
/* From the file's beginning. */
void cpio_add_file(
	struct cpio *cpio, const char *name, unsigned int permissions, int fd, uint64_t size_bytes);
/* The file, which the caller owns then, and its size. */
must_check int cpio_end(struct cpio *cpio, int *ret_fd, uint64_t *ret_size_bytes, struct err *err);
/* Gives up. One that has ended, or is all zero but for fd, is accepted. */
void cpio_fini(struct cpio *cpio);
