/*
 * The I/O threads of a machine, which its virtio devices and their queues are spread over.
 *
 * Main thread.
 */
#pragma once

#include "compiler.h"
#include "config.h"
#include "err.h"
#include "io_thread.h"

struct machine_io {
	struct io_thread **threads; /* owned */
	unsigned int count;
	struct io_thread *sockets; /* owned; for the socket device; NULL: there is none */
	struct io_thread *files;   /* owned; for shared directories; likewise */
};

/* As many as the config says; at least 1. On failure fini is still to be called. */
must_check int machine_io_init(struct machine_io *io, const struct config *config, struct err *err);
/* Accepts one that is all zero. */
void machine_io_fini(struct machine_io *io);

/* Any index: they are dealt out in turn. */
static inline struct io_thread *machine_io_thread(const struct machine_io *io, unsigned int index)
{
	return io->threads[index % io->count];
}
