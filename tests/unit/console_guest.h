/*
 * A device and a machine behind a console's up-calls, for the tests of consoles: what was received,
 * how much room there is, and that every descriptor is given back.
 */
#pragma once

#include "cmocka_all.h"
#include "console.h"
#include "fd.h"
#include "loop.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* No test measures time; these only turn a hang into a failure. */
#define PATIENCE_MS 20000
#define SECOND      UINT64_C(1000000000)

struct guest {
	struct loop loop;
	struct console *console;
	struct console_port port;
	uint8_t received[1 << 16];
	size_t received_count;
	size_t room; /* how much the device will still take */
	unsigned int quits;
	atomic_int failures;
	atomic_int failure_code;
	atomic_int drains;
	int drained_fd; /* a pipe's end, written by drained */
	char directory[32];
	char path[64];
	unsigned int fds_before;
};

static inline unsigned int count_fds(void)
{
	DIR *directory = opendir("/proc/self/fd");
	unsigned int count = 0;

	assert_non_null(directory);
	while (readdir(directory))
		count++;
	(void)closedir(directory);
	return count;
}

static inline size_t guest_receive(void *opaque, const uint8_t *bytes, size_t length)
{
	struct guest *guest = opaque;
	size_t count = length < guest->room ? length : guest->room;

	assert_true(count <= sizeof(guest->received) - guest->received_count);
	memcpy(guest->received + guest->received_count, bytes, count);
	guest->received_count += count;
	guest->room -= count;
	return count;
}

static inline void guest_drained(void *opaque)
{
	struct guest *guest = opaque;

	atomic_fetch_add(&guest->drains, 1);
	assert_int_equal(fd_write(guest->drained_fd, "d", 1), 0);
}

static inline void guest_quit(void *opaque)
{
	((struct guest *)opaque)->quits++;
}

static inline void guest_failed(void *opaque, int code)
{
	struct guest *guest = opaque;

	atomic_store(&guest->failure_code, code);
	atomic_fetch_add(&guest->failures, 1);
}

static inline int setup(void **state)
{
	struct guest *guest = calloc(1, sizeof(*guest));

	if (!guest)
		return -1;
	guest->fds_before = count_fds();
	guest->room = SIZE_MAX;
	guest->drained_fd = -1;
	(void)strcpy(guest->directory, "/tmp/hull-test-XXXXXX");
	if (!mkdtemp(guest->directory))
		return -1;
	(void)snprintf(guest->path, sizeof(guest->path), "%s/console", guest->directory);
	*state = guest;
	return 0;
}

static inline int teardown(void **state)
{
	struct guest *guest = *state;
	unsigned int fds;

	console_destroy(guest->console);
	(void)unlink(guest->path);
	fds = rmdir(guest->directory) == 0 ? count_fds() : 0;
	if (fds != guest->fds_before) {
		print_error("%u descriptors before, %u after\n", guest->fds_before, fds);
		return -1;
	}
	free(guest);
	return 0;
}

static inline void begin(struct guest *guest, enum console_kind kind, int input_fd, int output_fd)
{
	struct console_options options = {kind, guest->path, input_fd, output_fd};
	struct console_events events = {
		.receive = guest_receive,
		.drained = guest->drained_fd >= 0 ? guest_drained : NULL,
		.device = guest,
		.quit = guest_quit,
		.failed = guest_failed,
		.owner = guest,
	};
	struct err err = {0};

	if (console_create(&options, &guest->console, &err) != 0)
		fail_msg("%s", err.text);
	if (console_start(guest->console, &guest->loop, &events, &err) != 0)
		fail_msg("%s", err.text);
	guest->port = console_port(guest->console);
}

static inline void finish(struct guest *guest)
{
	console_destroy(guest->console);
	guest->console = NULL;
}

static inline size_t put(struct guest *guest, const char *text)
{
	return guest->port.ops->write(guest->port.host, text, strlen(text));
}

/* Runs the loop until the guest has received count bytes. */
static inline void expect_input(struct guest *guest, const char *text, size_t count)
{
	for (unsigned int i = 0; guest->received_count < count; i++) {
		assert_true(i < PATIENCE_MS / 10);
		assert_int_equal(loop_run_once(&guest->loop, 10), 0);
	}
	assert_int_equal(guest->received_count, count);
	assert_memory_equal(guest->received, text, count);
	guest->received_count = 0;
}

/* Lets everything that is ready be dispatched; there must be an end to it. */
static inline void settle(struct guest *guest)
{
	struct pollfd fds[LOOP_SOURCES_MAX];

	for (unsigned int i = 0;; i++) {
		unsigned int count = guest->loop.source_count;

		for (unsigned int j = 0; j < count; j++) {
			const struct loop_source *source = guest->loop.sources[j];

			fds[j] = (struct pollfd){
				.fd = source->events ? source->fd : -1, .events = source->events};
		}
		if (poll(fds, count, 50) == 0)
			return;
		assert_true(i < 1000); /* a busy loop */
		assert_int_equal(loop_run_once(&guest->loop, 0), 0);
	}
}

/* Reads exactly that from a descriptor, blocking or not. */
static inline void expect_output(int fd, const char *text)
{
	char buffer[256];
	size_t length = strlen(text);
	size_t done = 0;

	while (done < length) {
		struct pollfd fds = {.fd = fd, .events = POLLIN};
		ssize_t count;

		assert_int_equal(poll(&fds, 1, PATIENCE_MS), 1);
		count = read(fd, buffer + done, length - done);
		assert_true(count > 0);
		done += (size_t)count;
	}
	assert_memory_equal(buffer, text, length);
}

static inline void make_pipe(int *ret_read_end, int *ret_write_end)
{
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	*ret_read_end = fds[0];
	*ret_write_end = fds[1];
}
