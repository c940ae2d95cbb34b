/* I/O threads for tests: both engines, in the order of a table. */
#pragma once

#include "cmocka_all.h"
#include "io_thread.h"

#include <stdlib.h>

#define OPERATIONS_MAX 256

struct fixture {
	enum io_engine_choice engine;
	uint64_t poll_ns;
	struct io_thread *thread;
};

static inline int start(void **state)
{
	struct fixture *fixture = *state;
	struct io_thread_options options = {
		.name = "io-test", .engine = fixture->engine, .poll_ns = fixture->poll_ns};
	struct err err = {0};

	fixture->thread = NULL;
	if (io_thread_create(&options, &fixture->thread, &err) < 0) {
		print_message("%s\n", err.text);
		return fixture->engine == IO_ENGINE_URING ? 0 : -1; /* its cases are skipped */
	}
	return io_thread_admit(fixture->thread, OPERATIONS_MAX, NULL);
}

static inline int finish(void **state)
{
	struct fixture *fixture = *state;

	io_thread_destroy(fixture->thread);
	return 0;
}

static inline struct io_thread *thread_of(void **state)
{
	struct fixture *fixture = *state;

	if (!fixture->thread)
		skip();
	return fixture->thread;
}

/* Each group of tests once for each way to run an I/O thread. */
static inline int run_on_all_engines(const struct CMUnitTest *tests, size_t count)
{
	static const struct {
		const char *name;
		struct fixture fixture;
	} ways[] = {
		{"io_uring", {.engine = IO_ENGINE_URING}},
		{"io_uring, polling", {.engine = IO_ENGINE_URING, .poll_ns = 200000}},
		{"threads", {.engine = IO_ENGINE_THREADS}},
		{"threads, polling", {.engine = IO_ENGINE_THREADS, .poll_ns = 200000}},
	};
	int failed = 0;

	for (size_t i = 0; i < array_size(ways); i++) {
		struct fixture fixture = ways[i].fixture;
		struct CMUnitTest *group = calloc(count, sizeof(*group));

		print_message("--- %s\n", ways[i].name);
		for (size_t j = 0; j < count; j++) {
			group[j] = tests[j];
			group[j].setup_func = start;
			group[j].teardown_func = finish;
			group[j].initial_state = &fixture;
		}
		failed += _cmocka_run_group_tests(ways[i].name, group, count, NULL, NULL);
		free(group);
	}
	return failed;
}
