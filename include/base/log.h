/*
 * Lines for people on stderr, each "hull: ...". The sink is the program's one shared state.
 *
 * Only machine, cli and the device-fault path log above debug. Any thread may call; a line is one
 * write. Nothing here blocks for long: a guest-triggered line must go through log_limited.
 */
#pragma once

#include "compiler.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Lines above this level are dropped; LOG_LEVEL_INFO at first. */
void log_set_level(enum log_level level);
bool log_enabled(enum log_level level);

void log_line(enum log_level level, const char *format, ...) printf_like(2, 3);

/* At most one line per second per limiter; what was held back is counted in the next line. */
struct log_limiter {
	_Atomic uint64_t next_ns; /* [atomic] CLOCK_MONOTONIC */
	_Atomic uint64_t held;    /* [atomic] */
};
void log_limited(struct log_limiter *limiter, enum log_level level, const char *format, ...)
	printf_like(3, 4);
