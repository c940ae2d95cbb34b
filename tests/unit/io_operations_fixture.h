/* Operations of an I/O thread for tests: submitted together from the thread and waited for. */
#pragma once

#include "io_thread_fixture.h"

#include <fcntl.h>
#include <semaphore.h>
#include <stdlib.h>
#include <unistd.h>

struct batch {
	struct io_thread *thread;
	struct io_operation *operations;
	unsigned int count, finished;
	sem_t all;
};

struct job {
	struct io_operation operation;
	struct batch *batch;
	bool inside_submit;
};

static inline void job_done(struct io_operation *operation)
{
	struct job *job = container_of(operation, struct job, operation);

	if (job->inside_submit || !io_thread_is_current(job->batch->thread))
		abort();
	if (++job->batch->finished == job->batch->count)
		sem_post(&job->batch->all);
}

struct batch_run {
	struct batch *batch;
	struct job *jobs;
};

static inline void submit_batch(void *context)
{
	struct batch_run *run = context;

	for (unsigned int i = 0; i < run->batch->count; i++) {
		run->jobs[i].inside_submit = true;
		io_submit(run->batch->thread, &run->jobs[i].operation);
		run->jobs[i].inside_submit = false;
	}
}

static inline void run_jobs(struct io_thread *thread, struct job *jobs, unsigned int count)
{
	struct batch batch = {.thread = thread, .count = count};
	struct batch_run run = {&batch, jobs};

	sem_init(&batch.all, 0, 0);
	for (unsigned int i = 0; i < count; i++) {
		jobs[i].batch = &batch;
		jobs[i].operation.done = job_done;
	}
	io_thread_call(thread, submit_batch, &run);
	while (sem_wait(&batch.all) < 0)
		continue;
	sem_destroy(&batch.all);
}

static inline int64_t run_one(struct io_thread *thread, struct io_operation operation)
{
	struct job job = {.operation = operation};

	run_jobs(thread, &job, 1);
	return job.operation.result;
}

static inline int64_t transfer(struct io_thread *thread, enum io_opcode opcode, int fd,
	void *buffer, size_t length, uint64_t offset)
{
	struct iovec iov = {buffer, length};

	return run_one(thread,
		(struct io_operation){
			.opcode = opcode, .fd = fd, .offset = offset, .iov = &iov, .iov_count = 1});
}

static inline int new_file(void)
{
	char path[] = "/tmp/hull-test-XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);

	assert_true(fd >= 0);
	unlink(path);
	return fd;
}
