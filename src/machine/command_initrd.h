/*
 * The initial RAM disk of a guest that runs a command: Hull's init, the kernel modules it needs and
 * what it is to do. Main thread.
 */
#pragma once

#include "compiler.h"
#include "err.h"

#include <stdbool.h>

struct config;
struct image;

/* initrd: the user's, or one of which nothing is open; replaced by one that holds both. */
must_check int command_initrd_create(const struct config *config, const struct image *kernel,
	bool has_tty, struct image *initrd, struct err *err);
