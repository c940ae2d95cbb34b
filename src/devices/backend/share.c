/* See share.h: the table of nodes. */
#include "share_internal.h"

#include "fd.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#define NODES_LIMIT  (1u << 20)
#define NODES_FACTOR 256        /* for each file that may be open, at most */
#define OPEN_LIMIT   (1u << 18) /* nodes with a descriptor */
#define FILES_LEAST  64

static uint64_t make_id(uint32_t generation, uint32_t index)
{
	return (uint64_t)generation << 32 | (index + 1);
}

struct share_node *share_known(struct share *share, uint64_t node)
{
	const uint32_t index = (uint32_t)node - 1;

	if (index >= share->node_count || share->nodes[index].fd == SHARE_FREE ||
		share->nodes[index].generation != node >> 32)
		return NULL;
	return &share->nodes[index];
}

struct share_node *share_node(struct share *share, uint64_t node)
{
	struct share_node *found = share_known(share, node);

	if (!found || (found->fd == SHARE_PARKED && share_unpark(share, (uint32_t)node - 1) < 0))
		return NULL;
	found->used = true;
	return found;
}

int share_directory(struct share *share, uint64_t node)
{
	const struct share_node *found = share_node(share, node);

	if (!found)
		return -ESTALE;
	if (found->closed)
		return -EACCES;
	return found->type == S_IFDIR ? found->fd : -ENOTDIR;
}

int share_check_name(const char *name)
{
	const size_t length = strlen(name);

	if (length > SHARE_NAME_MAX)
		return -ENAMETOOLONG;
	if (!length || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strchr(name, '/'))
		return -EINVAL;
	return 0;
}

const char *share_fd_name(int fd, char name[SHARE_FD_NAME_BYTES])
{
	(void)snprintf(name, SHARE_FD_NAME_BYTES, "%d", fd);
	return name;
}

/* EAGAIN comes from renames anywhere on the host, while ".." is not even used. */
int share_find(int directory, const char *name)
{
	const struct open_how how = {
		.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	int r = share_check_name(name);
	long fd = -1;

	for (unsigned int tries = 0; r == 0 && tries < 16; tries++) {
		fd = syscall(SYS_openat2, directory, name, &how, sizeof(how));
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	if (r < 0)
		return r;
	return fd >= 0 ? (int)fd : share_errno(errno);
}

void share_show_ids(const struct share *share, struct stat *stat)
{
	if (!share->privileged && stat->st_uid == share->user)
		stat->st_uid = 0;
	if (!share->privileged && stat->st_gid == share->group)
		stat->st_gid = 0;
}

/* --- The table. --- */

static uint32_t *bucket_of(const struct share *share, dev_t device, ino_t inode)
{
	const uint64_t mixed = ((uint64_t)inode ^ (uint64_t)device << 40) *
	                       UINT64_C(0x9e3779b97f4a7c15);

	return &share->buckets[(mixed >> 32) % share->nodes_max];
}

/* A parked node's number may have become that of something else. */
static bool is_of(const struct share_node *node, const struct stat *stat)
{
	return node->inode == stat->st_ino && node->device == stat->st_dev &&
	       node->type == (stat->st_mode & S_IFMT);
}

uint32_t share_find_known(const struct share *share, const struct stat *stat)
{
	uint32_t link = *bucket_of(share, stat->st_dev, stat->st_ino);

	while (link && !is_of(&share->nodes[link - 1], stat))
		link = share->nodes[link - 1].next;
	return link ? link - 1 : SHARE_NONE;
}

int share_attach(struct share *share, uint32_t index, int fd)
{
	if (share->open_count >= share->open_max) {
		fd_close(&fd);
		return -ENFILE;
	}
	share->nodes[index].fd = fd;
	share->open_count++;
	return 0;
}

void share_detach(struct share *share, uint32_t index, int state)
{
	if (share->nodes[index].fd >= 0) {
		fd_close(&share->nodes[index].fd);
		share->open_count--;
	}
	share->nodes[index].fd = state;
}

/* Files there are no data: /proc/self/mem is Hull's memory, and /proc/PID/environ anybody's. A
 * guest that has / has mounts of its own over them, but need not ask by way of its mounts. */
static bool is_kernel_itself(int fd)
{
	static const uint32_t kinds[] = {PROC_SUPER_MAGIC, SYSFS_MAGIC, DEBUGFS_MAGIC,
		TRACEFS_MAGIC, SECURITYFS_MAGIC, SELINUX_MAGIC, SMACK_MAGIC, BPF_FS_MAGIC,
		CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, EFIVARFS_MAGIC, PSTOREFS_MAGIC,
		DEVPTS_SUPER_MAGIC, BINFMTFS_MAGIC, NSFS_MAGIC, 0x7655821 /* resctrl */,
		0x62656570 /* configfs */, 0x65735543 /* fusectl */, 0x19800202 /* mqueue */,
		0x67596969 /* rpc_pipefs */};
	struct statfs statfs;

	if (fstatfs(fd, &statfs) != 0)
		return true;
	for (unsigned int i = 0; i < array_size(kinds); i++)
		if ((uint32_t)statfs.f_type == kinds[i])
			return true;
	return false;
}

static int add_node(struct share *share, int fd, const struct stat *stat, uint32_t *ret_index)
{
	uint32_t *bucket = bucket_of(share, stat->st_dev, stat->st_ino);
	uint32_t index = share->free_nodes;
	const bool closed = stat->st_dev != share->device && is_kernel_itself(fd);
	cleanup_fd int owned = fd;

	if (share->open_count >= share->open_max)
		return -ENFILE;
	if (index != SHARE_NONE)
		share->free_nodes = share->nodes[index].next;
	else if (share->node_count < share->nodes_max)
		index = share->node_count++;
	else
		return -ENFILE;
	share->nodes[index] = (struct share_node){
		.fd = take_fd(&owned),
		.generation = share->generation++,
		.next = *bucket,
		.type = stat->st_mode & S_IFMT,
		.closed = closed,
		.device = stat->st_dev,
		.inode = stat->st_ino,
	};
	*bucket = index + 1;
	*ret_index = index;
	share->open_count++;
	return 0;
}

static void remove_node(struct share *share, uint32_t index)
{
	struct share_node *node = &share->nodes[index];
	uint32_t *link = bucket_of(share, node->device, node->inode);

	while (*link != index + 1)
		link = &share->nodes[*link - 1].next;
	*link = node->next;
	share_detach(share, index, SHARE_FREE);
	node->next = share->free_nodes;
	share->free_nodes = index;
}

/* Where it is, in case that it is parked. On another device it is the root of a mount, which has
 * another number in its directory. */
static void place_node(
	struct share *share, struct share_node *node, uint64_t parent, const struct stat *stat)
{
	const struct share_node *directory = share_known(share, parent);

	node->parent = parent;
	node->kept = !directory || directory->device != stat->st_dev || !stat->st_nlink;
	node->used = true;
}

/* While a node has its descriptor the file's number cannot become another's. */
int share_enter(struct share *share, uint64_t parent, int fd, struct share_entry *ret_entry)
{
	cleanup_fd int owned = fd;
	uint32_t index;
	int r = 0;

	if (fstat(fd, &ret_entry->stat) != 0)
		return -errno;
	index = share_find_known(share, &ret_entry->stat);
	if (index == SHARE_NONE)
		r = add_node(share, take_fd(&owned), &ret_entry->stat, &index);
	else if (share->nodes[index].fd == SHARE_PARKED)
		r = share_attach(share, index, take_fd(&owned));
	if (r < 0)
		return r;
	place_node(share, &share->nodes[index], parent, &ret_entry->stat);
	share->nodes[index].references++;
	ret_entry->generation = share->nodes[index].generation;
	ret_entry->node = make_id(share->nodes[index].generation, index);
	share_show_ids(share, &ret_entry->stat);
	return 0;
}

int share_lookup(
	struct share *share, uint64_t parent, const char *name, struct share_entry *ret_entry)
{
	const int directory = share_directory(share, parent);
	int fd;

	if (directory < 0)
		return directory;
	fd = share_find(directory, name);
	return fd < 0 ? fd : share_enter(share, parent, fd, ret_entry);
}

void share_forget(struct share *share, uint64_t node, uint64_t count)
{
	struct share_node *found = share_known(share, node);

	if (!found || node == SHARE_ROOT)
		return;
	found->references -= count < found->references ? count : found->references;
	if (!found->references)
		remove_node(share, (uint32_t)node - 1);
}

/* --- The share. --- */

static int choose_sizes(struct share *share, struct err *err)
{
	struct rlimit limit = {0}; /* as if there were none: it does not fail */
	rlim_t files;

	(void)getrlimit(RLIMIT_NOFILE, &limit);
	files = limit.rlim_cur;
	if (files < FILES_LEAST) {
		(void)err_set(err, EMFILE, "the limit of open files is too low");
		return -EMFILE;
	}
	share->nodes_max = files < NODES_LIMIT / NODES_FACTOR ? (uint32_t)files * NODES_FACTOR
	                                                      : NODES_LIMIT;
	/* An open file keeps the descriptor of its node, too: some are left for others. */
	share->open_max = files / 2 < OPEN_LIMIT ? (uint32_t)(files / 2) : OPEN_LIMIT;
	share->handles_max = share->open_max / 2;
	share->nodes = calloc(share->nodes_max, sizeof(share->nodes[0]));
	share->handles = calloc(share->handles_max, sizeof(share->handles[0]));
	share->buckets = calloc(share->nodes_max, sizeof(share->buckets[0]));
	if (!share->nodes || !share->handles || !share->buckets)
		return err_set(err, ENOMEM, "out of memory");
	return 0;
}

static int open_root(struct share *share, const char *path, struct err *err)
{
	struct share_entry entry;
	cleanup_fd int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_fd int probe = -1;
	int r;

	if (fd < 0)
		return err_set_errno(err, errno, "'%s'", path);
	share->processes = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (share->processes < 0)
		return err_set_errno(err, errno, "/proc/self/fd");
	probe = share_find(fd, "a");
	if (probe == -ENOSYS || probe == -EPERM)
		return err_set_errno(err, -probe, "openat2(2), which sharing a directory needs");
	if (is_kernel_itself(fd))
		return err_set(err, EACCES,
			"'%s' is a view of the kernel's, not of files: it cannot be shared", path);
	r = share_enter(share, 0, take_fd(&fd), &entry);
	share->device = share->nodes[0].device;
	return r < 0 ? err_set_errno(err, -r, "'%s'", path) : 0;
}

int share_open(const char *path, bool read_only, struct share **ret_share, struct err *err)
{
	struct share *share = calloc(1, sizeof(*share));
	int r;

	if (!share)
		return err_set(err, ENOMEM, "out of memory");
	*share = (struct share){
		.read_only = read_only,
		.privileged = geteuid() == 0,
		.user = geteuid(),
		.group = getegid(),
		.processes = -1,
		.free_nodes = SHARE_NONE,
		.free_handles = SHARE_NONE,
	};
	r = choose_sizes(share, err);
	if (r == 0)
		r = open_root(share, path, err);
	if (r < 0) {
		share_close(share);
		return r;
	}
	*ret_share = share;
	return 0;
}

void share_reset(struct share *share)
{
	for (uint32_t i = 0; i < share->handle_count; i++)
		if (share->handles[i].fd >= 0)
			(void)share_release(share, share->handles[i].node,
				make_id(share->handles[i].generation, i));
	for (uint32_t i = 1; i < share->node_count; i++)
		if (share->nodes[i].fd != SHARE_FREE)
			remove_node(share, i);
}

void share_close(struct share *share)
{
	if (!share)
		return;
	share_reset(share);
	if (share->node_count)
		share_detach(share, 0, SHARE_FREE);
	fd_close(&share->processes);
	free(share->nodes);
	free(share->handles);
	free(share->buckets);
	free(share);
}

bool share_is_read_only(const struct share *share)
{
	return share->read_only;
}
