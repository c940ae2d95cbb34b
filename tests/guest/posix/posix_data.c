/* Reading, writing, holes, maps, room, and copies. */
#include "posix.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#define BLOCK 65536
#define PAGE  4096

static int new_file(const char *name, off_t size)
{
	int fd = open(name, O_RDWR | O_CREAT | O_EXCL, 0666);

	if (fd < 0 || ftruncate(fd, size) != 0)
		see(name, -1);
	return fd;
}

static void sparse(void)
{
	int fd = new_file("a", 16l * BLOCK);

	see("write", pwrite(fd, "x", 1, 8l * BLOCK));
	see("fsync", fsync(fd));
	see("data", lseek(fd, 0, SEEK_DATA) / BLOCK);
	see("hole", lseek(fd, 8l * BLOCK, SEEK_HOLE) / BLOCK);
	see("hole-first", lseek(fd, 0, SEEK_HOLE));
	see("data-behind", lseek(fd, 12l * BLOCK, SEEK_DATA));
	see("behind-end", lseek(fd, 17l * BLOCK, SEEK_HOLE));
	see("negative", lseek(fd, -1, SEEK_DATA));
	see("position", lseek(fd, 0, SEEK_CUR));
}

static void punched(void)
{
	char *bytes = malloc(4l * BLOCK);
	struct stat status;
	int fd = open("a", O_RDWR | O_CREAT, 0666);
	unsigned int zeros = 0;

	memset(bytes, 'x', 4l * BLOCK);
	see("write", write(fd, bytes, 4l * BLOCK));
	see("punch", fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, BLOCK, BLOCK));
	see("read", pread(fd, bytes, 4l * BLOCK, 0));
	for (long i = 0; i < 4l * BLOCK; i++)
		zeros += bytes[i] == 0;
	see_number("zeros", zeros);
	see("fsync", fsync(fd));
	see("hole", lseek(fd, 0, SEEK_HOLE));
	see("data", lseek(fd, BLOCK, SEEK_DATA));
	see("fstat", fstat(fd, &status));
	see_number("kib", status.st_blocks / 2);
	free(bytes);
}

static void reserved(void)
{
	struct stat status;
	int fd = open("a", O_RDWR | O_CREAT, 0666);

	see("grow", fallocate(fd, 0, 0, BLOCK));
	see_file("a");
	see("keep", fallocate(fd, FALLOC_FL_KEEP_SIZE, BLOCK, BLOCK));
	see_file("a");
	see("fstat", fstat(fd, &status));
	see_number("kib", status.st_blocks / 2);
	see("posix", posix_fallocate(fd, 3l * BLOCK, 1));
	see_file("a");
	see("negative", fallocate(fd, 0, -1, 1));
	see("empty", fallocate(fd, 0, 0, 0));
	see("read-only", fallocate(open("a", O_RDONLY), 0, 0, 1));
	see("punch-without-keep", fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, PAGE));
	see("zero", fallocate(fd, FALLOC_FL_ZERO_RANGE, 0, PAGE));
	see_file("a");
}

static void map_shared(void)
{
	char bytes[8] = "";
	int fd = new_file("a", 2l * PAGE);
	char *map = mmap(NULL, 2l * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (see("mmap", map == MAP_FAILED ? -1 : 0) < 0)
		return;
	see("write", pwrite(fd, "file", 4, 10));
	see_words("map", map + 10);
	memcpy(map + 5000, "map", 3);
	see("read", pread(fd, bytes, 4, 5000));
	see_words("file", bytes);
	see("msync", msync(map, 2l * PAGE, MS_SYNC));
	see("munmap", munmap(map, 2l * PAGE));
	memset(bytes, 0, sizeof(bytes));
	see("read", pread(open("a", O_RDONLY), bytes, 4, 5000));
	see_words("again", bytes);
}

static void map_private(void)
{
	char bytes[8] = "";
	int fd = new_file("a", PAGE);
	char *map;

	see("write", pwrite(fd, "file", 4, 0));
	map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (see("mmap", map == MAP_FAILED ? -1 : 0) < 0)
		return;
	see_words("map", map);
	memcpy(map, "mine", 4);
	see("read", pread(fd, bytes, 4, 0));
	see_words("file", bytes);
	see_words("map", map);
}

static char *shared_map(int fd)
{
	return mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

static void write_to_map(void)
{
	char *map = shared_map(open("a", O_RDWR));

	memcpy(map, "child", 5);
}

static void map_between_processes(void)
{
	char *map = shared_map(new_file("a", PAGE));

	see("child", in_child(write_to_map));
	see_words("map", map);
	see("unlink", unlink("a"));
	memcpy(map, "after", 5);
	see("msync", msync(map, PAGE, MS_SYNC));
	see_words("map", map);
}

static void map_rights(void)
{
	int fd = new_file("a", PAGE), reader = open("a", O_RDONLY);

	see("write", mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, reader, 0) == MAP_FAILED ? -1 : 0);
	see("read", mmap(NULL, PAGE, PROT_READ, MAP_SHARED, reader, 0) == MAP_FAILED ? -1 : 0);
	see("private", mmap(NULL, PAGE, PROT_WRITE, MAP_PRIVATE, reader, 0) == MAP_FAILED ? -1 : 0);
	see("close", close(fd));
	see("executable",
		mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, reader, 0) == MAP_FAILED ? -1
											      : 0);
}

/* Pieces of odd lengths at odd places, seen through another descriptor. */
static void odd_pieces(void)
{
	static char written[300000], back[300000];
	int fd = new_file("a", 0), other = open("a", O_RDONLY);
	size_t at = 0;

	for (size_t i = 0; i < sizeof(written); i++)
		written[i] = (char)(i * 7 + i / 251);
	for (size_t length = 1; at + length <= sizeof(written); length = length * 3 + 1) {
		if (pwrite(fd, written + at, length, (off_t)at) != (ssize_t)length)
			see("write", -1);
		at += length;
	}
	see_number("bytes", (long long)at);
	see("read", pread(other, back, sizeof(back), 0));
	see_number("differs", memcmp(written, back, at));
	see("beyond", pread(other, back, 10, 1 << 20));
	see("at-the-end", pread(other, back, 10, (off_t)at - 4));
}

static void vectors(void)
{
	char first[3] = "", second[5] = "";
	struct iovec out[] = {{(void *)(uintptr_t) "abc", 3}, {(void *)(uintptr_t) "defgh", 5}};
	struct iovec in[] = {{first, 2}, {second, 4}};
	int fd = new_file("a", 0);

	see("writev", writev(fd, out, 2));
	see("preadv", preadv(fd, in, 2, 1));
	see_words("first", first);
	see_words("second", second);
	see("pwritev2", pwritev2(fd, out, 2, -1, RWF_APPEND));
	see_file("a");
}

static void large_transfers(void)
{
	const size_t size = 5u << 20;
	char *bytes = malloc(size), *back = malloc(size);
	int fd = new_file("a", 0);

	for (size_t i = 0; i < size; i++)
		bytes[i] = (char)(i >> 9);
	see("write", write(fd, bytes, size));
	see("fdatasync", fdatasync(fd));
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	see("read", pread(fd, back, size, 0));
	see_number("differs", memcmp(bytes, back, size));
	free(bytes);
	free(back);
}

static void copies(void)
{
	off_t from = 2, to = 5;
	int a, b;

	put_file("a", "0123456789");
	put_file("b", "abcdefghijklmnop");
	a = open("a", O_RDWR);
	b = open("b", O_RDWR);
	see("copy", copy_file_range(a, &from, b, &to, 4, 0));
	see_number("from", from);
	see_number("to", to);
	see_content("b");
	see("flags", copy_file_range(a, NULL, b, NULL, 4, 1));
	from = 0;
	to = 4;
	see("same-apart", copy_file_range(a, &from, a, &to, 4, 0));
	see_content("a");
	from = 0;
	to = 2;
	see("same-overlapping", copy_file_range(a, &from, a, &to, 4, 0));
	see("directory", copy_file_range(open(".", O_RDONLY), NULL, b, NULL, 4, 0));
	see("read-only", copy_file_range(a, NULL, open("b", O_RDONLY), NULL, 4, 0));
	from = 1;
	see("sendfile", sendfile(b, a, &from, 3));
	see_content("b");
}

static void synchronising(void)
{
	int fd = new_file("a", 10), directory = open(".", O_RDONLY);

	see("fsync", fsync(fd));
	see("fdatasync", fdatasync(fd));
	see("read-only", fsync(open("a", O_RDONLY)));
	see("directory", fsync(directory));
	see("range", sync_file_range(fd, 0, 10, SYNC_FILE_RANGE_WRITE));
	see("syncfs", syncfs(fd));
}

static void limits(void)
{
	void *nowhere = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = new_file("a", 0);

	see("offset", pwrite(fd, "x", 1, INT64_MAX));
	see("negative", pwrite(fd, "x", 1, -1));
	see("nothing", write(fd, "x", 0));
	see("bad-address", write(fd, nowhere, 1));
	see("read", pread(fd, nowhere, 1, 0));
	see("write", pwrite(fd, "x", 1, 0));
	see("read-bad-address", pread(fd, nowhere, 1, 0));
	see_file("a");
}

static void space(void)
{
	struct statvfs status, elsewhere;

	see("statvfs", statvfs(".", &status));
	see("elsewhere", statvfs(posix_elsewhere, &elsewhere));
	see_number("frsize", (long long)status.f_frsize);
	see_number("namemax", (long long)status.f_namemax);
	see_number("has-room", status.f_bavail > 0 && status.f_bavail <= status.f_bfree &&
				       status.f_bfree <= status.f_blocks);
	see_number("has-inodes", status.f_ffree > 0 && status.f_ffree <= status.f_files);
}

static const struct posix_check checks[] = {
	{"data-sparse", sparse},
	{"data-punched", punched},
	{"data-reserved", reserved},
	{"data-map-shared", map_shared},
	{"data-map-private", map_private},
	{"data-map-between-processes", map_between_processes},
	{"data-map-rights", map_rights},
	{"data-odd-pieces", odd_pieces},
	{"data-vectors", vectors},
	{"data-large-transfers", large_transfers},
	{"data-copies", copies},
	{"data-synchronising", synchronising},
	{"data-limits", limits},
	{"data-space", space},
};

POSIX_GROUP(posix_data_group, checks);
