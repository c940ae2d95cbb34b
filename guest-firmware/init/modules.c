/* Kernel modules, see init.h. */
#include "init.h"

#include "format.h"
#include "linux.h"

void modules_load(void)
{
	for (unsigned int i = 0;; i++) {
		char path[sizeof(MODULES_DIRECTORY) + 16];
		struct format name = {path, sizeof(path), 0};
		int fd, error;

		format_add(&name, MODULES_DIRECTORY "%u", i);
		fd = (int)sys_open(path, O_RDONLY, 0);
		if (fd < 0)
			return;
		error = (int)sys_finit_module(fd, "", 0);
		if (error && error != -EEXIST)
			kernel_log("module %u is refused: error %d", i, -error);
		(void)sys_close(fd);
	}
}
