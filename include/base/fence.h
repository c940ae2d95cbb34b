/*
 * A fence around files (Landlock): what a thread, and those that it starts from then on, can open,
 * make and remove from the day it is closed. What is open already stays usable.
 */
#pragma once

#include "compiler.h"

#include <stdint.h>

struct fence {
	int rules;         /* -1: none; closed by fence_fini */
	uint64_t accesses; /* that this kernel can refuse (LANDLOCK_ACCESS_FS_...), all of them */
};

/* Renames from one directory to another are refused altogether by kernels before this version. */
#define FENCE_RENAMES 2

/* A fence with nothing in it. -EOPNOTSUPP: the kernel knows none, or one of an older version. */
must_check int fence_init(struct fence *fence, long least_version);
void fence_fini(struct fence *fence);
/* What lies in, or is, the open file (O_PATH will do): some of fence->accesses. */
must_check int fence_allow(const struct fence *fence, int parent, uint64_t accesses);
/* For the calling thread, which can gain no privileges by execve(2) afterwards. */
must_check int fence_close(const struct fence *fence);
