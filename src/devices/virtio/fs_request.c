/* See fs_request.h. */
#include "fs_request.h"

#include <errno.h>
#include <string.h>

#define VALID_SECONDS 1 /* how long a guest may believe what it was told */

static int fs_init(struct fs_request *request)
{
	static const uint32_t wanted = FUSE_ASYNC_READ | FUSE_BIG_WRITES | FUSE_ATOMIC_O_TRUNC |
	                               FUSE_AUTO_INVAL_DATA | FUSE_DO_READDIRPLUS |
	                               FUSE_READDIRPLUS_AUTO | FUSE_PARALLEL_DIROPS |
	                               FUSE_MAX_PAGES;
	struct fuse_init_in in = {0};
	struct fuse_init_out *out = request->reply;

	memcpy(&in, request->arguments,
		request->argument_bytes < sizeof(in) ? request->argument_bytes : sizeof(in));
	if (in.major < FUSE_KERNEL_VERSION)
		return -EPROTO;
	share_reset(request->share);
	/* A newer one asks again with the version that it is told. */
	*out = (struct fuse_init_out){
		.major = FUSE_KERNEL_VERSION,
		.minor = FUSE_KERNEL_MINOR_VERSION,
		.max_readahead = in.max_readahead,
		.flags = in.flags & wanted,
		.max_write = FS_TRANSFER_BYTES_MAX,
		.time_gran = 1,
		.max_pages = FS_PAGES_MAX,
	};
	return sizeof(*out);
}

static int fs_destroy(struct fs_request *request)
{
	share_reset(request->share);
	return 0;
}

static int fs_interrupt(struct fs_request *request)
{
	(void)request; /* what it would interrupt is done already */
	return FS_NO_REPLY;
}

static const struct operation {
	int (*serve)(struct fs_request *request);
	uint32_t least_bytes; /* of arguments */
	bool has_data;        /* behind so many bytes of arguments */
} operations[] = {
	[FUSE_LOOKUP] = {fs_lookup, 2, false},
	[FUSE_FORGET] = {fs_forget, sizeof(struct fuse_forget_in), false},
	[FUSE_GETATTR] = {fs_getattr, 0, false},
	[FUSE_SETATTR] = {fs_setattr, sizeof(struct fuse_setattr_in), false},
	[FUSE_READLINK] = {fs_readlink, 0, false},
	[FUSE_SYMLINK] = {fs_symlink, 4, false},
	[FUSE_MKNOD] = {fs_mknod, sizeof(struct fuse_mknod_in) + 2, false},
	[FUSE_MKDIR] = {fs_mkdir, sizeof(struct fuse_mkdir_in) + 2, false},
	[FUSE_UNLINK] = {fs_unlink, 2, false},
	[FUSE_RMDIR] = {fs_rmdir, 2, false},
	[FUSE_RENAME] = {fs_rename, sizeof(struct fuse_rename_in) + 4, false},
	[FUSE_LINK] = {fs_link, sizeof(struct fuse_link_in) + 2, false},
	[FUSE_OPEN] = {fs_open, sizeof(struct fuse_open_in), false},
	[FUSE_READ] = {fs_read, sizeof(struct fuse_read_in), false},
	[FUSE_WRITE] = {fs_write, sizeof(struct fuse_write_in), true},
	[FUSE_STATFS] = {fs_statfs, 0, false},
	[FUSE_RELEASE] = {fs_release, sizeof(struct fuse_release_in), false},
	[FUSE_FSYNC] = {fs_fsync, sizeof(struct fuse_fsync_in), false},
	[FUSE_SETXATTR] = {fs_setxattr, FUSE_COMPAT_SETXATTR_IN_SIZE + 2, false},
	[FUSE_GETXATTR] = {fs_getxattr, sizeof(struct fuse_getxattr_in) + 2, false},
	[FUSE_LISTXATTR] = {fs_listxattr, sizeof(struct fuse_getxattr_in), false},
	[FUSE_REMOVEXATTR] = {fs_removexattr, 2, false},
	[FUSE_INIT] = {fs_init, 16, false},
	[FUSE_OPENDIR] = {fs_opendir, sizeof(struct fuse_open_in), false},
	[FUSE_READDIR] = {fs_readdir, sizeof(struct fuse_read_in), false},
	[FUSE_RELEASEDIR] = {fs_release, sizeof(struct fuse_release_in), false},
	[FUSE_FSYNCDIR] = {fs_fsyncdir, sizeof(struct fuse_fsync_in), false},
	[FUSE_CREATE] = {fs_create, sizeof(struct fuse_create_in) + 2, false},
	[FUSE_INTERRUPT] = {fs_interrupt, 0, false},
	[FUSE_DESTROY] = {fs_destroy, 0, false},
	[FUSE_BATCH_FORGET] = {fs_batch_forget, sizeof(struct fuse_batch_forget_in), false},
	[FUSE_FALLOCATE] = {fs_fallocate, sizeof(struct fuse_fallocate_in), false},
	[FUSE_READDIRPLUS] = {fs_readdirplus, sizeof(struct fuse_read_in), false},
	[FUSE_RENAME2] = {fs_rename2, sizeof(struct fuse_rename2_in) + 4, false},
	[FUSE_LSEEK] = {fs_lseek, sizeof(struct fuse_lseek_in), false},
	[FUSE_TMPFILE] = {fs_tmpfile, sizeof(struct fuse_create_in), false},
	[FUSE_COPY_FILE_RANGE] = {fs_copy_file_range, sizeof(struct fuse_copy_file_range_in),
		false},
};

static int write_reply(struct fs_request *request, int error, uint32_t length)
{
	const struct fuse_out_header header = {
		.len = (uint32_t)sizeof(header) + length,
		.error = error,
		.unique = request->header.unique,
	};

	if (request->chain->writer.left_bytes < header.len)
		return -EOVERFLOW;
	(void)!chain_write(request->chain, &header, sizeof(header));
	(void)!chain_write(request->chain, request->reply, length);
	return 0;
}

int fs_finish(struct fs_request *request, uint32_t length)
{
	const struct fuse_out_header header = {
		.len = (uint32_t)sizeof(header) + length,
		.unique = request->header.unique,
	};

	if (chain_write(request->chain, &header, sizeof(header)) < 0 ||
		chain_count_written(request->chain, length) < 0)
		return -EIO;
	return FS_REPLIED;
}

/* The arguments are in place: calls the handler. */
static int dispatch(struct fs_session *session, struct fs_request *request)
{
	const struct operation *operation;
	uint64_t length = request->chain->reader.left_bytes;

	if (request->header.opcode >= array_size(operations) ||
		!operations[request->header.opcode].serve)
		return -ENOSYS;
	operation = &operations[request->header.opcode];
	if (request->header.len != sizeof(request->header) + length ||
		length < operation->least_bytes)
		return -EINVAL;
	if (operation->has_data)
		length = operation->least_bytes;
	if (length > sizeof(session->arguments))
		return -E2BIG;
	request->argument_bytes = (uint32_t)length;
	if (chain_read(request->chain, session->arguments, request->argument_bytes) < 0)
		return -EINVAL;
	return operation->serve(request);
}

void fs_serve(struct fs_session *session, struct chain *chain)
{
	struct fs_request request = {
		.session = session,
		.share = session->share,
		.chain = chain,
		.arguments = session->arguments,
		.reply = session->reply,
	};
	int r;

	if (chain_read(chain, &request.header, sizeof(request.header)) < 0)
		return;
	share_begin(session->share);
	r = dispatch(session, &request);
	if (r == FS_NO_REPLY || r == FS_REPLIED)
		return;
	if (r >= 0)
		r = write_reply(&request, 0, (uint32_t)r);
	/* Without room for an error there is nothing to say. */
	if (r < 0)
		(void)!write_reply(&request, r, 0);
}

const char *fs_string(const struct fs_request *request, size_t offset)
{
	if (offset >= request->argument_bytes ||
		!memchr(request->arguments + offset, '\0', request->argument_bytes - offset))
		return NULL;
	return (const char *)request->arguments + offset;
}

/* As Linux's new_encode_dev. */
static uint32_t encode_device(dev_t device)
{
	return (uint32_t)((device & 0xff) | (device >> 8 & 0xfff) << 8 |
			  (device >> 12 & 0xfff00000));
}

static void fill_attributes(struct fuse_attr *out, const struct stat *stat)
{
	*out = (struct fuse_attr){
		.ino = stat->st_ino,
		.size = (uint64_t)stat->st_size,
		.blocks = (uint64_t)stat->st_blocks,
		.atime = (uint64_t)stat->st_atim.tv_sec,
		.mtime = (uint64_t)stat->st_mtim.tv_sec,
		.ctime = (uint64_t)stat->st_ctim.tv_sec,
		.atimensec = (uint32_t)stat->st_atim.tv_nsec,
		.mtimensec = (uint32_t)stat->st_mtim.tv_nsec,
		.ctimensec = (uint32_t)stat->st_ctim.tv_nsec,
		.mode = stat->st_mode,
		.nlink = (uint32_t)stat->st_nlink,
		.uid = stat->st_uid,
		.gid = stat->st_gid,
		.rdev = encode_device(stat->st_rdev),
		.blksize = (uint32_t)stat->st_blksize,
	};
}

void fs_fill_entry(struct fuse_entry_out *out, const struct share_entry *entry)
{
	*out = (struct fuse_entry_out){
		.nodeid = entry->node,
		.generation = entry->generation,
		.entry_valid = VALID_SECONDS,
		.attr_valid = VALID_SECONDS,
	};
	fill_attributes(&out->attr, &entry->stat);
}

int fs_reply_entry(struct fs_request *request, const struct share_entry *entry)
{
	fs_fill_entry(request->reply, entry);
	return sizeof(struct fuse_entry_out);
}

int fs_reply_attributes(struct fs_request *request, uint64_t node)
{
	struct fuse_attr_out *out = request->reply;
	struct stat stat;
	int r = share_stat(request->share, node, &stat);

	if (r < 0)
		return r;
	*out = (struct fuse_attr_out){.attr_valid = VALID_SECONDS};
	fill_attributes(&out->attr, &stat);
	return sizeof(*out);
}
