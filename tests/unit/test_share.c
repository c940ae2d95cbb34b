/* A shared directory against real files: what it does, and what it never reaches. */
#include "cmocka_all.h"
#include "share.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define SWAP_ROUNDS 20000

static const struct share_owner nobody = {0, 0};

#define new_file(mode, flags) (&(const struct share_new){mode, flags, &nobody})

struct fixture {
	char directory[32];
	int host; /* the directory that holds `in`, which is shared, and `out`, which is not */
	struct share *share;
};

static void write_file(int directory, const char *name, const char *bytes)
{
	int fd = openat(directory, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_int_equal(write(fd, bytes, strlen(bytes)), strlen(bytes));
	assert_int_equal(close(fd), 0);
}

static void open_share(struct fixture *fixture, bool read_only)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "%s/in", fixture->directory);
	assert_int_equal(share_open(path, read_only, &fixture->share, NULL), 0);
}

static void make(struct fixture *fixture)
{
	(void)snprintf(fixture->directory, sizeof(fixture->directory), "/tmp/share-XXXXXX");
	assert_non_null(mkdtemp(fixture->directory));
	fixture->host = open(fixture->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(fixture->host, "in", 0755), 0);
	assert_int_equal(mkdirat(fixture->host, "in/d", 0755), 0);
	assert_int_equal(mkdirat(fixture->host, "out", 0755), 0);
	write_file(fixture->host, "out/secret", "secret");
	write_file(fixture->host, "in/file", "hello");
	open_share(fixture, false);
}

static void finish(struct fixture *fixture)
{
	char command[64];

	share_close(fixture->share);
	(void)close(fixture->host);
	(void)snprintf(command, sizeof(command), "rm -rf %s", fixture->directory);
	assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c): a name of our own */
}

static uint64_t find(struct fixture *fixture, uint64_t parent, const char *name)
{
	struct share_entry entry;

	assert_int_equal(share_lookup(fixture->share, parent, name, &entry), 0);
	return entry.node;
}

static void refuses_names(void **state)
{
	struct fixture fixture;
	struct share_entry entry;
	uint64_t handle;
	char longest[SHARE_NAME_MAX + 2];
	const char *const bad[] = {"", ".", "..", "/", "d/", "../out", "d/../..", "/etc"};

	(void)state;
	make(&fixture);
	for (size_t i = 0; i < array_size(bad); i++) {
		struct share *share = fixture.share;
		const char *name = bad[i];

		assert_int_equal(share_lookup(share, SHARE_ROOT, name, &entry), -EINVAL);
		assert_int_equal(
			share_make(share, SHARE_ROOT, name, S_IFDIR | 0755, NULL, &nobody, &entry),
			-EINVAL);
		assert_int_equal(share_create(share, SHARE_ROOT, name, new_file(0644, O_RDWR),
					 &entry, &handle),
			-EINVAL);
		assert_int_equal(share_unlink(share, SHARE_ROOT, name, true), -EINVAL);
		assert_int_equal(
			share_rename(share, SHARE_ROOT, "file", SHARE_ROOT, name, 0), -EINVAL);
		assert_int_equal(share_link(share, SHARE_ROOT, SHARE_ROOT, name, &entry), -EINVAL);
	}
	memset(longest, 'n', sizeof(longest));
	longest[SHARE_NAME_MAX + 1] = '\0';
	assert_int_equal(share_lookup(fixture.share, SHARE_ROOT, longest, &entry), -ENAMETOOLONG);
	finish(&fixture);
}

static void refuses_forged_nodes(void **state)
{
	struct fixture fixture;
	struct share_entry entry;
	struct stat stat;
	uint64_t node, handle;

	(void)state;
	make(&fixture);
	node = find(&fixture, SHARE_ROOT, "file");
	assert_int_equal(find(&fixture, SHARE_ROOT, "file"), node);
	assert_int_equal(share_lookup(fixture.share, node, "x", &entry), -ENOTDIR);
	assert_int_equal(share_open_node(fixture.share, node, false, O_RDONLY, &handle), 0);
	assert_int_equal(share_handle_fd(fixture.share, node, handle, true), -EBADF);
	assert_int_equal(share_handle_fd(fixture.share, SHARE_ROOT, handle, false), -EBADF);
	assert_int_equal(share_handle_fd(fixture.share, node, handle + 1, false), -EBADF);
	assert_int_equal(share_release(fixture.share, node, handle), 0);
	assert_int_equal(share_release(fixture.share, node, handle), -EBADF);
	assert_int_equal(share_stat(fixture.share, 0, &stat), -ESTALE);
	assert_int_equal(share_stat(fixture.share, node + 1, &stat), -ESTALE);
	assert_int_equal(share_stat(fixture.share, UINT64_MAX, &stat), -ESTALE);
	share_forget(fixture.share, node, 1);
	assert_int_equal(share_stat(fixture.share, node, &stat), 0);
	share_forget(fixture.share, node, UINT64_MAX);
	assert_int_equal(share_stat(fixture.share, node, &stat), -ESTALE);
	assert_true(find(&fixture, SHARE_ROOT, "file") != node);
	share_forget(fixture.share, SHARE_ROOT, UINT64_MAX);
	assert_int_equal(share_stat(fixture.share, SHARE_ROOT, &stat), 0);
	finish(&fixture);
}

static void opens_files_only(void **state)
{
	struct fixture fixture;
	struct share_entry entry;
	uint64_t node, handle;

	(void)state;
	make(&fixture);
	assert_int_equal(mkfifoat(fixture.host, "in/fifo", 0644), 0);
	assert_int_equal(symlinkat("../out/secret", fixture.host, "in/link"), 0);
	assert_int_equal(symlinkat("/", fixture.host, "in/up"), 0);
	node = find(&fixture, SHARE_ROOT, "fifo");
	assert_int_equal(share_open_node(fixture.share, node, false, O_RDWR, &handle), -ENXIO);
	node = find(&fixture, SHARE_ROOT, "link");
	assert_int_equal(share_open_node(fixture.share, node, false, O_RDONLY, &handle), -ENXIO);
	assert_int_equal(share_truncate(fixture.share, node, 0, 0), -EINVAL);
	assert_int_equal(share_chmod(fixture.share, node, 0777), -EOPNOTSUPP);
	assert_int_equal(share_create(fixture.share, SHARE_ROOT, "link", new_file(0644, O_RDWR),
				 &entry, &handle),
		-ENXIO);
	node = find(&fixture, SHARE_ROOT, "up");
	assert_int_equal(share_lookup(fixture.share, node, "etc", &entry), -ENOTDIR);
	assert_int_equal(share_make(fixture.share, SHARE_ROOT, "null", S_IFCHR | 0666, NULL,
				 &nobody, &entry),
		-EPERM);
	assert_int_equal(share_make(fixture.share, SHARE_ROOT, "nowhere", S_IFLNK | 0777, NULL,
				 &nobody, &entry),
		-EPERM);
	assert_int_equal(share_make(fixture.share, SHARE_ROOT, "disk", S_IFBLK | 0666, NULL,
				 &nobody, &entry),
		-EPERM);
	finish(&fixture);
}

static void does_what_files_do(void **state)
{
	struct fixture fixture;
	struct share_entry entry;
	struct share *share;
	uint64_t handle, other;
	char bytes[8];
	int fd;

	(void)state;
	make(&fixture);
	share = fixture.share;
	assert_int_equal(share_create(share, SHARE_ROOT, "new", new_file(0444, O_RDWR | O_APPEND),
				 &entry, &handle),
		0);
	assert_int_equal(entry.stat.st_uid, 0);
	fd = share_handle_fd(share, entry.node, handle, false);
	assert_true(fd >= 0);
	/* Unlinked and open, with its name another's. */
	assert_int_equal(pwrite(fd, "bytes", 5, 0), 5);
	assert_int_equal(share_rename(share, SHARE_ROOT, "file", SHARE_ROOT, "new", 0), 0);
	assert_true(find(&fixture, SHARE_ROOT, "new") != entry.node);
	assert_int_equal(share_truncate(share, entry.node, handle, 3), 0);
	assert_int_equal(share_open_node(share, entry.node, false, O_RDONLY, &other), 0);
	assert_int_equal(pread(share_handle_fd(share, entry.node, other, false), bytes, 8, 0), 3);
	assert_int_equal(share_stat(share, entry.node, &entry.stat), 0);
	assert_int_equal(entry.stat.st_nlink, 0);
	assert_int_equal(entry.stat.st_mode, S_IFREG | 0444);
	assert_int_equal(share_link(share, find(&fixture, SHARE_ROOT, "new"),
				 find(&fixture, SHARE_ROOT, "d"), "hard", &entry),
		0);
	assert_int_equal(entry.node, find(&fixture, SHARE_ROOT, "new"));
	assert_int_equal(
		share_rename(share, SHARE_ROOT, "d", SHARE_ROOT, "new", RENAME_NOREPLACE), -EEXIST);
	assert_int_equal(
		share_make(share, SHARE_ROOT, "sym", S_IFLNK, "target", &nobody, &entry), 0);
	assert_int_equal(share_read_link(share, entry.node, bytes, sizeof(bytes)), 6);
	assert_int_equal(share_unlink(share, SHARE_ROOT, "d", true), -ENOTEMPTY);
	finish(&fixture);
}

static void files_need_no_name(void **state)
{
	struct fixture fixture;
	struct share_entry entry, named;
	struct share *share;
	uint64_t handle;
	char bytes[8];
	int r;

	(void)state;
	make(&fixture);
	share = fixture.share;
	r = share_create_unnamed(share, find(&fixture, SHARE_ROOT, "d"),
		new_file(0640, O_RDWR | O_TRUNC), &entry, &handle);
	if (r == -EOPNOTSUPP) {
		finish(&fixture);
		skip();
	}
	assert_int_equal(r, 0);
	assert_int_equal(entry.stat.st_mode, S_IFREG | 0640);
	assert_int_equal(entry.stat.st_nlink, 0);
	assert_int_equal(
		pwrite(share_handle_fd(share, entry.node, handle, false), "bytes", 5, 0), 5);
	assert_int_equal(share_link(share, entry.node, SHARE_ROOT, "named", &named), 0);
	assert_int_equal(named.node, entry.node);
	assert_int_equal(named.stat.st_nlink, 1);
	assert_int_equal(share_release(share, entry.node, handle), 0);
	share_forget(share, entry.node, 2);
	named.node = find(&fixture, SHARE_ROOT, "named");
	assert_int_equal(share_open_node(share, named.node, false, O_RDONLY, &handle), 0);
	assert_int_equal(pread(share_handle_fd(share, named.node, handle, false), bytes, 8, 0), 5);
	/* One that may have none. */
	assert_int_equal(share_create_unnamed(share, SHARE_ROOT, new_file(0600, O_WRONLY | O_EXCL),
				 &entry, &handle),
		0);
	assert_int_equal(share_link(share, entry.node, SHARE_ROOT, "never", &named), -ENOENT);
	assert_int_equal(
		share_create_unnamed(share, named.node, new_file(0600, O_RDWR), &entry, &handle),
		-ENOTDIR);
	finish(&fixture);
}

static void read_only_stays(void **state)
{
	struct fixture fixture;
	struct share_entry entry;
	const struct timespec times[2] = {{0}};
	struct share *share;
	uint64_t node, handle;

	(void)state;
	make(&fixture);
	share_close(fixture.share);
	open_share(&fixture, true);
	share = fixture.share;
	node = find(&fixture, SHARE_ROOT, "file");
	assert_int_equal(share_open_node(share, node, false, O_RDWR, &handle), -EROFS);
	assert_int_equal(share_open_node(share, node, false, O_TRUNC, &handle), -EROFS);
	assert_int_equal(
		share_create(share, SHARE_ROOT, "x", new_file(0644, 0), &entry, &handle), -EROFS);
	assert_int_equal(
		share_create_unnamed(share, SHARE_ROOT, new_file(0644, O_RDWR), &entry, &handle),
		-EROFS);
	assert_int_equal(
		share_make(share, SHARE_ROOT, "x", S_IFDIR, NULL, &nobody, &entry), -EROFS);
	assert_int_equal(share_link(share, node, SHARE_ROOT, "x", &entry), -EROFS);
	assert_int_equal(share_unlink(share, SHARE_ROOT, "file", false), -EROFS);
	assert_int_equal(share_rename(share, SHARE_ROOT, "file", SHARE_ROOT, "x", 0), -EROFS);
	assert_int_equal(share_chmod(share, node, 0), -EROFS);
	assert_int_equal(share_chown(share, node, 0, 0), -EROFS);
	assert_int_equal(share_truncate(share, node, 0, 0), -EROFS);
	assert_int_equal(share_set_times(share, node, times), -EROFS);
	assert_int_equal(share_set_xattr(share, node, "user.a", "b", 1, 0), -EROFS);
	assert_int_equal(share_remove_xattr(share, node, "user.a"), -EROFS);
	assert_int_equal(share_open_node(share, node, false, O_RDONLY, &handle), 0);
	finish(&fixture);
}

static void xattrs_are_the_users(void **state)
{
	struct fixture fixture;
	char bytes[256];
	uint64_t node;
	int r;

	(void)state;
	make(&fixture);
	node = find(&fixture, SHARE_ROOT, "file");
	assert_int_equal(share_set_xattr(fixture.share, node, "security.capability", "x", 1, 0),
		-EOPNOTSUPP);
	assert_int_equal(share_get_xattr(fixture.share, node, "trusted.x", bytes, 8), -EOPNOTSUPP);
	r = share_set_xattr(fixture.share, node, "user.a", "value", 5, 0);
	if (r == 0) {
		assert_int_equal(share_get_xattr(fixture.share, node, "user.a", NULL, 0), 5);
		assert_int_equal(share_list_xattr(fixture.share, node, bytes, sizeof(bytes)), 7);
		assert_int_equal(share_remove_xattr(fixture.share, node, "user.a"), 0);
	} else {
		assert_int_equal(r, -EOPNOTSUPP); /* not in every /tmp */
	}
	finish(&fixture);
}

struct swapper {
	int host;
	_Atomic bool stop;
};

static void *swap(void *context)
{
	struct swapper *swapper = context;

	while (!atomic_load(&swapper->stop))
		(void)renameat2(swapper->host, "in/d", swapper->host, "in/link", RENAME_EXCHANGE);
	return NULL;
}

/* A directory and a link to what is outside change places all the time. */
static void races_reach_nothing(void **state)
{
	struct fixture fixture;
	struct swapper swapper = {0};
	pthread_t thread;

	(void)state;
	make(&fixture);
	assert_int_equal(symlinkat("../out", fixture.host, "in/link"), 0);
	swapper.host = fixture.host;
	assert_int_equal(pthread_create(&thread, NULL, swap, &swapper), 0);
	for (unsigned int i = 0; i < SWAP_ROUNDS; i++) {
		struct share_entry entry, secret;

		if (share_lookup(fixture.share, SHARE_ROOT, "d", &entry) < 0)
			continue;
		assert_true(share_lookup(fixture.share, entry.node, "secret", &secret) < 0);
		share_forget(fixture.share, entry.node, 1);
	}
	atomic_store(&swapper.stop, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	finish(&fixture);
}

struct fenced {
	const struct fixture *fixture;
	int result;
};

/* The share on a thread behind its fence: all of it works, and nothing else can be opened. */
static void *work_fenced(void *context)
{
	struct fenced *fenced = context;
	struct share *share = fenced->fixture->share;
	struct share_entry directory, entry, unnamed;
	uint64_t handle;

	fenced->result = share_fence(&share, 1);
	if (fenced->result < 0)
		return NULL;
	assert_int_equal(open("/etc/passwd", O_RDONLY | O_CLOEXEC), -1);
	assert_int_equal(openat(fenced->fixture->host, "out/secret", O_RDONLY | O_CLOEXEC), -1);
	assert_int_equal(mkdirat(fenced->fixture->host, "out/new", 0700), -1);
	assert_int_equal(share_lookup(share, SHARE_ROOT, "d", &directory), 0);
	assert_int_equal(
		share_create(share, directory.node, "a", new_file(0644, O_RDWR), &entry, &handle),
		0);
	assert_int_equal(share_truncate(share, entry.node, 0, 10), 0);
	if (share_create_unnamed(
		    share, directory.node, new_file(0644, O_RDWR), &unnamed, &handle) == 0)
		assert_int_equal(share_link(share, unnamed.node, SHARE_ROOT, "u", &unnamed), 0);
	assert_int_equal(share_rename(share, directory.node, "a", SHARE_ROOT, "b", 0), 0);
	assert_int_equal(share_link(share, entry.node, directory.node, "c", &entry), 0);
	assert_int_equal(share_unlink(share, directory.node, "c", false), 0);
	assert_int_equal(share_unlink(share, SHARE_ROOT, "b", false), 0);
	assert_int_equal(share_open_node(share, entry.node, false, O_RDWR, &handle), 0);
	assert_int_equal(
		share_make(share, SHARE_ROOT, "f", S_IFIFO | 0600, NULL, &nobody, &entry), 0);
	assert_int_equal(share_open_node(share, SHARE_ROOT, true, 0, &handle), 0);
	return NULL;
}

static void a_fence_keeps_the_thread_in(void **state)
{
	struct fixture fixture;
	struct fenced fenced = {.fixture = &fixture};
	pthread_t thread;

	(void)state;
	make(&fixture);
	assert_int_equal(pthread_create(&thread, NULL, work_fenced, &fenced), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(fenced.result == 0 || fenced.result == -EOPNOTSUPP);
	assert_true(open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0); /* this one is not fenced */
	finish(&fixture);
}

#define MANY 300

/* So many directories "0", "1", ..., of which not all can have a descriptor. */
static void make_many(struct fixture *fixture, struct share_entry entries[MANY])
{
	const struct rlimit low = {128, 128};
	char name[16];

	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	make(fixture);
	for (unsigned int i = 0; i < MANY; i++) {
		(void)snprintf(name, sizeof(name), "%u", i);
		share_begin(fixture->share);
		assert_int_equal(share_make(fixture->share, SHARE_ROOT, name, S_IFDIR | 0755, NULL,
					 &nobody, &entries[i]),
			0);
	}
}

static int stat_result(struct fixture *fixture, const struct share_entry *entry)
{
	struct stat stat;
	int r;

	share_begin(fixture->share);
	r = share_stat(fixture->share, entry->node, &stat);
	if (r == 0)
		assert_int_equal(stat.st_ino, entry->stat.st_ino);
	return r;
}

static void nodes_outnumber_descriptors(void **state)
{
	static struct share_entry entries[MANY];
	struct share_entry deep = {.node = SHARE_ROOT}, again;
	struct fixture fixture;

	(void)state;
	make_many(&fixture, entries);
	for (unsigned int i = 0; i < MANY; i++)
		assert_int_equal(stat_result(&fixture, &entries[i]), 0);
	/* Gone by a request: still there for who knows it. Gone on the host: not found again. */
	share_begin(fixture.share);
	assert_int_equal(share_unlink(fixture.share, SHARE_ROOT, "7", true), 0);
	assert_int_equal(unlinkat(fixture.host, "in/8", AT_REMOVEDIR), 0);
	/* What has moved is found where it is now. */
	share_begin(fixture.share);
	assert_int_equal(
		share_rename(fixture.share, SHARE_ROOT, "9", entries[10].node, "new", 0), 0);
	share_begin(fixture.share);
	assert_int_equal(share_rename(fixture.share, SHARE_ROOT, "11", SHARE_ROOT, "12", 0), 0);
	for (unsigned int i = 13; i < MANY; i++)
		assert_int_equal(stat_result(&fixture, &entries[i]), 0);
	assert_int_equal(stat_result(&fixture, &entries[7]), 0);
	assert_int_equal(stat_result(&fixture, &entries[8]), -ESTALE);
	assert_int_equal(stat_result(&fixture, &entries[9]), 0);
	assert_int_equal(stat_result(&fixture, &entries[11]), 0);
	assert_int_equal(stat_result(&fixture, &entries[12]), 0);
	/* Looked up again, it is the same. */
	share_begin(fixture.share);
	assert_int_equal(share_lookup(fixture.share, SHARE_ROOT, "20", &again), 0);
	assert_int_equal(again.node, entries[20].node);
	for (unsigned int i = 0; i < 60; i++) {
		share_begin(fixture.share);
		assert_int_equal(share_make(fixture.share, deep.node, "deep", S_IFDIR | 0755, NULL,
					 &nobody, &deep),
			0);
	}
	for (unsigned int i = 13; i < MANY; i++)
		assert_int_equal(stat_result(&fixture, &entries[i]), 0);
	assert_int_equal(stat_result(&fixture, &deep), 0);
	finish(&fixture);
}

static void limits_are_errors(void **state)
{
	static struct share_entry entries[MANY];
	struct fixture fixture;
	struct share_entry entry;
	uint64_t handle;
	int r = 0;

	(void)state;
	make_many(&fixture, entries);
	for (unsigned int i = 0; r == 0 && i < MANY; i++) {
		share_begin(fixture.share);
		r = share_open_node(fixture.share, entries[i].node, true, 0, &handle);
	}
	assert_int_equal(r, -ENFILE);
	share_reset(fixture.share);
	/* Without share_begin no descriptor is let go of. */
	r = 0;
	for (unsigned int i = 0; r == 0 && i < MANY; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "%u", i);
		r = share_lookup(fixture.share, SHARE_ROOT, name, &entry);
	}
	assert_int_equal(r, -ENFILE);
	share_reset(fixture.share);
	assert_int_equal(share_lookup(fixture.share, SHARE_ROOT, "0", &entry), 0);
	finish(&fixture);
}

/* With / shared, the kernel's own views are names and no more. */
static void the_kernel_is_not_shared(void **state)
{
	struct share_entry entry, child;
	struct share *share = NULL;
	uint64_t handle;

	(void)state;
	assert_int_equal(share_open("/proc", true, &share, NULL), -EACCES);
	assert_int_equal(share_open("/", true, &share, NULL), 0);
	assert_int_equal(share_lookup(share, SHARE_ROOT, "proc", &entry), 0);
	assert_int_equal(share_lookup(share, entry.node, "self", &child), -EACCES);
	assert_int_equal(share_lookup(share, entry.node, "version", &child), -EACCES);
	assert_int_equal(share_open_node(share, entry.node, true, 0, &handle), -EACCES);
	assert_int_equal(share_lookup(share, SHARE_ROOT, "etc", &entry), 0);
	assert_int_equal(share_open_node(share, entry.node, true, 0, &handle), 0);
	share_close(share);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_kernel_is_not_shared),
		cmocka_unit_test(refuses_names),
		cmocka_unit_test(refuses_forged_nodes),
		cmocka_unit_test(opens_files_only),
		cmocka_unit_test(does_what_files_do),
		cmocka_unit_test(files_need_no_name),
		cmocka_unit_test(read_only_stays),
		cmocka_unit_test(xattrs_are_the_users),
		cmocka_unit_test(races_reach_nothing),
		cmocka_unit_test(a_fence_keeps_the_thread_in),
		cmocka_unit_test(nodes_outnumber_descriptors), /* the limit stays */
		cmocka_unit_test(limits_are_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
