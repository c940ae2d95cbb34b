/*
 * The kinds of disk that disk_open chooses from. Each takes the file over, whatever it returns.
 */
#pragma once

#include "disk_file.h"

must_check int disk_raw_create(const struct disk_options *options, struct disk_file *file,
	struct disk **ret_disk, struct err *err);

/* The file is the base, opened for reading only. */
must_check int disk_ephemeral_create(const struct disk_options *options, struct disk_file *file,
	struct disk **ret_disk, struct err *err);
