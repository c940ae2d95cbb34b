/* See root_image.h. */
#include "root_image.h"

#include "fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define MAGIC_MAX 8

static const struct {
	const char *type;
	uint64_t offset;
	unsigned int length;
	char magic[MAGIC_MAX];
} known[] = {
	{"ext4", 1080, 2, {'\x53', '\xef'}}, /* ext2 and ext3, too: it is their driver */
	{"xfs", 0, 4, {'X', 'F', 'S', 'B'}},
	{"btrfs", 65600, 8, {'_', 'B', 'H', 'R', 'f', 'S', '_', 'M'}},
	{"squashfs", 0, 4, {'h', 's', 'q', 's'}},
	{"erofs", 1024, 4, {'\xe2', '\xe1', '\xf5', '\xe0'}},
};

static bool has(int fd, uint64_t offset, const char *magic, unsigned int length)
{
	char bytes[MAGIC_MAX];

	return fd_pread(fd, bytes, length, offset) == (ssize_t)length &&
	       memcmp(bytes, magic, length) == 0;
}

int root_image_type(const char *path, const char **ret_type, struct err *err)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return err_set_errno(err, errno, "--root '%s'", path);
	for (size_t i = 0; i < array_size(known); i++) {
		if (!has(fd, known[i].offset, known[i].magic, known[i].length))
			continue;
		*ret_type = known[i].type;
		return 0;
	}
	if (has(fd, 510, "\x55\xaa", 2))
		return err_set(err, EINVAL,
			"--root '%s': a disk with partitions, or a boot sector; what is wanted is "
			"an image of one file system",
			path);
	return err_set(err, EINVAL,
		"--root '%s': none of ext2 to ext4, XFS, Btrfs, SquashFS and EROFS", path);
}
