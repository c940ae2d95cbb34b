/* See command_line_limit.h. */
#include "command_line_limit.h"

#include <errno.h>
#include <inttypes.h>

int command_line_limit_check(
	size_t length, uint64_t maximum, const char *kernel_name, struct err *err)
{
	if (length <= maximum)
		return 0;
	return err_set(err, -E2BIG,
		"the kernel command line has %zu characters and kernel '%s' takes at most %" PRIu64,
		length, kernel_name, maximum);
}
