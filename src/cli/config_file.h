/*
 * Configuration files: the options of the command line, a line each. The bytes are hostile.
 *
 *	# a comment
 *	kernel /boot/vmlinuz
 *	memory = 2G
 *	append "console=ttyS0 # not a comment"
 *	timing
 *
 * A name, then blanks or `=`, then the value to the end of the line. A `#` at the start or behind a
 * blank begins a comment. A value may stand in double quotes; \" and \\ are themselves in there.
 */
#pragma once

#include "config.h"
#include "err.h"
#include "text.h"

#include <stddef.h>

#define CONFIG_FILE_BYTES_MAX 65536
#define CONFIG_FILE_LINE_MAX  8192

/* Sets what the file at path says. -EINVAL when a line is wrong ("path:3: ..."), -E2BIG when it is
 * larger than CONFIG_FILE_BYTES_MAX, else -errno of reading it. */
must_check int config_file_load(struct config *config, const char *path, struct err *err);

/* The same from memory; name is for messages. */
must_check int config_file_parse(
	struct config *config, const char *name, const char *bytes, size_t length, struct err *err);

/* Adds the config as a file that says the same. */
void config_file_show(const struct config *config, struct text *text);
