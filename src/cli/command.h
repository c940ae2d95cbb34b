/*
 * A subcommand: one file and one const descriptor each.
 */
#pragma once

#include "options.h"

#include <stdbool.h>
#include <stddef.h>

struct invocation;

struct command {
	const char *name;
	enum command_set bit;    /* which options it takes: see the option table */
	bool hidden;             /* left out of help and completion */
	const char *word;        /* what the one plain word is; NULL: takes none */
	const char *word_option; /* the option that the word stands for; NULL: kept as a word */
	const char *summary;     /* one line, for the list of commands */
	const char *description; /* sentences, for its help and the man page */
	int (*run)(struct invocation *invocation); /* the exit status */
};

extern const struct command command_run, command_doctor, command_version, command_help,
	command_completion, command_man, command_net_helper;

/* All of them, in the order of help; NULL behind the last. */
extern const struct command *const command_table[];

/* NULL: no such command. */
const struct command *command_find(const char *name);
const struct command *command_nearest(const char *name);
