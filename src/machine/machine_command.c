/*
 * See machine_command.h. What the guest says on the control port comes on the I/O thread, bounded
 * and mistrusted: lines that make no sense are dropped, and the first word about the end counts.
 */
#include "machine_command.h"

#include "command_initrd.h"
#include "console_tail.h"
#include "log.h"
#include "machine_internal.h"
#include "parse.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_BYTES 256

struct machine_command {
	struct machine *machine;
	bool has_tty;
	struct console_tail console;
	/* [io] */
	char line[LINE_BYTES];
	size_t line_length;
	bool is_over;              /* the end was reported */
	char sentence[LINE_BYTES]; /* [io] until COMMAND_FAILED is sent, then [main] */
};

static void report_end(struct machine_command *command, enum command_event event, uint32_t value)
{
	command->is_over = true;
	lifecycle_command_event(command->machine, event, value);
}

static const char *after(const char *line, const char *word)
{
	size_t length = strlen(word);

	return strncmp(line, word, length) == 0 ? line + length : NULL;
}

static void take_line(struct machine_command *command)
{
	const char *value;
	uint64_t number;

	command->line[command->line_length] = '\0';
	if (command->is_over)
		return;
	if (strcmp(command->line, "started") == 0)
		lifecycle_command_event(command->machine, COMMAND_STARTED, 0);
	else if ((value = after(command->line, "exit ")) && parse_u64(value, 255, &number) == 0)
		report_end(command, COMMAND_EXITED, (uint32_t)number);
	else if ((value = after(command->line, "noexec ")) && parse_u64(value, 4095, &number) == 0)
		report_end(command, COMMAND_NOT_EXECUTED, (uint32_t)number);
	else if ((value = after(command->line, "failed "))) {
		memcpy(command->sentence, value, strlen(value) + 1); /* shorter than the line */
		report_end(command, COMMAND_FAILED, 0);
	}
}

static size_t control_write(void *host, const void *bytes, size_t length)
{
	struct machine_command *command = host;
	const char *from = bytes;

	for (size_t i = 0; i < length; i++) {
		if (from[i] == '\n') {
			take_line(command);
			command->line_length = 0;
		} else if (command->line_length < LINE_BYTES - 1) {
			command->line[command->line_length++] = isprint((unsigned char)from[i])
			                                                ? from[i]
			                                                : '?';
		}
	}
	return length;
}

static bool control_is_congested(void *host)
{
	(void)host;
	return false;
}

static void control_resume_input(void *host)
{
	(void)host; /* nothing is kept: see machine_ports_say */
}

struct console_port machine_command_port(struct machine_command *command)
{
	static const struct console_port_ops ops = {
		control_write, control_is_congested, control_resume_input};

	return (struct console_port){&ops, command};
}

bool machine_command_has_tty(const struct machine_command *command)
{
	return command->has_tty;
}

const char *machine_command_sentence(const struct machine_command *command)
{
	return command->sentence;
}

struct console_port machine_command_console(struct machine_command *command)
{
	return console_tail_port(&command->console);
}

void machine_command_show_console(struct machine_command *command)
{
	cleanup_text struct text text = {0};

	console_tail_show(&command->console, &text);
	if (!text.length)
		return;
	log_line(LOG_LEVEL_ERROR, "the end of the guest's console:");
	for (const char *line = text_string(&text); *line;) {
		size_t length = strcspn(line, "\n");

		log_line(LOG_LEVEL_ERROR, "| %.*s", (int)length, line);
		line += length + (line[length] == '\n');
	}
}

int machine_command_create(
	struct machine *machine, struct machine_command **ret_command, struct err *err)
{
	struct machine_command *command = calloc(1, sizeof(*command));
	int r;

	if (!command)
		return err_set_errno(err, ENOMEM, "the command");
	command->machine = machine;
	/* With one of them somewhere else, bytes are to pass as they are. */
	command->has_tty = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	r = command_initrd_create(
		machine->config, &machine->kernel, command->has_tty, &machine->initrd, err);
	if (r < 0) {
		free(command);
		return r;
	}
	*ret_command = command;
	return 0;
}

void machine_command_destroy(struct machine_command *command)
{
	free(command);
}
