/* hull help, and --help of every command: see help.h. */
#include "help.h"

#include "exit_status.h"
#include "invocation.h"
#include "log.h"
#include "output.h"
#include "statuses.h"

#include <string.h>

#define HELP_COLUMN 27

void help_add_overview(struct text *text)
{
	text_add(text, "Usage: hull COMMAND [OPTION]...\n\n"
		       "Runs virtual machines on Linux KVM, one process each.\n\nCommands:\n");
	for (size_t i = 0; command_table[i]; i++)
		if (!command_table[i]->hidden)
			text_addf(text, "  %-12s %s\n", command_table[i]->name,
				command_table[i]->summary);
	text_add(text, "\nhull help COMMAND tells the options of one. A first run:\n\n"
		       "  hull run -k vmlinuz -i initrd.img -p quiet\n");
}

static void add_option(struct text *text, const struct option *option)
{
	cleanup_text struct text words = {0};
	size_t start = text->length;
	unsigned int column;

	if (option->letter)
		text_addf(text, "  -%c, --%s", option->letter, option->name);
	else
		text_addf(text, "      --%s", option->name);
	if (option->value)
		text_addf(text, option->value_is_optional ? "[=%s]" : " %s", option->value);
	column = (unsigned int)(text->length - start);
	if (column + 2 > HELP_COLUMN) {
		text_add(text, "\n");
		column = 0;
	}
	output_pad(text, column, HELP_COLUMN);
	text_add(&words, option->help);
	if (option->default_value)
		text_addf(&words, " [%s]", option->default_value);
	output_wrap(text, text_string(&words), HELP_COLUMN, HELP_COLUMN);
	text_add(text, "\n");
	text->failed |= words.failed;
}

static void add_group(struct text *text, const struct command *command, enum option_group group)
{
	bool titled = false;

	for (size_t i = 0; i < option_count; i++) {
		if (option_table[i].group != group || !(option_table[i].commands & command->bit))
			continue;
		if (!titled)
			text_addf(text, "\n%s:\n", option_group_titles[group]);
		titled = true;
		add_option(text, &option_table[i]);
	}
}

void help_add_command(struct text *text, const struct command *command)
{
	text_addf(text, "Usage: hull %s [OPTION]...", command->name);
	if (command->word)
		text_addf(text, " [%s]", command->word);
	text_add(text, "\n\n");
	output_wrap(text, command->description, 0, 0);
	text_add(text, "\n");
	for (int group = 0; group < OPTION_GROUP_COUNT; group++)
		add_group(text, command, (enum option_group)group);
	if (command->bit != COMMAND_RUN)
		return;
	text_add(text, "\nExit status:\n");
	for (size_t i = 0; i < status_meaning_count; i++)
		text_addf(
			text, "  %3d  %s\n", status_meanings[i].status, status_meanings[i].meaning);
}

static int run_help(struct invocation *invocation)
{
	cleanup_text struct text text = {0};
	const struct command *command;

	if (!invocation->word) {
		help_add_overview(&text);
		return output_write(&text);
	}
	command = command_find(invocation->word);
	if (!command) {
		log_line(LOG_LEVEL_ERROR, "there is no command '%.80s': see 'hull help'",
			invocation->word);
		return EXIT_STATUS_USAGE;
	}
	help_add_command(&text, command);
	return output_write(&text);
}

const struct command command_help = {
	.name = "help",
	.bit = COMMAND_HELP,
	.word = "COMMAND",
	.summary = "tell what there is",
	.description = "Lists the commands, or tells about one of them and its options.",
	.run = run_help,
};
