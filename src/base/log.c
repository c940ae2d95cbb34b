/* See log.h. */
#include "log.h"

#include "clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_BYTES 1024

static _Atomic int log_level = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&log_level, (int)level, memory_order_relaxed);
}

bool log_enabled(enum log_level level)
{
	return (int)level <= atomic_load_explicit(&log_level, memory_order_relaxed);
}

/* A value quoted in a line must neither break it nor speak to the terminal. */
static void mask_control_characters(char *line, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
}

static void printf_like(1, 0) emit(const char *format, va_list args, uint64_t held)
{
	char line[LINE_BYTES];
	size_t used;

	(void)snprintf(line, sizeof(line), "hull: ");
	(void)vsnprintf(line + 6, sizeof(line) - 6, format, args);
	used = strnlen(line, sizeof(line) - 1);
	if (held)
		(void)snprintf(line + used, sizeof(line) - used, " (%llu more like it)",
			(unsigned long long)held);
	used = strnlen(line, sizeof(line) - 2);
	mask_control_characters(line, used);
	line[used] = '\n';
	/* Nobody is left to tell when stderr itself fails. */
	if (write(STDERR_FILENO, line, used + 1) < 0)
		return;
}

void log_line(enum log_level level, const char *format, ...)
{
	va_list args;

	if (!log_enabled(level))
		return;
	va_start(args, format);
	emit(format, args, 0);
	va_end(args);
}

void log_limited(struct log_limiter *limiter, enum log_level level, const char *format, ...)
{
	uint64_t now = clock_monotonic_ns();
	uint64_t next = atomic_load_explicit(&limiter->next_ns, memory_order_relaxed);
	va_list args;

	if (!log_enabled(level))
		return;
	if (now < next ||
		!atomic_compare_exchange_strong_explicit(&limiter->next_ns, &next,
			now + NANOSECONDS_PER_SECOND, memory_order_relaxed, memory_order_relaxed)) {
		atomic_fetch_add_explicit(&limiter->held, 1, memory_order_relaxed);
		return;
	}
	va_start(args, format);
	emit(format, args, atomic_exchange_explicit(&limiter->held, 0, memory_order_relaxed));
	va_end(args);
}
