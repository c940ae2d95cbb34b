/*
 * hull: finds the command, reads its words, runs it. The exit status is the command's.
 */
#include "command.h"
#include "exit_status.h"
#include "help.h"
#include "invocation.h"
#include "log.h"
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* A descriptor opened later must not become standard input, output or error. What takes the place
 * of a missing output cannot be written to, so that output that goes nowhere is still noticed. */
static int complete_standard_fds(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		if (open("/dev/null", O_RDONLY) != fd && open("/", O_PATH) != fd)
			return -1;
	}
	return 0;
}

/* The command that the first word names; NULL after a line of complaint. */
static const struct command *choose_command(const char *word)
{
	const struct command *command = command_find(word);
	const struct command *nearest;

	if (command)
		return command;
	if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0)
		return &command_version;
	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
		return &command_help;
	nearest = command_nearest(word);
	if (word[0] == '-')
		log_line(LOG_LEVEL_ERROR,
			"unknown option '%.80s': a command comes first, as in 'hull run %.80s'",
			word, word);
	else if (nearest)
		log_line(LOG_LEVEL_ERROR, "unknown command '%.80s': did you mean '%s'?", word,
			nearest->name);
	else
		log_line(LOG_LEVEL_ERROR, "unknown command '%.80s': see 'hull help'", word);
	return NULL;
}

static int print_help(const struct command *command)
{
	cleanup_text struct text text = {0};

	help_add_command(&text, command);
	return output_write(&text);
}

/* A wrong word is the user's, an unreadable configuration file is an input's, the rest is ours. */
static int status_of(int code)
{
	switch (code) {
	case -EINVAL:
		return EXIT_STATUS_USAGE;
	case -ENOMEM:
		return EXIT_STATUS_HULL;
	default:
		return EXIT_STATUS_INPUT;
	}
}

int main(int argc, char **argv)
{
	cleanup_with(invocation_fini) struct invocation invocation = {0};
	const struct command *command;
	struct err err = {0};
	int r;

	if (complete_standard_fds() < 0)
		return EXIT_STATUS_HULL;
	/* A closed pipe is an error of the write. */
	(void)sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	/* So is a file that may not grow. */
	(void)sigaction(SIGXFSZ, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	if (argc < 2) {
		log_line(LOG_LEVEL_ERROR, "usage: hull COMMAND [OPTION]... (see 'hull help')");
		return EXIT_STATUS_USAGE;
	}
	command = choose_command(argv[1]);
	if (!command)
		return EXIT_STATUS_USAGE;
	invocation_init(&invocation, command);
	r = invocation_parse(&invocation, argc - 2, argv + 2, &err);
	if (r < 0) {
		log_line(LOG_LEVEL_ERROR, "%s", err.text);
		return status_of(r);
	}
	return invocation.help ? print_help(command) : command->run(&invocation);
}
