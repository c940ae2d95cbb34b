/*
 * Unpacking gzip, xz and zstd files with libraries that are loaded on demand, so that the program
 * depends on none of them. Main thread, start-up only. Private to base: image.h is the door.
 */
#pragma once

#include "compiler.h"
#include "err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One call of a codec: what it may take and give, and what it took and gave. */
struct unpack_step {
	const uint8_t *input;
	size_t input_length;
	size_t input_used;
	uint8_t *output;
	size_t output_capacity;
	size_t output_used;
};

struct unpack_codec {
	const char *name;    /* "gzip" */
	const char *library; /* its soname */
	const char *package; /* where Debian has it */
	const char *tool;    /* what unpacks such a file by hand */
	size_t magic_length;
	uint8_t magic[6];

	/* library: a dlopen handle that outlives the state. -ENOMEM, or -ELIBACC when the library
	 * lacks a symbol. NULL when Hull was built without this codec. */
	int (*create)(void *library, void **ret_state);
	void (*destroy)(void *state);
	/* Ready for another member of a concatenated file. */
	int (*reset)(void *state);
	/* 1: a member ended; 0: go on; -EBADMSG: damaged; -E2BIG: wants more memory than Hull
	 * grants a decompressor; -ENOMEM. */
	int (*step)(void *state, struct unpack_step *step);
};

extern const struct unpack_codec unpack_gzip, unpack_xz, unpack_zstd;

/* The codec of a file that begins with these bytes, or NULL. */
const struct unpack_codec *unpack_recognise(const uint8_t *head, size_t length);

/* Unpacks all of input into output (at its file offset). what and path are for messages.
 * -E2BIG beyond limit_bytes; -EINVAL: damaged or cut short; -ENOPKG: no library for it. */
must_check int unpack_file(const struct unpack_codec *codec, const char *what, const char *path,
	int input, int output, uint64_t limit_bytes, uint64_t *ret_size_bytes, struct err *err);
