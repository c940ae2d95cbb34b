/* Stands in for the machine until it is there: links, runs nothing. */
#include "machine.h"

#include <errno.h>

int machine_run(const struct config *config, struct err *err)
{
	(void)config;
	(void)err_set(err, ENOSYS, "this build has no machine");
	return EXIT_STATUS_HULL;
}

void machine_command_line(const struct config *config, struct text *line)
{
	if (!config->append_only)
		text_add(line, "console=ttyS0 ");
	text_add(line, config->append ? config->append : "");
}
