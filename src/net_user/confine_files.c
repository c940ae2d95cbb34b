/* See confine.h. landlock(7). */
#include "confine.h"

#include "fd.h"
#include "fence.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/landlock.h>
#include <stdlib.h>
#include <string.h>

/* What libslirp reads, again whenever it has changed. */
#define RESOLVER_CONFIGURATION "/etc/resolv.conf"
#define CONFIGURATION_FOLDER   "/etc"

static int allow_reading(const struct fence *fence, const char *path)
{
	cleanup_fd int parent = open(path, O_PATH | O_CLOEXEC);

	if (parent < 0)
		return errno == ENOENT ? 0 : -errno;
	return fence_allow(fence, parent, LANDLOCK_ACCESS_FS_READ_FILE);
}

/* The file; and, where it is a link to a folder that is for this alone (/run/systemd/resolve), the
 * folder, because the file is replaced when networks change. All of /etc is too much for that. */
static int allow_resolver_configuration(const struct fence *fence)
{
	char real[PATH_MAX];
	char *slash;
	int r = allow_reading(fence, RESOLVER_CONFIGURATION);

	if (r < 0 || !realpath(RESOLVER_CONFIGURATION, real))
		return r;
	slash = strrchr(real, '/');
	if (!slash || slash == real)
		return 0;
	*slash = '\0';
	if (strcmp(real, CONFIGURATION_FOLDER) == 0)
		return 0;
	return allow_reading(fence, real);
}

/* Sockets are what the process is for, so that Landlock's ports and scopes have no part here but
 * for signals, which seccomp refuses. */
int confine_files(struct err *err)
{
	struct fence fence;
	int r = fence_init(&fence, 1);

	if (r == -EOPNOTSUPP)
		return 0; /* an older kernel, or one that was started without it */
	if (r == 0)
		r = allow_resolver_configuration(&fence);
	if (r == 0)
		r = fence_close(&fence);
	fence_fini(&fence);
	return r == 0 ? 0 : err_set_errno(err, r, "the network's process: Landlock's rules");
}
