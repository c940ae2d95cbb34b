/*
 * A boot file as a seekable descriptor, whatever it was on disk.
 *
 * A regular file is used as it is; a pipe (process substitution) is read into a memfd; gzip, xz and
 * zstd, also inside of an EFI zboot program, are unpacked into a memfd by libraries loaded on
 * demand. Runs on the main thread at
 * start-up.
 */
#pragma once

#include "compiler.h"
#include "err.h"

#include <stdbool.h>
#include <stdint.h>

struct image {
	int fd; /* owned */
	uint64_t size_bytes;
};

/* what: "kernel", for messages. limit_bytes bounds what a pipe or a compressed file may grow to
 * (-E2BIG beyond). unpack: look for compression (an initrd is the guest's to unpack). Directories,
 * devices and empty files are refused with a sentence. */
must_check int image_open(const char *what, const char *path, bool unpack, uint64_t limit_bytes,
	struct image *ret_image, struct err *err);
void image_close(struct image *image);
