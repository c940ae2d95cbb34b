/*
 * See invocation.h. The conventions are those of getopt_long: --name=value, --name value (unless
 * the value may be missing), -nvalue, -n value, switches grouped behind one dash; options and plain
 * words in any order. Long names are not abbreviated, because a new option would change what a
 * script means. What follows `--` is a command to run in the guest.
 */
#include "invocation.h"

#include "command.h"
#include "config_file.h"

#include <errno.h>
#include <string.h>

struct cursor {
	const struct command *command;
	char *const *words;
	int count;
	int index;           /* of the next word */
	const char *cluster; /* the rest of a word of letters; NULL: none */
};

struct argument {
	const struct option *option; /* NULL: a plain word */
	const char *value;           /* NULL: a switch, or not given */
};

void invocation_init(struct invocation *invocation, const struct command *command)
{
	*invocation = (struct invocation){.command = command, .log_level = LOG_LEVEL_INFO};
	config_init(&invocation->config);
}

void invocation_fini(struct invocation *invocation)
{
	config_fini(&invocation->config);
}

static int unknown_long(
	const struct command *command, const char *name, size_t length, struct err *err)
{
	const char *nearest = option_nearest(name, length, command->bit);
	int shown = length < 80 ? (int)length : 80;

	if (nearest)
		return err_set(err, EINVAL, "unknown option '--%.*s': did you mean '--%s'?", shown,
			name, nearest);
	return err_set(err, EINVAL, "unknown option '--%.*s': see 'hull help %s'", shown, name,
		command->name);
}

static int take_value(
	struct cursor *cursor, const struct option *option, const char **ret_value, struct err *err)
{
	if (cursor->index >= cursor->count)
		return err_set(err, EINVAL, "--%s: the value is missing: --%s %s", option->name,
			option->name, option->value);
	*ret_value = cursor->words[cursor->index++];
	return 1;
}

static int next_long(struct cursor *cursor, struct argument *argument, struct err *err)
{
	const char *name = cursor->words[cursor->index++] + 2;
	size_t length = strcspn(name, "=");
	const struct option *option = option_find(name, length, cursor->command->bit);

	if (!option)
		return unknown_long(cursor->command, name, length, err);
	*argument = (struct argument){.option = option};
	if (!option->value && name[length])
		return err_set(err, EINVAL, "--%s takes no value, but was given '%.80s'",
			option->name, name + length + 1);
	if (!option->value)
		return 1;
	if (name[length])
		argument->value = name + length + 1;
	else if (!option->value_is_optional)
		return take_value(cursor, option, &argument->value, err);
	return 1;
}

static int next_letter(struct cursor *cursor, struct argument *argument, struct err *err)
{
	char letter = *cursor->cluster++;
	const struct option *option = option_find_letter(letter, cursor->command->bit);
	const char *rest = *cursor->cluster ? cursor->cluster : NULL;

	if (!option)
		return err_set(err, EINVAL, "unknown option '-%c': see 'hull help %s'",
			letter > ' ' && letter < 0x7f ? letter : '?', cursor->command->name);
	*argument = (struct argument){.option = option};
	if (!option->value) {
		cursor->cluster = rest;
		return 1;
	}
	cursor->cluster = NULL;
	if (!rest && !option->value_is_optional)
		return take_value(cursor, option, &argument->value, err);
	argument->value = rest;
	return 1;
}

/* 1: an argument, 0: the end or a `--`, -EINVAL. */
static int next_argument(struct cursor *cursor, struct argument *argument, struct err *err)
{
	const char *word;
	size_t length;

	if (cursor->cluster)
		return next_letter(cursor, argument, err);
	if (cursor->index >= cursor->count)
		return 0;
	word = cursor->words[cursor->index];
	if (strcmp(word, "--") == 0)
		return 0;
	if (strncmp(word, "--", 2) == 0)
		return next_long(cursor, argument, err);
	cursor->index++;
	if (word[0] != '-' || !word[1]) {
		*argument = (struct argument){.value = word};
		return 1;
	}
	/* `-kernel x` would be taken for `-k ernel x`. */
	length = strcspn(word + 1, "=");
	if (length > 1 && option_find(word + 1, length, cursor->command->bit))
		return err_set(err, EINVAL, "unknown option '%.80s': did you mean '-%.*s'?", word,
			(int)length + 1, word);
	cursor->cluster = word + 1;
	return next_letter(cursor, argument, err);
}

/* First pass: is every word an option? Help asked for? Reads the configuration files. */
static int read_files(struct invocation *invocation, struct cursor cursor, struct err *err)
{
	struct argument argument;
	int r;

	while ((r = next_argument(&cursor, &argument, err)) > 0) {
		if (!argument.option)
			continue;
		if (argument.option->effect == OPTION_HELP) {
			invocation->help = true;
			return 0;
		}
		if (argument.option->effect != OPTION_READS_CONFIG)
			continue;
		r = config_file_load(&invocation->config, argument.value, err);
		if (r < 0)
			return r;
	}
	return r;
}

static int take_word(struct invocation *invocation, const char *word, struct err *err)
{
	const struct command *command = invocation->command;

	if (!command->word)
		return err_set(err, EINVAL, "unexpected word '%.80s': hull %s takes none", word,
			command->name);
	if (invocation->word)
		return err_set(err, EINVAL, "unexpected word '%.80s': the %s is '%.80s' already",
			word, command->word_option ? command->word_option : "word",
			invocation->word);
	invocation->word = word;
	return 0;
}

static int apply(struct invocation *invocation, const struct argument *argument, struct err *err)
{
	const struct option *option = argument->option;
	int r;

	switch (option->effect) {
	case OPTION_SETS_KEY:
		r = config_set(&invocation->config, option->key, argument->value, err);
		if (r < 0)
			return err_prefix(err, r, "--%s", option->name);
		break;
	case OPTION_READS_CONFIG:
	case OPTION_HELP:
		break; /* the first pass did it */
	case OPTION_DRY_RUN:
		invocation->dry_run = true;
		break;
	case OPTION_VERBOSE:
		invocation->log_level = LOG_LEVEL_DEBUG;
		break;
	case OPTION_QUIET:
		invocation->log_level = LOG_LEVEL_ERROR;
		break;
	case OPTION_JSON:
		invocation->json = true;
		break;
	}
	return 0;
}

/* A plain word that stands for an option is that option, and may not be given beside it. */
static int apply_word(struct invocation *invocation, const struct option *option, const char *given,
	struct err *err)
{
	struct argument argument = {.option = option, .value = invocation->word};

	if (given)
		return err_set(err, EINVAL,
			"two values for --%s: '%.80s', and '%.80s' as a plain word", option->name,
			given, invocation->word);
	return apply(invocation, &argument, err);
}

static int take_guest_command(
	struct invocation *invocation, const struct cursor *cursor, struct err *err)
{
	int first = cursor->index + 1; /* behind the `--` */

	if (cursor->index >= cursor->count)
		return 0;
	if (invocation->command->bit != COMMAND_RUN)
		return err_set(err, EINVAL, "'--': hull %s runs no command in a guest",
			invocation->command->name);
	if (first == cursor->count)
		return err_set(err, EINVAL, "'--': the command to run in the guest is missing");
	return config_command_set(&invocation->config, (unsigned int)(cursor->count - first),
		cursor->words + first, err);
}

/* Second pass: everything in its order. */
static int apply_all(struct invocation *invocation, struct cursor cursor, struct err *err)
{
	const struct command *command = cursor.command;
	const struct option *word_option = NULL;
	const char *given = NULL; /* the value of word_option, as an option */
	struct argument argument;
	int r;

	if (command->word_option)
		word_option = option_find(
			command->word_option, strlen(command->word_option), command->bit);
	while ((r = next_argument(&cursor, &argument, err)) > 0) {
		if (!argument.option) {
			r = take_word(invocation, argument.value, err);
		} else {
			r = apply(invocation, &argument, err);
			if (argument.option == word_option)
				given = argument.value;
		}
		if (r < 0)
			return r;
	}
	if (r == 0)
		r = take_guest_command(invocation, &cursor, err);
	if (r == 0 && word_option && invocation->word)
		return apply_word(invocation, word_option, given, err);
	return r;
}

int invocation_parse(struct invocation *invocation, int count, char *const words[], struct err *err)
{
	struct cursor cursor = {.command = invocation->command, .words = words, .count = count};
	int r = read_files(invocation, cursor, err);

	if (r < 0 || invocation->help)
		return r;
	return apply_all(invocation, cursor, err);
}
