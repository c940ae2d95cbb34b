/* What concerns names and nodes. See fs_request.h. */
#include "fs_request.h"

#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>

#define LINK_BYTES_MAX 4096

/* Two names, the second right behind the first. */
static int two_strings(const struct fs_request *request, size_t offset, const char **ret_first,
	const char **ret_second)
{
	*ret_first = fs_string(request, offset);
	*ret_second = *ret_first ? fs_string(request, offset + strlen(*ret_first) + 1) : NULL;
	return *ret_second ? 0 : -EINVAL;
}

int fs_lookup(struct fs_request *request)
{
	const char *name = fs_string(request, 0);
	struct share_entry entry;
	int r = name ? share_lookup(request->share, request->header.nodeid, name, &entry) : -EINVAL;

	return r < 0 ? r : fs_reply_entry(request, &entry);
}

int fs_forget(struct fs_request *request)
{
	const struct fuse_forget_in *in = (const void *)request->arguments;

	share_forget(request->share, request->header.nodeid, in->nlookup);
	return FS_NO_REPLY;
}

int fs_batch_forget(struct fs_request *request)
{
	const struct fuse_batch_forget_in *in = (const void *)request->arguments;
	const struct fuse_forget_one *each = (const void *)(in + 1);
	size_t count = (request->argument_bytes - sizeof(*in)) / sizeof(*each);

	if (in->count < count)
		count = in->count;
	for (size_t i = 0; i < count; i++)
		share_forget(request->share, each[i].nodeid, each[i].nlookup);
	return FS_NO_REPLY;
}

int fs_getattr(struct fs_request *request)
{
	return fs_reply_attributes(request, request->header.nodeid);
}

static struct timespec time_of(uint64_t seconds, uint32_t nanoseconds, bool is_given, bool is_now)
{
	if (is_given && is_now)
		return (struct timespec){.tv_nsec = UTIME_NOW};
	if (!is_given || nanoseconds >= 1000000000)
		return (struct timespec){.tv_nsec = UTIME_OMIT};
	return (struct timespec){.tv_sec = (time_t)seconds, .tv_nsec = nanoseconds};
}

static int set_owner(struct fs_request *request, const struct fuse_setattr_in *in)
{
	return share_chown(request->share, request->header.nodeid,
		in->valid & FATTR_UID ? in->uid : SHARE_NO_ID,
		in->valid & FATTR_GID ? in->gid : SHARE_NO_ID);
}

static int set_times(struct fs_request *request, const struct fuse_setattr_in *in)
{
	const struct timespec times[2] = {
		time_of(in->atime, in->atimensec, in->valid & FATTR_ATIME,
			in->valid & FATTR_ATIME_NOW),
		time_of(in->mtime, in->mtimensec, in->valid & FATTR_MTIME,
			in->valid & FATTR_MTIME_NOW),
	};

	return share_set_times(request->share, request->header.nodeid, times);
}

int fs_setattr(struct fs_request *request)
{
	const struct fuse_setattr_in *in = (const void *)request->arguments;
	int r = 0;

	if (in->valid & (FATTR_UID | FATTR_GID))
		r = set_owner(request, in);
	if (r == 0 && (in->valid & FATTR_MODE))
		r = share_chmod(request->share, request->header.nodeid, in->mode & FS_MODE_BITS);
	if (r == 0 && (in->valid & FATTR_SIZE))
		r = share_truncate(request->share, request->header.nodeid,
			in->valid & FATTR_FH ? in->fh : 0, (int64_t)in->size);
	if (r == 0 && (in->valid & (FATTR_ATIME | FATTR_MTIME)))
		r = set_times(request, in);
	return r < 0 ? r : fs_reply_attributes(request, request->header.nodeid);
}

int fs_readlink(struct fs_request *request)
{
	return (int)share_read_link(
		request->share, request->header.nodeid, request->reply, LINK_BYTES_MAX);
}

static int make(struct fs_request *request, const char *name, mode_t mode, const char *target)
{
	const struct share_owner owner = fs_owner(request);
	struct share_entry entry;
	int r = name ? share_make(request->share, request->header.nodeid, name, mode, target,
			       &owner, &entry)
	             : -EINVAL;

	return r < 0 ? r : fs_reply_entry(request, &entry);
}

int fs_symlink(struct fs_request *request)
{
	const char *name, *target;
	int r = two_strings(request, 0, &name, &target);

	return r < 0 ? r : make(request, name, S_IFLNK | 0777, target);
}

int fs_mknod(struct fs_request *request)
{
	const struct fuse_mknod_in *in = (const void *)request->arguments;

	return make(request, fs_string(request, sizeof(*in)), in->mode, NULL);
}

int fs_mkdir(struct fs_request *request)
{
	const struct fuse_mkdir_in *in = (const void *)request->arguments;

	return make(request, fs_string(request, sizeof(*in)), S_IFDIR | (in->mode & FS_MODE_BITS),
		NULL);
}

static int remove_name(struct fs_request *request, bool directory)
{
	const char *name = fs_string(request, 0);

	return name ? share_unlink(request->share, request->header.nodeid, name, directory)
	            : -EINVAL;
}

int fs_unlink(struct fs_request *request)
{
	return remove_name(request, false);
}

int fs_rmdir(struct fs_request *request)
{
	return remove_name(request, true);
}

static int rename_to(
	struct fs_request *request, size_t offset, uint64_t new_parent, unsigned int flags)
{
	const char *name, *new_name;
	int r = two_strings(request, offset, &name, &new_name);

	return r < 0 ? r
	             : share_rename(request->share, request->header.nodeid, name, new_parent,
			       new_name, flags);
}

int fs_rename(struct fs_request *request)
{
	const struct fuse_rename_in *in = (const void *)request->arguments;

	return rename_to(request, sizeof(*in), in->newdir, 0);
}

int fs_rename2(struct fs_request *request)
{
	const struct fuse_rename2_in *in = (const void *)request->arguments;

	return rename_to(request, sizeof(*in), in->newdir, in->flags);
}

int fs_link(struct fs_request *request)
{
	const struct fuse_link_in *in = (const void *)request->arguments;
	const char *name = fs_string(request, sizeof(*in));
	struct share_entry entry;
	int r = name ? share_link(
			       request->share, in->oldnodeid, request->header.nodeid, name, &entry)
	             : -EINVAL;

	return r < 0 ? r : fs_reply_entry(request, &entry);
}

int fs_statfs(struct fs_request *request)
{
	struct fuse_statfs_out *out = request->reply;
	struct statvfs host;
	int r = share_statfs(request->share, request->header.nodeid, &host);

	if (r < 0)
		return r;
	*out = (struct fuse_statfs_out){.st = {
						.blocks = host.f_blocks,
						.bfree = host.f_bfree,
						.bavail = host.f_bavail,
						.files = host.f_files,
						.ffree = host.f_ffree,
						.bsize = (uint32_t)host.f_bsize,
						.namelen = (uint32_t)host.f_namemax,
						.frsize = (uint32_t)host.f_frsize,
					}};
	return sizeof(*out);
}

/* --- Extended attributes. --- */

int fs_setxattr(struct fs_request *request)
{
	const struct fuse_setxattr_in *in = (const void *)request->arguments;
	const char *name = fs_string(request, FUSE_COMPAT_SETXATTR_IN_SIZE);
	size_t offset;

	if (!name)
		return -EINVAL;
	offset = FUSE_COMPAT_SETXATTR_IN_SIZE + strlen(name) + 1;
	if (in->size > request->argument_bytes - offset)
		return -EINVAL;
	return share_set_xattr(request->share, request->header.nodeid, name,
		request->arguments + offset, in->size, (int)in->flags);
}

/* Either how long it is, if that is the question, or the bytes. */
static int reply_value(struct fs_request *request, ssize_t length, uint32_t size)
{
	if (length >= 0 && !size)
		*(struct fuse_getxattr_out *)request->reply = (struct fuse_getxattr_out){
			.size = (uint32_t)length};
	if (length >= 0 && !size)
		return sizeof(struct fuse_getxattr_out);
	return (int)length;
}

static uint32_t value_size(const struct fs_request *request)
{
	const struct fuse_getxattr_in *in = (const void *)request->arguments;

	return in->size < FS_REPLY_BYTES_MAX ? in->size : (uint32_t)FS_REPLY_BYTES_MAX;
}

int fs_getxattr(struct fs_request *request)
{
	const char *name = fs_string(request, sizeof(struct fuse_getxattr_in));
	uint32_t size = value_size(request);

	if (!name)
		return -EINVAL;
	return reply_value(request,
		share_get_xattr(request->share, request->header.nodeid, name, request->reply, size),
		size);
}

int fs_listxattr(struct fs_request *request)
{
	uint32_t size = value_size(request);

	return reply_value(request,
		share_list_xattr(request->share, request->header.nodeid, request->reply, size),
		size);
}

int fs_removexattr(struct fs_request *request)
{
	const char *name = fs_string(request, 0);

	return name ? share_remove_xattr(request->share, request->header.nodeid, name) : -EINVAL;
}
