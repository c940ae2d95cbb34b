/*
 * An error is a value: a negative errno and one sentence for people.
 *
 * Caller-owned and optional: every function here accepts err == NULL. The sentence is created once,
 * where the failure is known, and gains context on the way up: "disk 'root': open: ...". It has no
 * final full stop and no newline. Not thread-safe: one owner at a time.
 */
#pragma once

#include "compiler.h"

struct err {
	int code; /* negative errno, 0 when empty */
	char text[640];
};

/* Stores the code (made negative) and the sentence; returns the code, so `return err_set(...)`. */
int err_set(struct err *err, int code, const char *format, ...) printf_like(3, 4);

/* As err_set, with ": " and the system's name of the error behind the sentence. */
int err_set_errno(struct err *err, int code, const char *format, ...) printf_like(3, 4);

/* Puts "context: " in front of the sentence; returns err->code, or code when err is NULL. */
int err_prefix(struct err *err, int code, const char *format, ...) printf_like(3, 4);
