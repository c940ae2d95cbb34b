/* See disk_overlay.h. Main thread. */
#include "disk_overlay.h"

#include "fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* A file without a name, whatever the file system can do. */
static int open_nameless(const char *directory)
{
	char path[PATH_MAX];
	int fd = open(directory, O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT))
		return fd < 0 ? -errno : fd;
	if (snprintf(path, sizeof(path), "%s/hull-XXXXXX", directory) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	(void)unlink(path); /* it was just made */
	return fd;
}

/* Discarded clusters must be given back, or the bound would be none. */
static int check_fitness(int fd, uint64_t size_bytes)
{
	if (ftruncate(fd, (off_t)size_bytes) != 0)
		return -errno;
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) != 0)
		return -errno;
	return 0;
}

int disk_overlay_open(const char *directory, uint64_t size_bytes, int *ret_fd, struct err *err)
{
	const char *where = directory ? directory : getenv("TMPDIR");
	cleanup_fd int fd = -1;
	int r = 0;

	if (where && where[0]) {
		fd = open_nameless(where);
		if (fd < 0)
			return err_set_errno(err, fd,
				"no file for what the guest writes can be made in '%s' (TMPDIR "
				"says where)",
				where);
	} else {
		where = "/tmp";
		fd = open_nameless(where);
		if (fd < 0) {
			where = "memory";
			fd = memfd_create("hull-ephemeral", MFD_CLOEXEC);
			r = -errno;
		}
		if (fd < 0)
			return err_set_errno(
				err, r, "neither /tmp nor memory can keep what the guest writes");
	}
	r = check_fitness(fd, size_bytes);
	if (r < 0)
		return err_set_errno(err, r,
			"the file for what the guest writes, in %s, cannot be a sparse one of "
			"%llu MiB",
			where, (unsigned long long)(size_bytes >> 20));
	*ret_fd = take_fd(&fd);
	return 0;
}
