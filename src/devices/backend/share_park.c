/* See share_internal.h: nodes without a descriptor. */
#include "share_internal.h"

#include "fd.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define DEPTH_MAX     512
#define REQUEST_NODES 8    /* more than one request can make or find again */
#define READS_MAX     1024 /* of directories, for one node: half a million names or more */
#define STEPS_MAX     4096 /* of a search for nodes to park, which goes on with the next request */

static bool can_park(struct share_node *node)
{
	const bool was_used = node->used;

	node->used = false;
	return node->fd >= 0 && !was_used && !node->kept && !node->handles;
}

void share_begin(struct share *share)
{
	for (unsigned int i = 0;
		i < STEPS_MAX && share->open_count + REQUEST_NODES > share->open_max; i++) {
		if (share->hand >= share->node_count)
			share->hand = 0;
		if (can_park(&share->nodes[share->hand]))
			share_detach(share, share->hand, SHARE_PARKED);
		share->hand++;
	}
}

bool share_has_room(const struct share *share)
{
	return share->open_count + REQUEST_NODES <= share->open_max;
}

/* An entry of a directory as a descriptor, if it is what the node was. */
static int open_if_same(int directory, const char *name, const struct share_node *node)
{
	cleanup_fd int fd = share_find(directory, name);
	struct stat stat;

	if (fd < 0)
		return fd;
	if (fstat(fd, &stat) != 0 || stat.st_ino != node->inode || stat.st_dev != node->device ||
		(stat.st_mode & S_IFMT) != node->type)
		return -ESTALE;
	return take_fd(&fd);
}

static int find_in(
	struct share *share, int directory, const struct share_node *node, unsigned int *reads)
{
	cleanup_fd int list = share_reopen(share, directory, O_RDONLY | O_DIRECTORY);
	ssize_t length;

	if (list < 0)
		return list;
	while ((*reads)++ < READS_MAX &&
		(length = getdents64(list, share->entries, sizeof(share->entries))) > 0) {
		const struct dirent64 *entry;

		for (ssize_t at = 0; at < length; at += entry->d_reclen) {
			int fd;

			entry = (const void *)(share->entries + at);
			if (entry->d_ino != node->inode)
				continue;
			fd = open_if_same(directory, entry->d_name, node);
			if (fd >= 0)
				return fd;
		}
	}
	return -ESTALE;
}

int share_unpark(struct share *share, uint32_t index)
{
	uint32_t parked[DEPTH_MAX]; /* the node and the directories above it, up to an open one */
	unsigned int count = 0;
	cleanup_fd int held = -1;
	unsigned int reads = 0;
	const struct share_node *at = &share->nodes[index];
	int directory;

	while (at->fd == SHARE_PARKED) {
		if (count == DEPTH_MAX)
			return -ESTALE;
		parked[count++] = (uint32_t)(at - share->nodes);
		at = share_known(share, at->parent);
		if (!at || at->type != S_IFDIR || at->closed)
			return -ESTALE;
	}
	for (directory = at->fd; count; directory = held) {
		int fd = find_in(share, directory, &share->nodes[parked[--count]], &reads);

		fd_close(&held);
		if (fd < 0)
			return fd;
		held = fd;
	}
	return share_attach(share, index, take_fd(&held));
}

int share_keep(struct share *share, int directory, const char *name)
{
	struct stat stat;
	uint32_t index;
	int r = 0;

	if (fstatat(directory, name, &stat, AT_SYMLINK_NOFOLLOW) != 0)
		return 0; /* then there is nothing that goes */
	index = share_find_known(share, &stat);
	if (index == SHARE_NONE)
		return 0;
	if (share->nodes[index].fd == SHARE_PARKED) {
		r = open_if_same(directory, name, &share->nodes[index]);
		if (r >= 0)
			r = share_attach(share, index, r);
	}
	share->nodes[index].kept = r == 0;
	return r;
}

void share_moved(struct share *share, uint64_t parent, int directory, const char *name)
{
	struct stat stat;
	uint32_t index;

	if (fstatat(directory, name, &stat, AT_SYMLINK_NOFOLLOW) != 0)
		return;
	index = share_find_known(share, &stat);
	if (index != SHARE_NONE)
		share->nodes[index].parent = parent;
}
