/*
 * What the network's process gives up before it looks at the first frame, so that a flaw in
 * libslirp (or GLib) is worth little: it can neither run a program, nor write or list a file, nor
 * listen on a port that it was not given, nor see the process that it serves.
 *
 * Runs once, on the only thread. What a kernel does not know (Landlock before 5.13) is left out;
 * what it refuses is an error. Under sanitizers neither memory nor system calls are limited.
 */
#pragma once

#include "compiler.h"
#include "err.h"

#include <stdbool.h>

/* Resources, files, identity (root becomes nobody), capabilities. */
must_check int confine_process(struct err *err);

/* confine_files.c: files, by Landlock: only the resolver's configuration can be read. */
must_check int confine_files(struct err *err);

/* confine_syscalls.c: system calls, by seccomp; for good. */
must_check int confine_syscalls(struct err *err);
