/*
 * Help texts, from the tables.
 */
#pragma once

#include "command.h"
#include "text.h"

/* All commands. */
void help_add_overview(struct text *text);

/* One command and its options. */
void help_add_command(struct text *text, const struct command *command);
