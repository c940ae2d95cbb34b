/*
 * hull man: the man page, in the macros of man(7), from the tables. Run once, by the build.
 */
#include "command.h"
#include "invocation.h"
#include "output.h"
#include "statuses.h"

#include <string.h>

/* Text as roff prints it unchanged: no requests, no escapes, no typographic replacements. */
static void add_roff(struct text *text, const char *string)
{
	static const struct {
		char character;
		const char *escape;
	} escapes[] = {
		{'\\', "\\e"},
		{'-', "\\-"},
		{'\'', "\\(aq"},
		{'`', "\\(ga"},
		{'^', "\\(ha"},
		{'~', "\\(ti"},
		{'"', "\\(dq"},
	};

	if (*string == '.')
		text_add(text, "\\&");
	for (; *string; string++) {
		size_t i = 0;

		while (i < array_size(escapes) && escapes[i].character != *string)
			i++;
		if (i < array_size(escapes))
			text_add(text, escapes[i].escape);
		else
			text_add_bytes(text, string, 1);
	}
}

static void add_line(struct text *text, const char *request, const char *string)
{
	text_add(text, request);
	add_roff(text, string);
	text_add(text, "\n");
}

/* A literal example, a line each. */
static void add_example(struct text *text, const char *const lines[], size_t count)
{
	text_add(text, ".PP\n.RS 4\n.nf\n");
	for (size_t i = 0; i < count; i++)
		add_line(text, "", lines[i]);
	text_add(text, ".fi\n.RE\n");
}

static void add_name(struct text *text, const char *dashes, const char *name)
{
	text_add(text, "\\fB");
	add_roff(text, dashes);
	add_roff(text, name);
	text_add(text, "\\fR");
}

static void add_option_name(
	struct text *text, const char *dashes, const char *name, const struct option *option)
{
	add_name(text, dashes, name);
	if (!option->value)
		return;
	text_add(text, option->value_is_optional ? "[=\\fI" : " \\fI");
	add_roff(text, option->value);
	text_add(text, option->value_is_optional ? "\\fR]" : "\\fR");
}

static void add_option(struct text *text, const struct option *option)
{
	char letter[] = {option->letter, '\0'};

	text_add(text, ".TP\n");
	if (option->letter) {
		add_option_name(text, "-", letter, option);
		text_add(text, ", ");
	}
	add_option_name(text, "--", option->name, option);
	if (option->alias) {
		text_add(text, ", ");
		add_option_name(text, "--", option->alias, option);
	}
	text_add(text, "\n");
	/* The line for help begins small and has no stop, to stand beside others. */
	text_addf(text, "%c",
		option->help[0] >= 'a' && option->help[0] <= 'z' ? option->help[0] - 'a' + 'A'
								 : option->help[0]);
	add_roff(text, option->help + 1);
	text_add(text, ".");
	if (option->details) {
		text_add(text, "\n");
		add_roff(text, option->details);
	}
	if (option->repeatable)
		text_add(text, "\nMay be given several times.");
	if (option->default_value) {
		text_add(text, "\nThe default is ");
		add_name(text, "", option->default_value);
		text_add(text, ".");
	}
	text_add(text, "\n");
}

static void add_commands(struct text *text)
{
	text_add(text, ".SH COMMANDS\n");
	for (size_t i = 0; command_table[i]; i++) {
		const struct command *command = command_table[i];

		if (command->hidden)
			continue;
		text_add(text, ".TP\n");
		add_name(text, "hull ", command->name);
		text_add(text, " [\\fIOPTION\\fR]...");
		if (command->word)
			text_addf(text, " [\\fI%s\\fR]", command->word);
		text_add(text, "\n");
		add_line(text, "", command->description);
	}
}

static void add_options(struct text *text)
{
	text_add(text, ".SH OPTIONS\n");
	add_line(text, "",
		"Options of hull run, where nothing else is said. A value follows its option as "
		"the next word, behind an equals sign, or directly behind the letter; one that may "
		"be missing follows behind an equals sign only. Long names are not abbreviated. Of "
		"an option given several times the last one counts.");
	for (int group = 0; group < OPTION_GROUP_COUNT; group++) {
		add_line(text, ".SS ", option_group_titles[group]);
		for (size_t i = 0; i < option_count; i++)
			if ((int)option_table[i].group == group)
				add_option(text, &option_table[i]);
	}
}

static void add_files(struct text *text)
{
	static const char *const example[] = {
		"# a VM for tests",
		"kernel  /boot/vmlinuz",
		"memory = 2G",
		"append  \"quiet panic=-1\"",
		"timeout 90s",
		"timing",
	};

	text_add(text, ".SH CONFIGURATION FILES\n");
	add_line(text, "",
		"A file given by --config holds the options that describe a VM, a line each: the "
		"long name without dashes, blanks or an equals sign, the value. Empty lines are "
		"skipped; a # at the start of a line or behind a blank begins a comment. A value "
		"may be put into double quotes, where \\\" and \\\\ stand for \" and \\.");
	add_example(text, example, array_size(example));
	text_add(text, ".PP\n");
	add_line(text, "",
		"Relative paths count from the working directory. A file has at most 64 KiB, a "
		"line at most 8 KiB, and a file cannot name another. Several files are read in "
		"their order; --dry-run prints such a file.");
}

static void add_statuses(struct text *text)
{
	text_add(text, ".SH EXIT STATUS\n");
	for (size_t i = 0; i < status_meaning_count; i++) {
		char first = status_meanings[i].meaning[0];

		text_addf(text, ".TP\n\\fB%d\\fR\n", status_meanings[i].status);
		text_addf(text, "%c", first >= 'a' && first <= 'z' ? first - 'a' + 'A' : first);
		add_roff(text, status_meanings[i].meaning + 1);
		text_add(text, ".\n");
	}
}

static void add_examples(struct text *text)
{
	static const char *const boot[] = {"hull run -k vmlinuz -i initrd.img -p quiet -m 2G -c 2"};
	static const char *const keep[] = {
		"hull run -k vmlinuz --timeout 2m --dry-run > vm.conf",
		"hull run --config vm.conf",
	};

	text_add(text, ".SH EXAMPLES\nBoot a kernel with an initial RAM disk:\n");
	add_example(text, boot, array_size(boot));
	text_add(text, ".PP\nWrite a configuration down, and use it:\n");
	add_example(text, keep, array_size(keep));
}

static int run_man(struct invocation *invocation)
{
	cleanup_text struct text text = {0};

	(void)invocation;
	text_add(&text, ".TH HULL 1 \"\" \"Hull " HULL_VERSION "\" \"User Commands\"\n"
			".SH NAME\nhull \\- run virtual machines on Linux KVM\n"
			".SH SYNOPSIS\n\\fBhull\\fR \\fICOMMAND\\fR [\\fIOPTION\\fR]...\n"
			".SH DESCRIPTION\n");
	add_line(&text, "",
		"Hull is a virtual machine monitor: it boots a kernel in a virtual machine, one "
		"process for each. It needs /dev/kvm, no other privilege and no daemon.");
	add_commands(&text);
	add_options(&text);
	add_files(&text);
	add_statuses(&text);
	text_add(&text, ".SH FILES\n.TP\n\\fI/dev/kvm\\fR\n"
			"Must be readable and writable; usually by being in the group kvm.\n");
	add_examples(&text);
	text_add(&text, ".SH SEE ALSO\n.BR bootparam (7)\n");
	return output_write(&text);
}

const struct command command_man = {
	.name = "man",
	.bit = COMMAND_MAN,
	.hidden = true,
	.summary = "print the man page",
	.description = "Prints the man page of hull in the macros of man(7).",
	.run = run_man,
};
