/*
 * Disks on an I/O thread: a temporary image, requests that are submitted together and waited for.
 */
#pragma once

#include "cmocka_all.h"
#include "disk.h"

#include <fcntl.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIXTURE_REQUESTS_MAX 64
#define FIXTURE_SEGMENTS_MAX 8

struct fixture_request {
	struct disk_request request;
	struct iovec iov[FIXTURE_SEGMENTS_MAX];
	sem_t *done;
};

struct disk_fixture {
	char path[64];
	struct io_thread *thread;
	struct disk *disk;
	sem_t done;
	struct fixture_request requests[FIXTURE_REQUESTS_MAX];
	unsigned int count;
};

static inline void fixture_make_image(struct disk_fixture *fixture, uint64_t size_bytes)
{
	int fd;

	(void)snprintf(fixture->path, sizeof(fixture->path), "test-disk-XXXXXX");
	fd = mkostemp(fixture->path, O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size_bytes), 0);
	(void)close(fd);
}

static inline void fixture_start(
	struct disk_fixture *fixture, struct disk_options *options, enum io_engine_choice engine)
{
	struct io_thread_options thread_options = {.name = "test", .engine = engine};
	struct err err = {0};

	(void)signal(SIGXFSZ, SIG_IGN);
	options->path = fixture->path;
	assert_int_equal(io_thread_create(&thread_options, &fixture->thread, &err), 0);
	if (disk_open(options, &fixture->disk, &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(
		disk_attach(fixture->disk, fixture->thread, FIXTURE_REQUESTS_MAX, &err), 0);
	assert_int_equal(sem_init(&fixture->done, 0, 0), 0);
	fixture->count = 0;
}

static inline void fixture_stop(struct disk_fixture *fixture)
{
	disk_detach(fixture->disk);
	disk_close(fixture->disk);
	io_thread_destroy(fixture->thread);
	(void)sem_destroy(&fixture->done);
	(void)unlink(fixture->path);
}

static inline void fixture_done(struct disk_request *request)
{
	struct fixture_request *entry = container_of(request, struct fixture_request, request);

	(void)sem_post(entry->done);
}

/* Adds a request to those that fixture_run submits. bytes is split into up to pieces segments. */
static inline struct disk_request *fixture_add(struct disk_fixture *fixture,
	enum disk_operation operation, uint64_t offset, void *bytes, uint64_t length,
	unsigned int pieces)
{
	struct fixture_request *entry = &fixture->requests[fixture->count++];
	uint64_t done = 0;

	assert_true(fixture->count <= FIXTURE_REQUESTS_MAX);
	*entry = (struct fixture_request){.done = &fixture->done};
	entry->request.operation = operation;
	entry->request.offset = offset;
	entry->request.length = length;
	entry->request.done = fixture_done;
	entry->request.result = 1;
	entry->request.iov = entry->iov;
	for (unsigned int i = 0; bytes && i < pieces && done < length; i++) {
		uint64_t piece = i + 1 < pieces ? (length - done) / 3 : length - done;

		entry->iov[i] = (struct iovec){(char *)bytes + done, (size_t)piece};
		entry->request.iov_count = i + 1;
		done += piece;
	}
	return &entry->request;
}

static inline void fixture_submit_all(void *context)
{
	struct disk_fixture *fixture = context;

	for (unsigned int i = 0; i < fixture->count; i++)
		disk_submit(fixture->disk, &fixture->requests[i].request);
}

static inline void fixture_wait(struct disk_fixture *fixture)
{
	for (unsigned int i = 0; i < fixture->count; i++)
		assert_int_equal(sem_wait(&fixture->done), 0);
	fixture->count = 0;
}

static inline void fixture_run(struct disk_fixture *fixture)
{
	io_thread_call(fixture->thread, fixture_submit_all, fixture);
	fixture_wait(fixture);
}

static inline int fixture_do(struct disk_fixture *fixture, enum disk_operation operation,
	uint64_t offset, void *bytes, uint64_t length)
{
	struct disk_request *request = fixture_add(fixture, operation, offset, bytes, length, 1);

	fixture_run(fixture);
	return request->result;
}
