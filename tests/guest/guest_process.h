/*
 * A hull under test: started, talked to, watched until it ends or its time is over.
 */
#pragma once

#include "guest_cases.h"

#include <stdbool.h>
#include <stddef.h>

#define CAPTURE_BYTES ((size_t)1 << 20)

struct capture {
	char *data; /* NUL-terminated; NUL bytes in it are dots */
	size_t length;
	size_t searched; /* steps look behind this */
};

struct outcome {
	struct capture output, errors;
	int status; /* 128 + n when signal n killed it; -1: it had to be killed */
	unsigned int steps_done;
	uint64_t duration_ms;
};

/* Runs command (NULL-terminated, its first word a path) to its end, at most for patience_ms.
 * 0, or -errno when it could not be run at all. outcome_fini in either case. */
int process_run(char *const command[], const struct guest_case *guest_case,
	unsigned int patience_ms, struct outcome *ret_outcome);
void outcome_fini(struct outcome *outcome);
