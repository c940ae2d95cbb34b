/*
 * The one table of options: parsing, help, man page, completion and configuration files all come
 * from it.
 */
#pragma once

#include "config_text.h"

#include <stdbool.h>
#include <stddef.h>

enum command_set {
	COMMAND_RUN = 1,
	COMMAND_DOCTOR = 2,
	COMMAND_VERSION = 4,
	COMMAND_HELP = 8,
	COMMAND_COMPLETION = 16,
	COMMAND_MAN = 32,
	COMMAND_NET_HELPER = 64,
	COMMAND_ALL = 127,
};

enum option_group {
	OPTION_GROUP_BOOT,
	OPTION_GROUP_COMMAND,
	OPTION_GROUP_CPU,
	OPTION_GROUP_MEMORY,
	OPTION_GROUP_CONSOLE,
	OPTION_GROUP_DISKS,
	OPTION_GROUP_END,
	OPTION_GROUP_HULL,
	OPTION_GROUP_COUNT,
};

extern const char *const option_group_titles[OPTION_GROUP_COUNT];

/* What an option does. Those that set a key of the config say something about the VM: they may
 * stand in a configuration file and are shown by a dry run. The others are about this run. */
enum option_effect {
	OPTION_SETS_KEY,
	OPTION_READS_CONFIG,
	OPTION_DRY_RUN,
	OPTION_VERBOSE,
	OPTION_QUIET,
	OPTION_JSON,
	OPTION_HELP,
};

struct option {
	const char *name;
	const char *alias; /* another long name; NULL: none */
	char letter;       /* 0: none */
	enum option_group group;
	enum option_effect effect;
	enum config_key key; /* of OPTION_SETS_KEY */
	enum command_set commands;
	bool repeatable;           /* else the last one wins */
	const char *value;         /* what the value is; NULL: a switch */
	bool value_is_optional;    /* then it is written --name=VALUE, never as the next word */
	const char *choices;       /* words the value may begin with, for completion */
	const char *default_value; /* as config_show shows it; NULL: none */
	const char *help;          /* one line */
	const char *details;       /* more sentences, for the man page; may be NULL */
};

extern const struct option option_table[];
extern const size_t option_count;

/* By long name or alias (length bytes of it), among the options of the commands. NULL: none. */
const struct option *option_find(const char *name, size_t length, enum command_set commands);
const struct option *option_find_letter(char letter, enum command_set commands);

/* The known name (or alias) that a misspelt one most likely means; NULL: nothing is near. */
const char *option_nearest(const char *name, size_t length, enum command_set commands);
