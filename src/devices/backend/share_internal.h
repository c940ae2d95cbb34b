/*
 * What the sources of share.h have in common.
 */
#pragma once

#include "share.h"

#include <errno.h>
#include <sys/types.h>

#define SHARE_NONE   UINT32_MAX
#define SHARE_FREE   (-1)
#define SHARE_PARKED (-2)

/* With more nodes than there may be descriptors, those that have not been used for long are parked:
 * they are found again in the directory that they were last seen in. */
struct share_node {
	int fd; /* O_PATH, or one of the above */
	uint32_t generation;
	uint32_t next; /* in its bucket, or of those that are free */
	mode_t type;
	bool closed; /* of a file system that is the kernel itself: nothing of it is shared */
	bool kept;   /* cannot be parked: nobody would find it again */
	bool used;   /* since it was last looked at for parking */
	uint32_t handles;
	uint64_t parent;
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
	uint32_t *buckets; /* nodes_max of them: 0, or 1 + the first node's index */
	uint32_t node_count, nodes_max, free_nodes;
	uint32_t open_count, open_max;   /* nodes with a descriptor */
	uint32_t hand;                   /* the next one to be looked at for parking */
	_Alignas(8) char entries[32768]; /* of a directory that is searched */
	uint32_t handle_count, handles_max, free_handles;
};

#define SHARE_FD_NAME_BYTES 16

/* With its descriptor, until share_begin. NULL: forgotten, never given out, or not found again. */
struct share_node *share_node(struct share *share, uint64_t node);
/* Without; NULL: forgotten, or never given out. */
struct share_node *share_known(struct share *share, uint64_t node);
/* What is known by that name, if anything is; its node keeps its descriptor from now on, for the
 * name is about to go. */
must_check int share_keep(struct share *share, int directory, const char *name);
/* What is known by that name, if anything is, lies in that directory now. */
void share_moved(struct share *share, uint64_t parent, int directory, const char *name);
/* SHARE_NONE: it is not known. */
uint32_t share_find_known(const struct share *share, const struct stat *stat);
must_check int share_attach(struct share *share, uint32_t index, int fd); /* consumed */
void share_detach(struct share *share, uint32_t index, int state);
/* Gives a parked node a descriptor. */
must_check int share_unpark(struct share *share, uint32_t index);
/* Opens again what a descriptor (O_PATH) is open for. */
must_check int share_reopen(const struct share *share, int fd, int flags);
/* The node's descriptor: of a directory, else -ENOTDIR. */
must_check int share_directory(struct share *share, uint64_t node);
/* 0, or why it is not the name of something in a directory. */
must_check int share_check_name(const char *name);
/* One reference more to what fd is open for (O_PATH, consumed), which is in that directory. */
must_check int share_enter(
	struct share *share, uint64_t parent, int fd, struct share_entry *ret_entry);
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
