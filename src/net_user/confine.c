/* See confine.h. */
#include "confine.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Whose processes own nothing; the same number everywhere. */
#define NOBODY 65534

/* A TCP connection holds up to 256 KiB, a socket of UDP little for four minutes. */
#define OPEN_FILES_MAX 4096
#define MEMORY_BYTES   (UINT64_C(1) << 30)

static int limit(__rlimit_resource_t resource, rlim_t most)
{
	struct rlimit limit;

	if (getrlimit(resource, &limit) != 0)
		return -errno;
	if (limit.rlim_max == RLIM_INFINITY || limit.rlim_max > most)
		limit.rlim_max = most;
	limit.rlim_cur = limit.rlim_max;
	return setrlimit(resource, &limit) == 0 ? 0 : -errno;
}

static int limit_resources(void)
{
	static const struct {
		__rlimit_resource_t resource;
		rlim_t most;
	} limits[] = {
		{RLIMIT_NOFILE, OPEN_FILES_MAX},
		{RLIMIT_CORE, 0},
		{RLIMIT_FSIZE, 0},
		{RLIMIT_NPROC, 0},
		{RLIMIT_MEMLOCK, 0},
		{RLIMIT_MSGQUEUE, 0},
		{RLIMIT_DATA, MEMORY_BYTES},
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < array_size(limits); i++)
		if (!SANITIZED || limits[i].resource != RLIMIT_DATA)
			r = limit(limits[i].resource, limits[i].most);
	return r;
}

/* Root becomes nobody. Root of a user namespace without that number, or without the capability to
 * change, stays what it is and loses the rest of its capabilities. */
static int drop_identity(void)
{
	if (geteuid() != 0)
		return 0;
	if ((syscall(SYS_setgroups, 0, NULL) == 0 || errno == EPERM) &&
		setresgid(NOBODY, NOBODY, NOBODY) == 0 && setresuid(NOBODY, NOBODY, NOBODY) == 0)
		return 0;
	return errno == EINVAL || errno == EPERM ? 0 : -errno;
}

/* What could be had back: only who has CAP_SETPCAP can give it up, and nothing can be had back
 * after PR_SET_NO_NEW_PRIVS anyway. */
static void drop_prospects(void)
{
	for (unsigned long capability = 0; capability < 64; capability++)
		(void)prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};

	return syscall(SYS_capset, &header, none) == 0 ? 0 : -errno;
}

int confine_process(struct err *err)
{
	int r;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return err_set_errno(err, errno, "the network's process: PR_SET_NO_NEW_PRIVS");
	r = limit_resources();
	if (r < 0)
		return err_set_errno(err, r, "the network's process: its limits");
	r = confine_files(err);
	if (r < 0)
		return r;
	drop_prospects();
	r = drop_identity();
	if (r == 0)
		r = drop_capabilities();
	if (r < 0)
		return err_set_errno(err, r, "the network's process: dropping privileges");
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return err_set_errno(err, errno, "the network's process: PR_SET_DUMPABLE");
	return 0;
}
