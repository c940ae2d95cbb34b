/* What file system an image has, by its superblock. Main thread. */
#pragma once

#include "compiler.h"
#include "err.h"

/* *ret_type: the kernel's name for it. -EINVAL with a sentence: none that is known, or partitions;
 * -errno when the file cannot be read. */
must_check int root_image_type(const char *path, const char **ret_type, struct err *err);
