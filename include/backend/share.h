/*
 * A directory of the host's, given to somebody who is not trusted: files by numbers, names one
 * component at a time. Nothing above the directory can be reached: a name is looked up in a
 * directory that is held open, never through a path, and no link is followed. What is neither a
 * regular file nor a directory can be seen but not opened.
 *
 * Memory is reserved at creation. Numbers of nodes and handles that were forgotten or made up are
 * -ESTALE and -EBADF. One thread at a time; calls block as the host's file system does. All return
 * -errno on failure. A read-only share refuses every change with -EROFS.
 *
 * Ids: as root they pass unchanged; else the caller's own user and group are 0 on the other side.
 */
#pragma once

#include "compiler.h"
#include "err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/uio.h>

#define SHARE_ROOT     UINT64_C(1)
#define SHARE_NAME_MAX 255

struct share;

/* -ENOSYS: the host has no openat2(2), or forbids it. */
must_check int share_open(
	const char *path, bool read_only, struct share **ret_share, struct err *err);
void share_close(struct share *share); /* NULL is accepted */
/* Only the root is known any more, and no handle. */
void share_reset(struct share *share);

/* Before each request that is served: what has not been used for long is let go of, so that nodes
 * may be more than descriptors. */
void share_begin(struct share *share);
/* Another node can be had without that. */
bool share_has_room(const struct share *share);

/* From now on the calling thread opens, makes and removes nothing but what these shares have in
 * them, whatever share.h does. -EOPNOTSUPP: the kernel cannot do it, and nothing has changed. */
must_check int share_fence(struct share *const *shares, unsigned int count);

struct share_entry {
	uint64_t node;
	uint64_t generation;
	struct stat stat; /* ids as the other side sees them */
};

/* Who asks, for what is made. */
struct share_owner {
	uint32_t user, group;
};

/* --- Nodes: each entry that is handed out is one reference, which share_forget drops. --- */

must_check int share_lookup(
	struct share *share, uint64_t parent, const char *name, struct share_entry *ret_entry);
void share_forget(struct share *share, uint64_t node, uint64_t count);
must_check int share_stat(struct share *share, uint64_t node, struct stat *ret_stat);
/* Bytes; no NUL is added. */
must_check ssize_t share_read_link(struct share *share, uint64_t node, char *buffer, size_t size);
struct statvfs;
must_check int share_statfs(struct share *share, uint64_t node, struct statvfs *ret_statfs);

#define SHARE_NO_ID UINT32_MAX

must_check int share_chmod(struct share *share, uint64_t node, mode_t mode);
must_check int share_chown(struct share *share, uint64_t node, uint32_t user, uint32_t group);
must_check int share_set_times(struct share *share, uint64_t node, const struct timespec times[2]);
/* handle: 0, or one of the node's that was opened for writing. */
must_check int share_truncate(struct share *share, uint64_t node, uint64_t handle, int64_t size);

/* mode: with its type. Devices are -EPERM, as is a symbolic link without a target. target: NULL of
 * anything else. */
must_check int share_make(struct share *share, uint64_t parent, const char *name, mode_t mode,
	const char *target, const struct share_owner *owner, struct share_entry *ret_entry);
must_check int share_link(struct share *share, uint64_t node, uint64_t parent, const char *name,
	struct share_entry *ret_entry);
must_check int share_unlink(struct share *share, uint64_t parent, const char *name, bool directory);
/* flags: RENAME_NOREPLACE, RENAME_EXCHANGE. */
must_check int share_rename(struct share *share, uint64_t parent, const char *name,
	uint64_t new_parent, const char *new_name, unsigned int flags);

/* Names that begin with "user." only; others: -EOPNOTSUPP. size 0: how many bytes there are. */
must_check int share_set_xattr(struct share *share, uint64_t node, const char *name,
	const void *value, size_t size, int flags);
must_check ssize_t share_get_xattr(
	struct share *share, uint64_t node, const char *name, void *value, size_t size);
must_check ssize_t share_list_xattr(struct share *share, uint64_t node, char *names, size_t size);
must_check int share_remove_xattr(struct share *share, uint64_t node, const char *name);

/* --- Handles: open files and directories. --- */

/* flags: as of open(2); others than those for reading, writing, truncating and synchronous writing
 * are left out. */
must_check int share_open_node(
	struct share *share, uint64_t node, bool directory, int flags, uint64_t *ret_handle);
/* A regular file to be made and opened. */
struct share_new {
	mode_t mode;
	int flags; /* as of share_open_node, and O_EXCL */
	const struct share_owner *owner;
};
/* Opens one that exists unless O_EXCL is in the flags. */
must_check int share_create(struct share *share, uint64_t parent, const char *name,
	const struct share_new *new, struct share_entry *ret_entry, uint64_t *ret_handle);
/* It has no name until share_link gives it one, which O_EXCL forbids. -EOPNOTSUPP: the host's file
 * system has no such files. */
must_check int share_create_unnamed(struct share *share, uint64_t parent,
	const struct share_new *new, struct share_entry *ret_entry, uint64_t *ret_handle);
int share_release(struct share *share, uint64_t node, uint64_t handle);
/* The descriptor behind it, for as long as the handle: of a regular file or of a directory as
 * named. It never has O_APPEND, which can be switched on and off: see RWF_APPEND. */
must_check int share_handle_fd(struct share *share, uint64_t node, uint64_t handle, bool directory);

bool share_is_read_only(const struct share *share);
