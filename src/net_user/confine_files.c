/* See confine.h. landlock(7). */
#include "confine.h"

#include "fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/landlock.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What libslirp reads, again whenever it has changed. */
#define RESOLVER_CONFIGURATION "/etc/resolv.conf"
#define CONFIGURATION_FOLDER   "/etc"

/* Everything that a kernel of the ABI version can refuse (landlock(7), "VERSIONS"). Sockets are
 * what the process is for, so that versions 4 (ports) and 6 (scopes) have no part here but for
 * signals, which seccomp has refused already. */
static uint64_t refusable_accesses(long version)
{
	uint64_t accesses = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;

	if (version >= 2)
		accesses |= LANDLOCK_ACCESS_FS_MAKE_SYM << 1; /* REFER */
	if (version >= 3)
		accesses |= LANDLOCK_ACCESS_FS_MAKE_SYM << 2; /* TRUNCATE */
	if (version >= 5)
		accesses |= LANDLOCK_ACCESS_FS_MAKE_SYM << 3; /* IOCTL_DEV */
	return accesses;
}

static int allow_reading(int rules, const char *path)
{
	struct landlock_path_beneath_attr beneath = {
		.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE};
	cleanup_fd int parent = open(path, O_PATH | O_CLOEXEC);

	if (parent < 0)
		return errno == ENOENT ? 0 : -errno;
	beneath.parent_fd = parent;
	return syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) == 0
	               ? 0
	               : -errno;
}

/* The file; and, where it is a link to a folder that is for this alone (/run/systemd/resolve), the
 * folder, because the file is replaced when networks change. All of /etc is too much for that. */
static int allow_resolver_configuration(int rules)
{
	char real[PATH_MAX];
	char *slash;
	int r = allow_reading(rules, RESOLVER_CONFIGURATION);

	if (r < 0 || !realpath(RESOLVER_CONFIGURATION, real))
		return r;
	slash = strrchr(real, '/');
	if (!slash || slash == real)
		return 0;
	*slash = '\0';
	if (strcmp(real, CONFIGURATION_FOLDER) == 0)
		return 0;
	return allow_reading(rules, real);
}

int confine_files(struct err *err)
{
	struct landlock_ruleset_attr attr = {0};
	cleanup_fd int rules = -1;
	long version = syscall(
		SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	int r;

	if (version < 1)
		return 0; /* an older kernel, or one that was started without it */
	attr.handled_access_fs = refusable_accesses(version);
	rules = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (rules < 0)
		return err_set_errno(err, errno, "the network's process: Landlock");
	r = allow_resolver_configuration(rules);
	if (r == 0 && syscall(SYS_landlock_restrict_self, rules, 0) != 0)
		r = -errno;
	return r == 0 ? 0 : err_set_errno(err, r, "the network's process: Landlock's rules");
}
