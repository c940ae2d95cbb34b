/*
 * hull completion: the script by which bash completes commands, options and values, from the
 * tables. Names and choices hold nothing that a shell would interpret: they are literals of ours.
 */
#include "command.h"
#include "exit_status.h"
#include "invocation.h"
#include "log.h"
#include "output.h"

#include <string.h>

/* --name, --alias and -letter as patterns of a case, or as words of a list. */
static void add_names(struct text *text, const struct option *option, const char *separator)
{
	text_addf(text, "--%s", option->name);
	if (option->alias)
		text_addf(text, "%s--%s", separator, option->alias);
	if (option->letter)
		text_addf(text, "%s-%c", separator, option->letter);
}

static void add_value_cases(struct text *text)
{
	for (size_t i = 0; i < option_count; i++) {
		const struct option *option = &option_table[i];

		if (!option->value || option->value_is_optional)
			continue;
		text_add(text, "\t");
		add_names(text, option, "|");
		text_add(text, ")\n");
		if (strcmp(option->value, "FILE") == 0)
			text_add(text, "\t\t_hull_files \"$cur\"\n");
		else if (option->choices)
			text_addf(text, "\t\t_hull_words \"%s\" \"$cur\"\n", option->choices);
		text_add(text, "\t\treturn ;;\n");
	}
}

static void add_command_names(struct text *text)
{
	for (size_t i = 0; command_table[i]; i++)
		if (!command_table[i]->hidden)
			text_addf(text, "%s%s", i ? " " : "", command_table[i]->name);
}

static void add_command_case(struct text *text, const struct command *command)
{
	bool first = true;

	text_addf(text, "\t%s)\n\t\toptions=\"", command->name);
	for (size_t i = 0; i < option_count; i++) {
		if (!(option_table[i].commands & command->bit))
			continue;
		text_add(text, first ? "" : " ");
		add_names(text, &option_table[i], " ");
		first = false;
	}
	text_add(text, "\"\n");
	if (command->bit == COMMAND_HELP) {
		text_add(text, "\t\twords=\"");
		add_command_names(text);
		text_add(text, "\"\n");
	}
	if (command->bit == COMMAND_COMPLETION)
		text_add(text, "\t\twords=bash\n");
	if (command->word_option)
		text_add(text, "\t\tfiles=yes\n");
	text_add(text, "\t\t;;\n");
}

static void add_script(struct text *text)
{
	text_add(text,
		"# bash completion for hull\n"
		"_hull_words()\n{\n"
		"\tmapfile -t COMPREPLY < <(compgen -W \"$1\" -- \"$2\")\n"
		"\t[[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace "
		"2>/dev/null\n\treturn 0\n}\n\n"
		"_hull_files()\n{\n"
		"\tcompopt -o filenames 2>/dev/null\n"
		"\tmapfile -t COMPREPLY < <(compgen -f -- \"$1\")\n}\n\n"
		"_hull()\n{\n"
		"\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
		"\tlocal options=\"\" words=\"\" files=\"\"\n\n"
		"\tCOMPREPLY=()\n"
		"\tif [[ $COMP_CWORD -eq 1 ]]; then\n"
		"\t\t_hull_words \"");
	add_command_names(text);
	text_add(text, " --help --version\" \"$cur\"\n\t\treturn\n\tfi\n"
		       /* bash splits words at `=`: --name = value, and --console file = path. */
		       "\tif [[ $cur == = ]]; then\n\t\tcur=\"\"\n"
		       "\telif [[ $prev == = ]]; then\n\t\tprev=${COMP_WORDS[COMP_CWORD-2]}\n\tfi\n"
		       "\tcase $prev in\n");
	text_add(text, "\tfile|socket)\n"
		       "\t\tif [[ $COMP_LINE == *\"$prev=\"* ]]; then\n"
		       "\t\t\t_hull_files \"$cur\"\n\t\t\treturn\n\t\tfi ;;\n");
	add_value_cases(text);
	text_add(text, "\tesac\n\tcase ${COMP_WORDS[1]} in\n");
	for (size_t i = 0; command_table[i]; i++)
		if (!command_table[i]->hidden)
			add_command_case(text, command_table[i]);
	text_add(text, "\tesac\n"
		       "\tif [[ $cur == -* ]]; then\n\t\t_hull_words \"$options\" \"$cur\"\n"
		       "\telif [[ $files ]]; then\n\t\t_hull_files \"$cur\"\n"
		       "\telse\n\t\t_hull_words \"$words\" \"$cur\"\n\tfi\n}\n\n"
		       "complete -F _hull hull\n");
}

static int run_completion(struct invocation *invocation)
{
	cleanup_text struct text text = {0};

	if (invocation->word && strcmp(invocation->word, "bash") != 0) {
		log_line(LOG_LEVEL_ERROR, "no completion for '%.80s': there is one for bash",
			invocation->word);
		return EXIT_STATUS_USAGE;
	}
	add_script(&text);
	return output_write(&text);
}

const struct command command_completion = {
	.name = "completion",
	.bit = COMMAND_COMPLETION,
	.word = "SHELL",
	.summary = "print the completion script for bash",
	.description = "Prints a script that makes bash complete the words of hull; SHELL is bash. "
		       "Try it: source <(hull completion bash).",
	.run = run_completion,
};
