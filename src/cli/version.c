/* hull version, hull --version. */
#include "command.h"
#include "invocation.h"
#include "output.h"

static int run_version(struct invocation *invocation)
{
	cleanup_text struct text text = {0};

	(void)invocation;
	text_add(&text, "hull " HULL_VERSION "\n");
	return output_write(&text);
}

const struct command command_version = {
	.name = "version",
	.bit = COMMAND_VERSION,
	.summary = "print the version",
	.description = "Prints the version, as hull --version does.",
	.run = run_version,
};
