/* See command_control.h. */
#include "command_control.h"

#include "parse.h"

#include <string.h>

#define STATUS_MAX 255
#define ERRNO_MAX  4095

static const char *after(const char *line, const char *word)
{
	size_t length = strlen(word);

	return strncmp(line, word, length) == 0 ? line + length : NULL;
}

static void report_end(struct command_control *control, enum command_event event, uint64_t value)
{
	control->is_over = true;
	control->report(control->owner, event, (uint32_t)value);
}

static void take_line(struct command_control *control)
{
	const char *value;
	uint64_t number;

	control->line[control->line_length] = '\0';
	if (control->is_over)
		return;
	if (strcmp(control->line, "started") == 0 && !control->has_started) {
		control->has_started = true;
		control->report(control->owner, COMMAND_STARTED, 0);
	} else if ((value = after(control->line, "exit "))) {
		if (parse_u64(value, STATUS_MAX, &number) == 0)
			report_end(control, COMMAND_EXITED, number);
	} else if ((value = after(control->line, "noexec "))) {
		if (parse_u64(value, ERRNO_MAX, &number) == 0)
			report_end(control, COMMAND_NOT_EXECUTED, number);
	} else if ((value = after(control->line, "failed "))) {
		memcpy(control->sentence, value, strlen(value) + 1); /* shorter than the line */
		report_end(control, COMMAND_FAILED, 0);
	}
}

void command_control_take(struct command_control *control, const void *bytes, size_t length)
{
	const char *from = bytes;

	for (size_t i = 0; i < length; i++) {
		bool is_printable = from[i] >= ' ' && from[i] <= '~';

		if (from[i] == '\n') {
			take_line(control);
			control->line_length = 0;
		} else if (control->line_length < COMMAND_CONTROL_LINE_BYTES - 1) {
			control->line[control->line_length++] = is_printable ? from[i] : '?';
		}
	}
}
