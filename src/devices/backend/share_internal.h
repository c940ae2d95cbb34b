/*
 * What the sources of share.h have in common.
 */
#pragma once

#include "share.h"

#include <errno.h>
#include <sys/types.h>

#define SHARE_NONE UINT32_MAX

struct share_node {
	int fd; /* O_PATH; -1: free */
	uint32_t generation;
	uint32_t next; /* in its bucket, or of those that are free */
	mode_t type;
	bool closed; /* of a file system that is the kernel itself: nothing of it is shared */
	uint64_t references;
	dev_t device;
	ino_t inode;
};

struct share_handle {
	int fd; /* -1: free */
	uint32_t generation;
	uint32_t next; /* of those that are free */
	bool directory;
	uint64_t node;
};

struct share {
	dev_t device; /* of the root */
	bool read_only, privileged;
	uint32_t user, group; /* of Hull, when it has no privilege */
	int processes;        /* /proc/self/fd */
	uint32_t generation;  /* of what is handed out next */
	struct share_node *nodes;
	struct share_handle *handles;
	uint32_t *buckets; /* nodes_max of them */
	uint32_t node_count, nodes_max, free_nodes;
	uint32_t handle_count, handles_max, free_handles;
};

#define SHARE_FD_NAME_BYTES 16

/* NULL: forgotten, or never given out. */
struct share_node *share_node(struct share *share, uint64_t node);
/* The node's descriptor: of a directory, else -ENOTDIR. */
must_check int share_directory(struct share *share, uint64_t node);
/* 0, or why it is not the name of something in a directory. */
must_check int share_check_name(const char *name);
/* One reference more to what fd is open for (O_PATH, consumed). */
must_check int share_enter(struct share *share, int fd, struct share_entry *ret_entry);
/* O_PATH, of one component. */
must_check int share_find(int directory, const char *name);
/* The node's name in share->processes. */
const char *share_fd_name(int fd, char name[SHARE_FD_NAME_BYTES]);
void share_show_ids(const struct share *share, struct stat *stat);
/* Gives what was just made to its owner, with its final mode; fd: O_PATH or open. */
must_check int share_settle(
	struct share *share, int parent, int fd, mode_t mode, const struct share_owner *owner);
/* Limits reached are those of the share for whoever uses it. */
static inline int share_errno(int error)
{
	return error == EMFILE ? -ENFILE : -error;
}
