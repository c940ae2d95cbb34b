/* See machine_command.h. What the guest says on the control port comes on the I/O thread. */
#include "machine_command.h"

#include "command_initrd.h"
#include "console_tail.h"
#include "log.h"
#include "machine_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct machine_command {
	struct machine *machine;
	bool has_tty;
	struct console_tail console;
	struct command_control control; /* [io]; its sentence [main] after COMMAND_FAILED */
};

static void report(void *owner, enum command_event event, uint32_t value)
{
	struct machine_command *command = owner;

	lifecycle_command_event(command->machine, event, value);
}

static size_t control_write(void *host, const void *bytes, size_t length)
{
	struct machine_command *command = host;

	command_control_take(&command->control, bytes, length);
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
	return command->control.sentence;
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
	command->control = (struct command_control){.report = report, .owner = command};
	/* With one of them somewhere else, bytes are to pass as they are. */
	command->has_tty = !machine->config->serve && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
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
