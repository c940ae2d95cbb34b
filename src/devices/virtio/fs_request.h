/*
 * One FUSE request of a guest's: a chain whose readable part is the request and whose writable part
 * takes the reply (VIRTIO 1.2 5.11.6, <linux/fuse.h>). What is not well formed is answered with an
 * error; nothing here breaks the device. One thread.
 */
#pragma once

#include "chain.h"
#include "share.h"

#include <linux/fuse.h>

#define FS_ARGUMENT_BYTES_MAX ((size_t)72 << 10) /* an attribute's value and its name */
#define FS_REPLY_BYTES_MAX    ((size_t)128 << 10)
#define FS_ENTRIES_BYTES      ((size_t)32 << 10)
#define FS_TRANSFER_BYTES_MAX (UINT32_C(1) << 20)
#define FS_PAGES_MAX          (FS_TRANSFER_BYTES_MAX / 4096)
/* Of a read FUSE bounds nothing but the pages, which are the guest's and have up to 64 KiB. */
#define FS_READ_BYTES_MAX (FS_PAGES_MAX * (UINT32_C(64) << 10))
#define FS_IOV_MAX        1024

struct fs_session {
	struct share *share; /* borrowed */
	_Alignas(8) uint8_t arguments[FS_ARGUMENT_BYTES_MAX];
	_Alignas(8) uint8_t reply[FS_REPLY_BYTES_MAX];
	_Alignas(8) uint8_t entries[FS_ENTRIES_BYTES];
	struct iovec iov[FS_IOV_MAX];
};

struct fs_request {
	struct fs_session *session;
	struct share *share;
	struct chain *chain;
	struct fuse_in_header header;
	const uint8_t *arguments; /* a copy, without the data of a write */
	uint32_t argument_bytes;
	void *reply; /* FS_REPLY_BYTES_MAX of them */
};

#define FS_MODE_BITS 07777u /* what a mode may hold beside its type */

/* What a handler returns instead of the length of its reply or -errno: */
#define FS_NO_REPLY (-0x10000) /* the request has none */
#define FS_REPLIED  (-0x10001) /* it is in the chain already, but for its header: see fs_finish */

/* Serves it: what there is to say is in the chain afterwards, which is to be pushed. */
void fs_serve(struct fs_session *session, struct chain *chain);

/* --- For the handlers. --- */

/* The first NUL-terminated string at an offset of the arguments; NULL: there is none. */
const char *fs_string(const struct fs_request *request, size_t offset);
/* As a reply. */
int fs_reply_entry(struct fs_request *request, const struct share_entry *entry);
void fs_fill_entry(struct fuse_entry_out *out, const struct share_entry *entry);
int fs_reply_attributes(struct fs_request *request, uint64_t node);
/* The header in front of length bytes that are in their place already. */
int fs_finish(struct fs_request *request, uint32_t length);
static inline struct share_owner fs_owner(const struct fs_request *request)
{
	return (struct share_owner){request->header.uid, request->header.gid};
}

/* fs_names.c */
int fs_lookup(struct fs_request *request);
int fs_forget(struct fs_request *request);
int fs_batch_forget(struct fs_request *request);
int fs_getattr(struct fs_request *request);
int fs_setattr(struct fs_request *request);
int fs_readlink(struct fs_request *request);
int fs_symlink(struct fs_request *request);
int fs_mknod(struct fs_request *request);
int fs_mkdir(struct fs_request *request);
int fs_unlink(struct fs_request *request);
int fs_rmdir(struct fs_request *request);
int fs_rename(struct fs_request *request);
int fs_rename2(struct fs_request *request);
int fs_link(struct fs_request *request);
int fs_statfs(struct fs_request *request);
int fs_setxattr(struct fs_request *request);
int fs_getxattr(struct fs_request *request);
int fs_listxattr(struct fs_request *request);
int fs_removexattr(struct fs_request *request);

/* fs_files.c */
int fs_open(struct fs_request *request);
int fs_opendir(struct fs_request *request);
int fs_create(struct fs_request *request);
int fs_tmpfile(struct fs_request *request);
int fs_release(struct fs_request *request);
int fs_read(struct fs_request *request);
int fs_write(struct fs_request *request);
int fs_fsync(struct fs_request *request);
int fs_fsyncdir(struct fs_request *request);
int fs_readdir(struct fs_request *request);
int fs_readdirplus(struct fs_request *request);
int fs_fallocate(struct fs_request *request);
int fs_lseek(struct fs_request *request);
int fs_copy_file_range(struct fs_request *request);
