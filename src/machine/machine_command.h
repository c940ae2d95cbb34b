/*
 * The command that the guest is there for: what its init gets with the initial RAM disk, and what
 * it says about the command's fate. Main thread, but for the port.
 */
#pragma once

#include "command_control.h"
#include "compiler.h"
#include "console_port.h"
#include "err.h"

#include <stdbool.h>

struct config;
struct image;
struct machine;
struct machine_command;

/* Finds the modules, packs the initial RAM disk and puts it in the place of the machine's, which
 * may hold the user's. */
must_check int machine_command_create(
	struct machine *machine, struct machine_command **ret_command, struct err *err);
void machine_command_destroy(struct machine_command *command);

/* The command has the user's terminal. */
bool machine_command_has_tty(const struct machine_command *command);
/* The host's end of the control port. */
struct console_port machine_command_port(struct machine_command *command);
/* What the init said when it failed. */
const char *machine_command_sentence(const struct machine_command *command);

/* The serial console's end, for when something goes wrong. */
struct console_port machine_command_console(struct machine_command *command);
void machine_command_show_console(struct machine_command *command);
