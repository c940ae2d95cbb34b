/*
 * What the words of one command line come to. Main thread.
 */
#pragma once

#include "config.h"
#include "err.h"
#include "log.h"

#include <stdbool.h>

struct command;

struct invocation {
	const struct command *command;
	struct config config; /* not validated yet */
	const char *word;     /* the plain word, where the command keeps it; NULL: none */
	enum log_level log_level;
	bool dry_run;
	bool json;
	bool help; /* asked for help: everything else is incomplete then */
};

void invocation_init(struct invocation *invocation, const struct command *command);
void invocation_fini(struct invocation *invocation);

/* Reads the words behind the command's name. Configuration files first, wherever they are named,
 * then the options in their order: the last one wins. -EINVAL when a word or a line is wrong; other
 * codes when a configuration file cannot be read. */
must_check int invocation_parse(
	struct invocation *invocation, int count, char *const words[], struct err *err);
