/*
 * The way into a console: bytes from the host, as fast as the device takes them.
 *
 * Everything runs on the main thread, except resume. What was read and not taken yet waits in a
 * fixed buffer; when that is full nothing is read, so no sender can make us grow. On a terminal the
 * escape prefix is recognised when a byte is read, not when the guest takes it: a guest that reads
 * nothing can still be ended from the keyboard.
 */
#pragma once

#include "compiler.h"
#include "console.h"
#include "loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONSOLE_INPUT_BYTES (16 << 10)

/* What the byte after the prefix asked for. */
enum escape_action { ESCAPE_NONE, ESCAPE_QUIT, ESCAPE_HELP };

struct escape {
	bool prefix_seen;
};

/* Takes one byte; returns the byte that the guest gets, or -1. *ret_action is always set. */
int escape_take(struct escape *escape, uint8_t byte, enum escape_action *ret_action);

struct console_input {
	/* [const] after start */
	struct loop *loop;
	const struct console_events *events;
	int resume_fd;
	bool has_escapes;
	/* [main] */
	struct loop_source source;
	struct loop_source resume_source;
	struct escape escape;
	bool is_socket;
	bool is_held;      /* not to be read for now: in the background, no reader, ... */
	bool at_end;       /* nothing more will come from this fd */
	short idle_events; /* what to watch for at the end or while the buffer is full; 0: nothing
	                    */
	void (*ended)(void *owner, bool hung_up); /* end of input or an error */
	void (*hung_up)(void *owner);             /* while the buffer is full */
	void (*emptied)(void *owner);             /* the device has taken all that was read */
	void *owner;
	size_t begin; /* of what waits in the buffer */
	size_t end;
	uint8_t buffer[CONSOLE_INPUT_BYTES];
};

/* idle_events, ended, hung_up, emptied and owner are set by the caller. */
must_check int console_input_init(struct console_input *input, struct err *err);
must_check int console_input_start(struct console_input *input, struct loop *loop,
	const struct console_events *events, struct err *err);

/* Reads from fd (borrowed) from now on; -1: from nothing. What waits in the buffer stays. */
void console_input_set_fd(struct console_input *input, int fd);

void console_input_hold(struct console_input *input, bool held);

/* Throws away what waits in the buffer. */
void console_input_discard(struct console_input *input);

/* Any thread. */
void console_input_resume(const struct console_input *input);

void console_input_fini(struct console_input *input);
