/*
 * What the init of a guest says about its command, as guest-firmware/init/control.h has it. The
 * guest may say anything: lines are of bounded length, what makes no sense is dropped, and after
 * the first word about the end nothing counts. One thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COMMAND_CONTROL_LINE_BYTES 256

enum command_event {
	COMMAND_STARTED,
	COMMAND_EXITED,       /* value: its status, 0 to 255 */
	COMMAND_NOT_EXECUTED, /* value: errno */
	COMMAND_FAILED,       /* sentence says why */
};

struct command_control {
	void (*report)(void *owner, enum command_event event, uint32_t value);
	void *owner;
	char line[COMMAND_CONTROL_LINE_BYTES];
	size_t line_length;
	bool has_started, is_over;
	/* Printable, and not written any more once COMMAND_FAILED was reported. */
	char sentence[COMMAND_CONTROL_LINE_BYTES];
};

void command_control_take(struct command_control *control, const void *bytes, size_t length);
