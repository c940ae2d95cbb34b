/* See command.h. */
#include "command.h"

#include "suggest.h"

#include <string.h>

const struct command *const command_table[] = {
	&command_run,
	&command_doctor,
	&command_completion,
	&command_version,
	&command_help,
	&command_man,
	&command_net_helper,
	NULL,
};

const struct command *command_find(const char *name)
{
	for (size_t i = 0; command_table[i]; i++)
		if (strcmp(command_table[i]->name, name) == 0)
			return command_table[i];
	return NULL;
}

const struct command *command_nearest(const char *name)
{
	struct suggestion suggestion = {.wanted = name, .wanted_length = strlen(name)};

	for (size_t i = 0; command_table[i]; i++)
		if (!command_table[i]->hidden)
			suggest_consider(&suggestion, command_table[i]->name);
	return suggestion.best ? command_find(suggestion.best) : NULL;
}
