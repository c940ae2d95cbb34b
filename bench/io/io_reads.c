/*
 * Reads of 4 KiB from the page cache, at random offsets, by an I/O thread on each engine and by
 * plain pread in a loop: what an operation costs before a disk is involved.
 *
 * usage: io_reads [SECONDS PER ROW [DIRECTORY]]
 *
 * The directory must not be on tmpfs, where io_uring has a thread of the kernel do each read.
 */
#include "clock.h"
#include "fd.h"
#include "io_thread.h"

#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define FILE_BYTES  (UINT64_C(64) << 20)
#define BLOCK_BYTES UINT64_C(4096)
#define DEPTH_MAX   32

struct reader {
	struct io_operation operation;
	struct iovec iov;
	struct run *run;
};

struct run {
	struct io_thread *thread;
	int fd;
	unsigned int depth, active;
	uint64_t seed, count, end_ns;
	struct reader readers[DEPTH_MAX];
	char *buffers;
	sem_t over;
};

static uint64_t next_offset(struct run *run)
{
	run->seed = run->seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (run->seed >> 33) % (FILE_BYTES / BLOCK_BYTES) * BLOCK_BYTES;
}

static void submit(struct reader *reader)
{
	struct run *run = reader->run;

	reader->iov = (struct iovec){
		run->buffers + (size_t)(reader - run->readers) * BLOCK_BYTES, BLOCK_BYTES};
	reader->operation.iov = &reader->iov;
	reader->operation.iov_count = 1;
	reader->operation.offset = next_offset(run);
	io_submit(run->thread, &reader->operation);
}

static void read_done(struct io_operation *operation)
{
	struct reader *reader = container_of(operation, struct reader, operation);
	struct run *run = reader->run;

	run->count++;
	if (operation->result == (int64_t)BLOCK_BYTES && clock_monotonic_ns() < run->end_ns)
		submit(reader);
	else if (--run->active == 0)
		(void)sem_post(&run->over);
}

static void begin(void *context)
{
	struct run *run = context;

	run->active = run->depth;
	for (unsigned int i = 0; i < run->depth; i++) {
		run->readers[i] = (struct reader){.run = run,
			.operation = {.opcode = IO_READV, .fd = run->fd, .done = read_done}};
		submit(&run->readers[i]);
	}
}

static double cpu_ns(void)
{
	struct rusage usage;

	(void)getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e9 +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e3;
}

static void read_plainly(struct run *run)
{
	while (clock_monotonic_ns() < run->end_ns) {
		if (fd_pread(run->fd, run->buffers, BLOCK_BYTES, next_offset(run)) < 0)
			return;
		run->count++;
	}
}

static void measure(struct run *run, const char *name, unsigned int depth, uint64_t duration_ns)
{
	double cpu = cpu_ns();
	uint64_t start = clock_monotonic_ns();

	run->depth = depth;
	run->count = 0;
	run->end_ns = start + duration_ns;
	if (run->thread) {
		io_thread_call(run->thread, begin, run);
		while (sem_wait(&run->over) < 0)
			continue;
	} else {
		read_plainly(run);
	}
	(void)printf("%-10s depth %2u: %9.0f reads/s, %6.0f ns of CPU each\n", name, depth,
		(double)run->count * 1e9 / (double)(clock_monotonic_ns() - start),
		(cpu_ns() - cpu) / (double)run->count);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		enum io_engine_choice engine;
	} engines[] = {{"io_uring", IO_ENGINE_URING}, {"threads", IO_ENGINE_THREADS}};
	double seconds = argc > 1 ? strtod(argv[1], NULL) : 1;
	uint64_t duration_ns = (uint64_t)(seconds * 1e9);
	struct run run = {
		.fd = open(argc > 2 ? argv[2] : ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600),
		.seed = 1};
	struct err err = {0};

	run.buffers = aligned_alloc(BLOCK_BYTES, DEPTH_MAX * BLOCK_BYTES);
	if (run.fd < 0 || !run.buffers || ftruncate(run.fd, (off_t)FILE_BYTES) < 0)
		return 1;
	memset(run.buffers, 1, DEPTH_MAX * BLOCK_BYTES);
	for (uint64_t at = 0; at < FILE_BYTES; at += BLOCK_BYTES)
		if (pwrite(run.fd, run.buffers, BLOCK_BYTES, (off_t)at) < 0)
			return 1;
	(void)sem_init(&run.over, 0, 0);
	measure(&run, "pread", 1, duration_ns);
	for (size_t i = 0; i < array_size(engines); i++) {
		struct io_thread_options options = {
			.name = "io_reads", .engine = engines[i].engine};

		if (io_thread_create(&options, &run.thread, &err) < 0 ||
			io_thread_admit(run.thread, DEPTH_MAX, &err) < 0) {
			(void)printf("%s: %s\n", engines[i].name, err.text);
			continue;
		}
		measure(&run, engines[i].name, 1, duration_ns);
		measure(&run, engines[i].name, DEPTH_MAX, duration_ns);
		io_thread_destroy(run.thread);
	}
	free(run.buffers);
	return 0;
}
