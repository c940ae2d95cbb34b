/* See share.h: what nodes are like, and changes to directories. */
#include "share_internal.h"

#include "fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#define XATTR_PREFIX "user."
#define PATH_BYTES   (sizeof("/proc/self/fd/") + SHARE_FD_NAME_BYTES)
#define MODE_BITS    07777u

/* The node's descriptor, for a change. */
static int to_change(struct share *share, uint64_t node)
{
	const struct share_node *found = share_node(share, node);

	if (!found)
		return -ESTALE;
	return share->read_only ? -EROFS : found->fd;
}

/* A directory's, for a change of the name in it. */
static int to_change_in(struct share *share, uint64_t parent, const char *name)
{
	const int directory = share_directory(share, parent);
	const int r = share_check_name(name);

	if (directory < 0 || r < 0)
		return directory < 0 ? directory : r;
	return share->read_only ? -EROFS : directory;
}

static int result(int r)
{
	return r == 0 ? 0 : share_errno(errno);
}

int share_stat(struct share *share, uint64_t node, struct stat *ret_stat)
{
	const struct share_node *found = share_node(share, node);

	if (!found)
		return -ESTALE;
	if (fstat(found->fd, ret_stat) != 0)
		return -errno;
	share_show_ids(share, ret_stat);
	return 0;
}

ssize_t share_read_link(struct share *share, uint64_t node, char *buffer, size_t size)
{
	const struct share_node *found = share_node(share, node);
	ssize_t length;

	if (!found)
		return -ESTALE;
	if (found->type != S_IFLNK)
		return -EINVAL;
	length = readlinkat(found->fd, "", buffer, size);
	return length < 0 ? -errno : length;
}

int share_statfs(struct share *share, uint64_t node, struct statvfs *ret_statfs)
{
	const struct share_node *found = share_node(share, node);

	return found ? result(fstatvfs(found->fd, ret_statfs)) : -ESTALE;
}

int share_chmod(struct share *share, uint64_t node, mode_t mode)
{
	char name[SHARE_FD_NAME_BYTES];
	const int fd = to_change(share, node);

	if (fd < 0)
		return fd;
	if (share_node(share, node)->type == S_IFLNK)
		return -EOPNOTSUPP;
	return result(fchmodat(share->processes, share_fd_name(fd, name), mode & MODE_BITS, 0));
}

static uid_t host_id(const struct share *share, uint32_t id, uint32_t own)
{
	return !share->privileged && id == 0 ? own : id;
}

int share_chown(struct share *share, uint64_t node, uint32_t user, uint32_t group)
{
	const int fd = to_change(share, node);

	if (fd < 0)
		return fd;
	return result(fchownat(fd, "", host_id(share, user, share->user),
		host_id(share, group, share->group), AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW));
}

int share_set_times(struct share *share, uint64_t node, const struct timespec times[2])
{
	char name[SHARE_FD_NAME_BYTES];
	const int fd = to_change(share, node);

	return fd < 0 ? fd : result(utimensat(share->processes, share_fd_name(fd, name), times, 0));
}

int share_settle(
	struct share *share, int parent, int fd, mode_t mode, const struct share_owner *owner)
{
	char name[SHARE_FD_NAME_BYTES];
	struct stat stat;

	if (fstat(parent, &stat) != 0)
		return -errno;
	/* As the kernel does it: a directory's set-group-ID bit hands its group down. */
	if (share->privileged && fchownat(fd, "", owner->user,
					 stat.st_mode & S_ISGID ? (gid_t)SHARE_NO_ID : owner->group,
					 AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) != 0)
		return -errno;
	if (S_ISLNK(mode))
		return 0;
	if (S_ISDIR(mode) && (stat.st_mode & S_ISGID))
		mode |= S_ISGID;
	return result(fchmodat(share->processes, share_fd_name(fd, name), mode & MODE_BITS, 0));
}

static int make_file(int directory, const char *name)
{
	int fd = openat(directory, name,
		O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, S_IRUSR | S_IWUSR);

	if (fd < 0)
		return -1;
	fd_close(&fd);
	return 0;
}

static int make(int directory, const char *name, mode_t mode, const char *target)
{
	if (target)
		return symlinkat(target, directory, name);
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return mkdirat(directory, name, S_IRWXU);
	case S_IFIFO:
	case S_IFSOCK:
		return mknodat(directory, name, (mode & S_IFMT) | S_IRUSR | S_IWUSR, 0);
	case S_IFREG:
		return make_file(directory, name);
	default:
		errno = EPERM;
		return -1;
	}
}

int share_make(struct share *share, uint64_t parent, const char *name, mode_t mode,
	const char *target, const struct share_owner *owner, struct share_entry *ret_entry)
{
	const int directory = to_change_in(share, parent, name);
	cleanup_fd int fd = -1;
	struct stat stat;
	int r;

	if (directory < 0)
		return directory;
	if (make(directory, name, mode, target) != 0)
		return share_errno(errno);
	fd = share_find(directory, name);
	if (fd < 0)
		return fd;
	/* Somebody on the host may have put something else there, which is not to be given away. */
	if (fstat(fd, &stat) != 0 || (stat.st_mode & S_IFMT) != (mode & S_IFMT) ||
		stat.st_uid != geteuid() || (!S_ISDIR(mode) && stat.st_nlink != 1))
		return -ESTALE;
	r = share_settle(share, directory, fd, mode, owner);
	return r < 0 ? r : share_enter(share, parent, take_fd(&fd), ret_entry);
}

int share_link(struct share *share, uint64_t node, uint64_t parent, const char *name,
	struct share_entry *ret_entry)
{
	char fd_name[SHARE_FD_NAME_BYTES];
	const int directory = to_change_in(share, parent, name);
	const int fd = to_change(share, node);

	if (directory < 0 || fd < 0)
		return directory < 0 ? directory : fd;
	if (linkat(share->processes, share_fd_name(fd, fd_name), directory, name,
		    AT_SYMLINK_FOLLOW) != 0)
		return share_errno(errno);
	return share_lookup(share, parent, name, ret_entry);
}

int share_unlink(struct share *share, uint64_t parent, const char *name, bool directory)
{
	const int fd = to_change_in(share, parent, name);
	const int r = fd < 0 ? fd : share_keep(share, fd, name);

	return r < 0 ? r : result(unlinkat(fd, name, directory ? AT_REMOVEDIR : 0));
}

int share_rename(struct share *share, uint64_t parent, const char *name, uint64_t new_parent,
	const char *new_name, unsigned int flags)
{
	const int from = to_change_in(share, parent, name);
	const int to = to_change_in(share, new_parent, new_name);
	int r;

	if (from < 0 || to < 0)
		return from < 0 ? from : to;
	if (flags & ~(unsigned int)(RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	r = flags ? 0 : share_keep(share, to, new_name);
	if (r == 0)
		r = result(renameat2(from, name, to, new_name, flags));
	if (r == 0)
		share_moved(share, new_parent, to, new_name);
	if (r == 0 && (flags & RENAME_EXCHANGE))
		share_moved(share, parent, from, name);
	return r;
}

/* --- Extended attributes, of regular files and directories. --- */

static int xattr_path(struct share *share, uint64_t node, const char *name, char path[PATH_BYTES])
{
	const struct share_node *found = share_node(share, node);

	if (!found)
		return -ESTALE;
	if ((found->type != S_IFREG && found->type != S_IFDIR) ||
		(name && strncmp(name, XATTR_PREFIX, strlen(XATTR_PREFIX)) != 0))
		return -EOPNOTSUPP;
	(void)snprintf(path, PATH_BYTES, "/proc/self/fd/%d", found->fd);
	return 0;
}

int share_set_xattr(struct share *share, uint64_t node, const char *name, const void *value,
	size_t size, int flags)
{
	char path[PATH_BYTES];
	const int r = xattr_path(share, node, name, path);

	if (r < 0 || share->read_only)
		return r < 0 ? r : -EROFS;
	return result(setxattr(path, name, value, size, flags));
}

ssize_t share_get_xattr(
	struct share *share, uint64_t node, const char *name, void *value, size_t size)
{
	char path[PATH_BYTES];
	ssize_t r = xattr_path(share, node, name, path);

	if (r < 0)
		return r;
	r = getxattr(path, name, value, size);
	return r < 0 ? -errno : r;
}

ssize_t share_list_xattr(struct share *share, uint64_t node, char *names, size_t size)
{
	char path[PATH_BYTES];
	ssize_t r = xattr_path(share, node, NULL, path), kept = 0;

	if (r < 0)
		return r == -EOPNOTSUPP ? 0 : r;
	r = listxattr(path, names, size);
	if (r <= 0 || !size)
		return r < 0 ? -errno : r;
	for (ssize_t at = 0; at < r;) {
		const size_t length = strlen(names + at) + 1;

		if (strncmp(names + at, XATTR_PREFIX, strlen(XATTR_PREFIX)) == 0) {
			memmove(names + kept, names + at, length);
			kept += (ssize_t)length;
		}
		at += (ssize_t)length;
	}
	return kept;
}

int share_remove_xattr(struct share *share, uint64_t node, const char *name)
{
	char path[PATH_BYTES];
	const int r = xattr_path(share, node, name, path);

	if (r < 0 || share->read_only)
		return r < 0 ? r : -EROFS;
	return result(removexattr(path, name));
}
