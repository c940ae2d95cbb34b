/* The archive as the kernel reads it: buffer-format.rst, by a reader of its own. */
#include "cmocka_all.h"
#include "cpio.h"

#include "fd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEADER_BYTES 110

struct entry {
	const char *name;
	unsigned int mode, number;
	const char *bytes;
	unsigned int length;
};

struct archive {
	char *bytes;
	uint64_t size, at;
};

static struct archive read_archive(int fd, uint64_t size)
{
	struct archive archive = {.bytes = malloc(size), .size = size};

	assert_non_null(archive.bytes);
	assert_int_equal(fd_pread(fd, archive.bytes, size, 0), size);
	return archive;
}

static unsigned int field(const char *header, unsigned int index)
{
	char digits[9];

	memcpy(digits, header + 6 + 8 * (size_t)index, 8);
	digits[8] = '\0';
	return (unsigned int)strtoul(digits, NULL, 16);
}

static struct entry next_entry(struct archive *archive)
{
	const char *header = archive->bytes + archive->at;
	struct entry entry;
	unsigned int name_bytes;

	assert_int_equal(archive->at % 4, 0);
	assert_true(archive->size - archive->at >= HEADER_BYTES);
	assert_memory_equal(header, "070701", 6);
	name_bytes = field(header, 11);
	entry = (struct entry){
		.name = header + HEADER_BYTES,
		.number = field(header, 0),
		.mode = field(header, 1),
		.length = field(header, 6),
	};
	assert_int_equal(strlen(entry.name) + 1, name_bytes);
	archive->at += (HEADER_BYTES + name_bytes + 3) / 4 * 4;
	entry.bytes = archive->bytes + archive->at;
	archive->at += (entry.length + 3u) / 4 * 4;
	assert_true(archive->at <= archive->size);
	return entry;
}

static void entries_come_back(void **state)
{
	char source[] = "/tmp/test-cpio-XXXXXX";
	int file = mkstemp(source), fd = -1;
	struct archive archive;
	struct entry entry;
	struct cpio cpio;
	uint64_t size;

	(void)state;
	assert_true(file >= 0);
	(void)unlink(source);
	assert_int_equal(fd_write(file, "seven 7", 7), 0);
	assert_int_equal(cpio_begin(&cpio, NULL), 0);
	cpio_add_directory(&cpio, "hull");
	cpio_add_bytes(&cpio, "hull/a", 0755, "abcde", 5);
	cpio_add_bytes(&cpio, "none", 0400, "", 0);
	cpio_add_file(&cpio, "hull/file", 0400, file, 7);
	assert_int_equal(cpio_end(&cpio, &fd, &size, NULL), 0);
	cpio_fini(&cpio);
	archive = read_archive(fd, size);
	entry = next_entry(&archive);
	assert_string_equal(entry.name, "hull");
	assert_int_equal(entry.mode, S_IFDIR | 0755);
	entry = next_entry(&archive);
	assert_string_equal(entry.name, "hull/a");
	assert_int_equal(entry.mode, S_IFREG | 0755);
	assert_int_equal(entry.number, 2);
	assert_int_equal(entry.length, 5);
	assert_memory_equal(entry.bytes, "abcde", 5);
	entry = next_entry(&archive);
	assert_int_equal(entry.length, 0);
	entry = next_entry(&archive);
	assert_int_equal(entry.length, 7);
	assert_memory_equal(entry.bytes, "seven 7", 7);
	assert_string_equal(next_entry(&archive).name, "TRAILER!!!");
	assert_int_equal(archive.at, archive.size);
	free(archive.bytes);
	(void)close(fd);
	(void)close(file);
}

static void another_archive_comes_first(void **state)
{
	int first = memfd_create("first", MFD_CLOEXEC), fd = -1;
	struct archive archive;
	struct cpio cpio;
	uint64_t size;

	(void)state;
	assert_int_equal(fd_write(first, "xxxxx", 5), 0);
	assert_int_equal(cpio_begin(&cpio, NULL), 0);
	cpio_add_archive(&cpio, first, 5);
	cpio_add_bytes(&cpio, "init", 0755, "i", 1);
	assert_int_equal(cpio_end(&cpio, &fd, &size, NULL), 0);
	archive = read_archive(fd, size);
	assert_memory_equal(archive.bytes, "xxxxx\0\0", 8);
	archive.at = 8;
	assert_string_equal(next_entry(&archive).name, "init");
	free(archive.bytes);
	(void)close(fd);
	(void)close(first);
}

static void errors_are_kept(void **state)
{
	int file = memfd_create("short", MFD_CLOEXEC), fd = -1;
	char name[512];
	struct err err = {0};
	struct cpio cpio;
	uint64_t size;

	(void)state;
	assert_int_equal(fd_write(file, "abc", 3), 0);
	assert_int_equal(cpio_begin(&cpio, NULL), 0);
	cpio_add_file(&cpio, "shorter", 0400, file, 4);
	cpio_add_bytes(&cpio, "later", 0400, "x", 1);
	assert_int_equal(cpio_end(&cpio, &fd, &size, &err), -EIO);
	assert_non_null(strstr(err.text, "initial RAM disk"));
	cpio_fini(&cpio);
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(cpio_begin(&cpio, NULL), 0);
	cpio_add_directory(&cpio, name);
	assert_int_equal(cpio_end(&cpio, &fd, &size, NULL), -EOVERFLOW);
	cpio_fini(&cpio);
	assert_int_equal(cpio_begin(&cpio, NULL), 0);
	cpio_add_bytes(&cpio, "large", 0400, NULL, UINT64_C(1) << 32);
	assert_int_equal(cpio_end(&cpio, &fd, &size, NULL), -EOVERFLOW);
	cpio_fini(&cpio);
	assert_int_equal(fd, -1);
	(void)close(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_come_back),
		cmocka_unit_test(another_archive_comes_first),
		cmocka_unit_test(errors_are_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
