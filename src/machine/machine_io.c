/* See machine_io.h. */
#include "machine_io.h"

#include "log.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#define POLL_NS UINT64_C(32000) /* about what going to sleep and waking up cost */

/* An I/O thread that polls takes a CPU which no vCPU should be waiting for. */
static uint64_t poll_ns(const struct config *config)
{
	cpu_set_t set;

	if (config->io_poll_us != CONFIG_IO_POLL_AUTO)
		return (uint64_t)config->io_poll_us * 1000;
	/* It fails on a machine with more than 1024 processors. */
	if (sched_getaffinity(0, sizeof(set), &set) == 0 &&
		(unsigned int)CPU_COUNT(&set) <= config->cpu_count)
		return 0;
	return POLL_NS;
}

int machine_io_init(struct machine_io *io, const struct config *config, struct err *err)
{
	static const enum io_engine_choice engines[] = {
		[CONFIG_IO_ENGINE_AUTO] = IO_ENGINE_AUTO,
		[CONFIG_IO_ENGINE_URING] = IO_ENGINE_URING,
		[CONFIG_IO_ENGINE_THREADS] = IO_ENGINE_THREADS,
	};

	struct io_thread_options options = {
		.engine = engines[config->io_engine], .poll_ns = poll_ns(config)};
	int r = 0;

	io->threads = calloc(config->io_thread_count, sizeof(io->threads[0]));
	if (!io->threads)
		return err_set_errno(err, ENOMEM, "I/O threads");
	while (r == 0 && io->count < config->io_thread_count) {
		char name[16];

		(void)snprintf(name, sizeof(name), "io%u", io->count);
		options.name = name;
		r = io_thread_create(&options, &io->threads[io->count], err);
		io->count += r == 0;
	}
	/* A guest may have hundreds of connections, each of which is watched: on a thread of their
	 * own they cannot take the place of anything else. */
	options.name = "sockets";
	if (r == 0 && config_has_vsock(config))
		r = io_thread_create(&options, &io->sockets, err);
	/* File systems may take their time. */
	options.name = "files";
	if (r == 0 && config->share_count)
		r = io_thread_create(&options, &io->files, err);
	if (r < 0)
		return r;
	log_line(LOG_LEVEL_DEBUG, "I/O engine: %s", io_thread_engine(io->threads[0]));
	return 0;
}

void machine_io_fini(struct machine_io *io)
{
	for (unsigned int i = 0; i < io->count; i++)
		io_thread_destroy(io->threads[i]);
	io_thread_destroy(io->sockets);
	io_thread_destroy(io->files);
	free(io->threads);
	*io = (struct machine_io){0};
}
