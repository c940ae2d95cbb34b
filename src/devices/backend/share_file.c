/*
 * See share.h: handles. A node is opened through its name in /proc/self/fd, which leads to the very
 * file that it holds, whose type cannot change.
 */
#include "share_internal.h"

#include "fd.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FLAGS_KEPT (O_ACCMODE | O_TRUNC | O_SYNC | O_DSYNC)
#define FLAGS_SAFE (O_CLOEXEC | O_NOCTTY | O_NONBLOCK)

static int add_handle(struct share *share, const struct share_handle *handle, uint64_t *ret_handle)
{
	uint32_t index = share->free_handles;

	if (index != SHARE_NONE)
		share->free_handles = share->handles[index].next;
	else if (share->handle_count < share->handles_max)
		index = share->handle_count++;
	else
		return -ENFILE;
	share->handles[index] = *handle;
	share->handles[index].generation = share->generation++;
	*ret_handle = (uint64_t)share->handles[index].generation << 32 | (index + 1);
	share_known(share, handle->node)->handles++;
	return 0;
}

static struct share_handle *find_handle(struct share *share, uint64_t node, uint64_t handle)
{
	const uint32_t index = (uint32_t)handle - 1;
	struct share_handle *found;

	if (index >= share->handle_count)
		return NULL;
	found = &share->handles[index];
	return found->fd >= 0 && found->generation == handle >> 32 && found->node == node ? found
	                                                                                  : NULL;
}

int share_release(struct share *share, uint64_t node, uint64_t handle)
{
	struct share_handle *found = find_handle(share, node, handle);

	if (!found)
		return -EBADF;
	fd_close(&found->fd);
	if (share_known(share, node))
		share_known(share, node)->handles--;
	found->next = share->free_handles;
	share->free_handles = (uint32_t)handle - 1;
	return 0;
}

int share_handle_fd(struct share *share, uint64_t node, uint64_t handle, bool directory)
{
	const struct share_handle *found = find_handle(share, node, handle);

	if (!found || found->directory != directory)
		return -EBADF;
	return found->fd;
}

static bool would_change(int flags)
{
	return (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC);
}

int share_reopen(const struct share *share, int fd, int flags)
{
	char name[SHARE_FD_NAME_BYTES];
	int opened = openat(share->processes, share_fd_name(fd, name), flags | FLAGS_SAFE);

	return opened < 0 ? share_errno(errno) : opened;
}

int share_open_node(
	struct share *share, uint64_t node, bool directory, int flags, uint64_t *ret_handle)
{
	const struct share_node *found = share_node(share, node);
	struct share_handle handle = {.node = node, .directory = directory};
	int r;

	if (!found)
		return -ESTALE;
	if (found->closed)
		return -EACCES;
	if (directory && found->type != S_IFDIR)
		return -ENOTDIR;
	if (!directory && found->type != S_IFREG)
		return found->type == S_IFDIR ? -EISDIR : -ENXIO;
	if (share->read_only && would_change(flags))
		return -EROFS;
	handle.fd = share_reopen(
		share, found->fd, directory ? O_RDONLY | O_DIRECTORY : flags & FLAGS_KEPT);
	if (handle.fd < 0)
		return handle.fd;
	r = add_handle(share, &handle, ret_handle);
	if (r < 0)
		fd_close(&handle.fd);
	return r;
}

static int create_file(int directory, const char *name, int flags)
{
	const struct open_how how = {
		.flags = (unsigned int)(flags & FLAGS_KEPT) | O_CREAT | O_EXCL | O_NOFOLLOW |
	                 FLAGS_SAFE,
		.mode = 0600,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	int r = share_check_name(name);
	long fd;

	if (r < 0)
		return r;
	do
		fd = syscall(SYS_openat2, directory, name, &how, sizeof(how));
	while (fd < 0 && (errno == EINTR || errno == EAGAIN));
	return fd < 0 ? share_errno(errno) : (int)fd;
}

static int open_existing(struct share *share, uint64_t parent, const char *name, int flags,
	struct share_entry *ret_entry, uint64_t *ret_handle)
{
	int r = share_lookup(share, parent, name, ret_entry);

	if (r < 0)
		return r;
	r = share_open_node(share, ret_entry->node, false, flags, ret_handle);
	if (r < 0)
		share_forget(share, ret_entry->node, 1);
	return r;
}

/* A file that was just made gets its owner, a node and a handle; fd is consumed. */
static int take_in(struct share *share, uint64_t parent, int fd, const struct share_new *new,
	struct share_entry *ret_entry, uint64_t *ret_handle)
{
	struct share_handle handle = {.fd = fd};
	cleanup_fd int owned = fd;
	int path,
		r = share_settle(share, share_directory(share, parent), fd, new->mode, new->owner);

	path = r < 0 ? r : share_reopen(share, fd, O_PATH);
	r = path < 0 ? path : share_enter(share, parent, path, ret_entry);
	if (r < 0)
		return r;
	handle.node = ret_entry->node;
	r = add_handle(share, &handle, ret_handle);
	if (r < 0)
		share_forget(share, ret_entry->node, 1);
	else
		(void)take_fd(&owned);
	return r;
}

int share_create(struct share *share, uint64_t parent, const char *name,
	const struct share_new *new, struct share_entry *ret_entry, uint64_t *ret_handle)
{
	const int directory = share_directory(share, parent);
	int fd;

	if (directory < 0 || share->read_only)
		return directory < 0 ? directory : -EROFS;
	fd = create_file(directory, name, new->flags);
	if (fd == -EEXIST && !(new->flags &O_EXCL))
		return open_existing(share, parent, name, new->flags, ret_entry, ret_handle);
	return fd < 0 ? fd : take_in(share, parent, fd, new, ret_entry, ret_handle);
}

int share_create_unnamed(struct share *share, uint64_t parent, const struct share_new *new,
	struct share_entry *ret_entry, uint64_t *ret_handle)
{
	const int directory = share_directory(share, parent);
	const int kept = new->flags &(FLAGS_KEPT | O_EXCL);
	int fd;

	if (directory < 0 || share->read_only)
		return directory < 0 ? directory : -EROFS;
	fd = openat(directory, ".", (kept & ~O_TRUNC) | O_TMPFILE | FLAGS_SAFE, S_IRUSR | S_IWUSR);
	return fd < 0 ? share_errno(errno) : take_in(share, parent, fd, new, ret_entry, ret_handle);
}

int share_truncate(struct share *share, uint64_t node, uint64_t handle, int64_t size)
{
	const struct share_node *found = share_node(share, node);
	cleanup_fd int opened = -1;
	int fd;

	if (!found)
		return -ESTALE;
	if (share->read_only)
		return -EROFS;
	if (found->type != S_IFREG)
		return -EINVAL;
	if (handle) {
		fd = share_handle_fd(share, node, handle, false);
	} else {
		opened = share_reopen(share, found->fd, O_WRONLY);
		fd = opened;
	}
	if (fd < 0)
		return fd;
	return ftruncate(fd, size) == 0 ? 0 : -errno;
}
