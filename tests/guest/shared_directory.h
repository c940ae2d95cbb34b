/*
 * A directory that a hostile guest is given, and what lies beside it: see
 * guest-firmware/hostile/fuse.h for what the guest finds.
 */
#pragma once

#define SHARED_PATH_BYTES 64

struct shared_directory {
	char path[SHARED_PATH_BYTES];        /* "": not made */
	char option[SHARED_PATH_BYTES + 32]; /* for --share */
};

/* Says on standard error if that fails, which the guest will find out. */
void shared_make(struct shared_directory *shared);
/* What the guest has done that it must not, or NULL: the files beside are as they were and were not
 * read, there is nothing new, and no device node anywhere. */
const char *shared_check(const struct shared_directory *shared);
void shared_remove(const struct shared_directory *shared);
