/*
 * hull run: options to a validated config, and that to the machine. Nothing else happens here: the
 * time from exec to machine_run is part of every boot.
 */
#include "command.h"
#include "config_file.h"
#include "invocation.h"
#include "machine.h"
#include "output.h"

#include <errno.h>

static int print_config(const struct config *config)
{
	cleanup_text struct text text = {0};
	cleanup_text struct text line = {0};

	machine_command_line(config, &line);
	text_add(&text, "# hull " HULL_VERSION ": for hull run --config\n");
	config_file_show(config, &text);
	text_addf(&text, "# cmdline: %s\n", text_string(&line));
	text.failed |= line.failed;
	return output_write(&text);
}

static int run_run(struct invocation *invocation)
{
	struct err err = {0};
	int status;
	int r;

	log_set_level(invocation->log_level);
	r = config_validate(&invocation->config, &err);
	if (r < 0) {
		log_line(LOG_LEVEL_ERROR, "%s", err.text);
		return r == -EINVAL ? EXIT_STATUS_USAGE : EXIT_STATUS_HULL;
	}
	if (invocation->dry_run)
		return print_config(&invocation->config);
	status = machine_run(&invocation->config, &err);
	if (err.text[0])
		log_line(LOG_LEVEL_ERROR, "%s", err.text);
	return status;
}

const struct command command_run = {
	.name = "run",
	.bit = COMMAND_RUN,
	.word = "KERNEL",
	.word_option = "kernel",
	.summary = "boot a kernel in a VM of its own",
	.description =
		"Boots a kernel and stays until the VM ends; the exit status tells how it ended. "
		"The first serial port of the guest is standard input and output. Of an option "
		"given several times the last one counts; --append and --config add up.",
	.run = run_run,
};
