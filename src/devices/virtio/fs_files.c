/* What concerns open files and directories. See fs_request.h. */
#include "fs_request.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* getdents64(2) */
struct host_entry {
	uint64_t ino;
	int64_t next; /* where to go on behind it */
	unsigned short length;
	unsigned char type;
	char name[];
};

static int reply_handle(struct fs_request *request, uint64_t handle)
{
	struct fuse_open_out *out = request->reply;

	*out = (struct fuse_open_out){.fh = handle};
	return sizeof(*out);
}

static int open_node(struct fs_request *request, bool directory)
{
	const struct fuse_open_in *in = (const void *)request->arguments;
	uint64_t handle;
	int r = share_open_node(
		request->share, request->header.nodeid, directory, (int)in->flags, &handle);

	return r < 0 ? r : reply_handle(request, handle);
}

int fs_open(struct fs_request *request)
{
	return open_node(request, false);
}

int fs_opendir(struct fs_request *request)
{
	return open_node(request, true);
}

static int reply_created(
	struct fs_request *request, const struct share_entry *entry, uint64_t handle)
{
	struct {
		struct fuse_entry_out entry;
		struct fuse_open_out open;
	} *out = request->reply;

	fs_fill_entry(&out->entry, entry);
	out->open = (struct fuse_open_out){.fh = handle};
	return sizeof(*out);
}

int fs_create(struct fs_request *request)
{
	const struct fuse_create_in *in = (const void *)request->arguments;
	const struct share_owner owner = fs_owner(request);
	const struct share_new new = {in->mode & FS_MODE_BITS, (int)in->flags, &owner};
	const char *name = fs_string(request, sizeof(*in));
	struct share_entry entry;
	uint64_t handle;
	int r = name ? share_create(
			       request->share, request->header.nodeid, name, &new, &entry, &handle)
	             : -EINVAL;

	return r < 0 ? r : reply_created(request, &entry, handle);
}

/* The name that comes with it means nothing. */
int fs_tmpfile(struct fs_request *request)
{
	const struct fuse_create_in *in = (const void *)request->arguments;
	const struct share_owner owner = fs_owner(request);
	const struct share_new new = {in->mode & FS_MODE_BITS, (int)in->flags, &owner};
	struct share_entry entry;
	uint64_t handle;
	int r = share_create_unnamed(request->share, request->header.nodeid, &new, &entry, &handle);

	return r < 0 ? r : reply_created(request, &entry, handle);
}

int fs_release(struct fs_request *request)
{
	const struct fuse_release_in *in = (const void *)request->arguments;

	return share_release(request->share, request->header.nodeid, in->fh);
}

static int handle_fd(const struct fs_request *request, uint64_t handle, bool directory)
{
	return share_handle_fd(request->share, request->header.nodeid, handle, directory);
}

/* --- Data, between the guest's buffers and the file. --- */

int fs_read(struct fs_request *request)
{
	const struct fuse_read_in *in = (const void *)request->arguments;
	const struct chain_cursor start = request->chain->writer;
	struct iovec *iov = request->session->iov;
	int fd = handle_fd(request, in->fh, false), count;
	ssize_t length;

	if (fd < 0)
		return fd;
	if (in->size > FS_READ_BYTES_MAX || in->offset > INT64_MAX)
		return -EINVAL;
	count = chain_take_writable(
		request->chain, sizeof(struct fuse_out_header), iov, FS_IOV_MAX);
	if (count >= 0)
		count = chain_take_writable(request->chain, in->size, iov, FS_IOV_MAX);
	request->chain->writer = start;
	if (count < 0)
		return -EINVAL;
	/* SAFETY: spans that were checked when the chain was popped, for the kernel to write to. */
	length = preadv(fd, iov, count, (off_t)in->offset);
	return length < 0 ? -errno : fs_finish(request, (uint32_t)length);
}

int fs_write(struct fs_request *request)
{
	const struct fuse_write_in *in = (const void *)request->arguments;
	struct fuse_write_out *out = request->reply;
	struct iovec *iov = request->session->iov;
	int fd = handle_fd(request, in->fh, false);
	bool append;
	ssize_t length;
	int count;

	if (fd < 0)
		return fd;
	if (in->size > FS_TRANSFER_BYTES_MAX || in->offset > INT64_MAX ||
		in->size != request->chain->reader.left_bytes)
		return -EINVAL;
	count = chain_take_readable(request->chain, in->size, iov, FS_IOV_MAX);
	if (count < 0)
		return -EINVAL;
	/* The flag as it is now. What comes from the page cache has its place. */
	append = (in->flags & O_APPEND) && !(in->write_flags & FUSE_WRITE_CACHE);
	/* SAFETY: as in fs_read; the kernel reads. */
	length = append ? pwritev2(fd, iov, count, (off_t)in->offset, RWF_APPEND)
	                : pwritev(fd, iov, count, (off_t)in->offset);
	if (length < 0)
		return -errno;
	*out = (struct fuse_write_out){.size = (uint32_t)length};
	return sizeof(*out);
}

static int synchronise(struct fs_request *request, bool directory)
{
	const struct fuse_fsync_in *in = (const void *)request->arguments;
	int fd = handle_fd(request, in->fh, directory);
	int r;

	if (fd < 0)
		return fd;
	r = in->fsync_flags & FUSE_FSYNC_FDATASYNC ? fdatasync(fd) : fsync(fd);
	return r < 0 ? -errno : 0;
}

int fs_fsync(struct fs_request *request)
{
	return synchronise(request, false);
}

int fs_fsyncdir(struct fs_request *request)
{
	return synchronise(request, true);
}

int fs_fallocate(struct fs_request *request)
{
	const struct fuse_fallocate_in *in = (const void *)request->arguments;
	int fd = handle_fd(request, in->fh, false);

	if (fd < 0)
		return fd;
	if (share_is_read_only(request->share))
		return -EROFS;
	if (in->offset > INT64_MAX || in->length > INT64_MAX)
		return -EFBIG;
	return fallocate(fd, (int)in->mode, (off_t)in->offset, (off_t)in->length) < 0 ? -errno : 0;
}

int fs_lseek(struct fs_request *request)
{
	const struct fuse_lseek_in *in = (const void *)request->arguments;
	struct fuse_lseek_out *out = request->reply;
	int fd = handle_fd(request, in->fh, false);
	off_t offset;

	if (fd < 0)
		return fd;
	if (in->whence != SEEK_DATA && in->whence != SEEK_HOLE)
		return -EINVAL;
	offset = lseek(fd, (off_t)in->offset, (int)in->whence);
	if (offset < 0)
		return -errno;
	*out = (struct fuse_lseek_out){.offset = (uint64_t)offset};
	return sizeof(*out);
}

int fs_copy_file_range(struct fs_request *request)
{
	const struct fuse_copy_file_range_in *in = (const void *)request->arguments;
	struct fuse_write_out *out = request->reply;
	int from = handle_fd(request, in->fh_in, false), to;
	off_t from_offset = (off_t)in->off_in, to_offset = (off_t)in->off_out;
	ssize_t length;

	if (from < 0)
		return from;
	to = share_handle_fd(request->share, in->nodeid_out, in->fh_out, false);
	if (to < 0)
		return to;
	if (share_is_read_only(request->share))
		return -EROFS;
	/* As much as a turn of this thread may be: the guest asks for the rest. */
	length = copy_file_range(from, &from_offset, to, &to_offset,
		in->len < FS_TRANSFER_BYTES_MAX ? in->len : FS_TRANSFER_BYTES_MAX, 0);
	if (length < 0)
		return -errno;
	*out = (struct fuse_write_out){.size = (uint32_t)length};
	return sizeof(*out);
}

/* --- Directories. --- */

#define HOST_ENTRY_BYTES_MAX 280

static bool is_dot(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* The entry's length in a reply, with its head and what fills it up. */
static size_t padded_length(const struct host_entry *entry, bool plus)
{
	size_t length = offsetof(struct fuse_dirent, name) + strlen(entry->name);

	if (plus)
		length += offsetof(struct fuse_direntplus, dirent);
	return FUSE_DIRENT_ALIGN(length);
}

static void add_entry(
	struct fs_request *request, const struct host_entry *entry, bool plus, uint8_t *at)
{
	const size_t name_length = strlen(entry->name);
	struct fuse_dirent dirent = {
		.ino = entry->ino,
		.off = (uint64_t)entry->next,
		.namelen = (uint32_t)name_length,
		.type = entry->type,
	};

	memset(at, 0, padded_length(entry, plus));
	if (plus) {
		struct fuse_entry_out out = {0}; /* without a node: no more than a name */
		struct share_entry found;

		if (!is_dot(entry->name) && share_has_room(request->share) &&
			share_lookup(request->share, request->header.nodeid, entry->name, &found) ==
				0)
			fs_fill_entry(&out, &found);
		memcpy(at, &out, sizeof(out));
		at += sizeof(out);
	}
	memcpy(at, &dirent, offsetof(struct fuse_dirent, name));
	memcpy(at + offsetof(struct fuse_dirent, name), entry->name, name_length);
}

/* So many bytes of the host's entries make no more than room bytes of the guest's: a short name
 * takes 24 there, and 32 or 160 here. */
static size_t host_room(size_t room, bool plus)
{
	size_t bytes = room / (plus ? 160 : 32) * 24;

	return bytes < FS_ENTRIES_BYTES ? bytes : FS_ENTRIES_BYTES;
}

/* Where the last one has ended, a file system goes on whatever was removed meanwhile; after a seek
 * some (tmpfs) would count, and skip. */
static int seek_directory(int fd, uint64_t offset)
{
	off_t now = lseek(fd, 0, SEEK_CUR);

	if (now < 0 || ((uint64_t)now != offset && lseek(fd, (off_t)offset, SEEK_SET) < 0))
		return -errno;
	return 0;
}

/* As many entries as fit are behind length bytes of the reply: how many bytes there are then. */
static int add_entries(struct fs_request *request, int fd, bool plus, size_t room, size_t length)
{
	uint8_t *entries = request->session->entries;
	size_t bytes = host_room(room - length, plus);
	long count;

	if (bytes < HOST_ENTRY_BYTES_MAX && length)
		return (int)length;
	if (bytes < HOST_ENTRY_BYTES_MAX)
		bytes = HOST_ENTRY_BYTES_MAX;
	count = syscall(SYS_getdents64, fd, entries, bytes);
	if (count < 0)
		return length ? (int)length : -errno;
	for (long at = 0; at < count;) {
		const struct host_entry *entry = (const void *)(entries + at);
		size_t padded = padded_length(entry, plus);

		if (padded > room - length) /* the guest comes again, from here */
			return length ? (int)length : -EINVAL;
		add_entry(request, entry, plus, (uint8_t *)request->reply + length);
		length += padded;
		at += entry->length;
	}
	return (int)length;
}

static int read_directory(struct fs_request *request, bool plus)
{
	const struct fuse_read_in *in = (const void *)request->arguments;
	int fd = handle_fd(request, in->fh, true);
	uint64_t room = request->chain->writer.left_bytes;
	int r, length = 0;

	if (fd < 0)
		return fd;
	if (room < sizeof(struct fuse_out_header))
		return -EINVAL;
	room -= sizeof(struct fuse_out_header);
	if (room > in->size)
		room = in->size;
	if (room > FS_REPLY_BYTES_MAX)
		room = FS_REPLY_BYTES_MAX;
	r = seek_directory(fd, in->offset);
	if (r < 0)
		return r;
	do {
		r = length;
		length = add_entries(request, fd, plus, room, (size_t)r);
	} while (length > r);
	return length;
}

int fs_readdir(struct fs_request *request)
{
	return read_directory(request, false);
}

int fs_readdirplus(struct fs_request *request)
{
	return read_directory(request, true);
}
