/* See fence.h. landlock(7). */
#include "fence.h"

#include "fd.h"

#include <errno.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* By version of the ABI (landlock(7), "VERSIONS"); headers may be older. */
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

int fence_init(struct fence *fence, long least_version)
{
	struct landlock_ruleset_attr attr = {0};
	const long version = syscall(
		SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	*fence = (struct fence){.rules = -1};
	if (version < least_version)
		return -EOPNOTSUPP;
	fence->accesses = refusable_accesses(version);
	attr.handled_access_fs = fence->accesses;
	fence->rules = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	return fence->rules < 0 ? -errno : 0;
}

void fence_fini(struct fence *fence)
{
	fd_close(&fence->rules);
}

int fence_allow(const struct fence *fence, int parent, uint64_t accesses)
{
	const struct landlock_path_beneath_attr beneath = {
		.allowed_access = accesses, .parent_fd = parent};

	return syscall(SYS_landlock_add_rule, fence->rules, LANDLOCK_RULE_PATH_BENEATH, &beneath,
		       0) == 0
	               ? 0
	               : -errno;
}

int fence_close(const struct fence *fence)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
		syscall(SYS_landlock_restrict_self, fence->rules, 0) != 0)
		return -errno;
	return 0;
}
