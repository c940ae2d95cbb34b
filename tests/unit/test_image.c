#include "cmocka_all.h"
#include "image.h"

#include "fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIMIT 4096

/* "hello, hull\n" by gzip, xz and zstd --check. */
static const char hello[] = "hello, hull\n";
static const uint8_t gzip_hello[] = {0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03,
	0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0xd7, 0x51, 0xc8, 0x28, 0xcd, 0xc9, 0xe1, 0x02, 0x00, 0xb7,
	0x07, 0x0d, 0x9e, 0x0c, 0x00, 0x00, 0x00};
static const uint8_t xz_hello[] = {0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 0x00, 0x04, 0xe6, 0xd6, 0xb4,
	0x46, 0x02, 0x00, 0x21, 0x01, 0x16, 0x00, 0x00, 0x00, 0x74, 0x2f, 0xe5, 0xa3, 0x01, 0x00,
	0x0b, 0x68, 0x65, 0x6c, 0x6c, 0x6f, 0x2c, 0x20, 0x68, 0x75, 0x6c, 0x6c, 0x0a, 0x00, 0xee,
	0x41, 0xc6, 0x65, 0x30, 0x88, 0x1c, 0xbd, 0x00, 0x01, 0x24, 0x0c, 0xa6, 0x18, 0xd8, 0xd8,
	0x1f, 0xb6, 0xf3, 0x7d, 0x01, 0x00, 0x00, 0x00, 0x00, 0x04, 0x59, 0x5a};
static const uint8_t zstd_hello[] = {0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x58, 0x61, 0x00, 0x00, 0x68,
	0x65, 0x6c, 0x6c, 0x6f, 0x2c, 0x20, 0x68, 0x75, 0x6c, 0x6c, 0x0a, 0x46, 0xdb, 0x20, 0x3c};

/* A window of 2 GiB (RFC 8878 3.1.1.1.2) and a dictionary of 4 GiB - 1 (.xz 5.3.1), with no more
 * than a few bytes of data behind. */
static const uint8_t zstd_greedy[] = {
	0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x61, 0x00, 0x00, 0x68, 0x65};
static const uint8_t xz_greedy[] = {0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 0x00, 0x04, 0xe6, 0xd6,
	0xb4, 0x46, 0x02, 0x00, 0x21, 0x01, 0x28, 0x00, 0x00, 0x00, 0xe6, 0xa0, 0x11, 0xb3, 0x01,
	0x00, 0x0b, 0x68, 0x65, 0x6c, 0x6c, 0x6f, 0x2c, 0x20, 0x68, 0x75, 0x6c, 0x6c, 0x0a, 0x00,
	0xee};

static const struct {
	const char *name;
	const uint8_t *data;
	size_t length;
} packed[] = {
	{"gzip", gzip_hello, sizeof(gzip_hello)},
	{"xz", xz_hello, sizeof(xz_hello)},
	{"zstd", zstd_hello, sizeof(zstd_hello)},
};

/* Opens a file that holds the pieces one after the other. */
static int open_bytes(const uint8_t *first, size_t first_length, const uint8_t *second,
	size_t second_length, uint64_t limit, struct image *image, struct err *err)
{
	int fd = memfd_create("test", MFD_CLOEXEC);
	char path[64];
	int r;

	assert_true(fd >= 0);
	assert_int_equal(fd_write(fd, first, first_length), 0);
	assert_int_equal(fd_write(fd, second, second_length), 0);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = image_open("kernel", path, true, limit, image, err);
	close(fd);
	return r;
}

static void assert_holds(const struct image *image, const char *text)
{
	char buffer[64] = "";

	assert_int_equal(image->size_bytes, strlen(text));
	assert_int_equal(fd_pread(image->fd, buffer, sizeof(buffer), 0), strlen(text));
	assert_string_equal(buffer, text);
}

static void assert_says(const struct err *err, int code, const char *part)
{
	assert_int_equal(err->code, code);
	if (!strstr(err->text, part))
		fail_msg("\"%s\" lacks \"%s\"", err->text, part);
}

/* Hull may be built without a library. */
static bool left_out(int r, const struct err *err, const char *name)
{
	if (r != -ENOPKG)
		return false;
	assert_non_null(strstr(err->text, name));
	assert_non_null(strstr(err->text, "unpack"));
	return true;
}

static void plain_files_are_used_as_they_are(void **state)
{
	struct image image;

	(void)state;
	assert_int_equal(
		open_bytes((const uint8_t *)hello, strlen(hello), NULL, 0, 1, &image, NULL), 0);
	assert_holds(&image, hello);
	assert_int_equal(fcntl(image.fd, F_GETFD), FD_CLOEXEC);
	image_close(&image);
	assert_int_equal(image.fd, -1);
	image_close(&image);
}

static void what_is_no_file_is_refused(void **state)
{
	struct image image = {.fd = -7};
	struct err err;

	(void)state;
	assert_int_equal(image_open("kernel", "/", true, LIMIT, &image, &err), -EISDIR);
	assert_says(&err, -EISDIR, "kernel '/' is a directory");
	assert_int_equal(image_open("initrd", "/dev/null", true, LIMIT, &image, &err), -EINVAL);
	assert_says(&err, -EINVAL, "initrd '/dev/null' is a character device");
	assert_int_equal(image_open("kernel", "/nonexistent", true, LIMIT, &image, &err), -ENOENT);
	assert_says(&err, -ENOENT, "kernel '/nonexistent': open: No such file");
	assert_int_equal(open_bytes(NULL, 0, NULL, 0, LIMIT, &image, &err), -EINVAL);
	assert_says(&err, -EINVAL, "is empty");
	assert_int_equal(image.fd, -7);
}

static void unpacks(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_size(packed); i++) {
		struct image image;
		struct err err;
		int r = open_bytes(packed[i].data, packed[i].length, NULL, 0, LIMIT, &image, &err);

		if (left_out(r, &err, packed[i].name))
			continue;
		assert_int_equal(r, 0);
		assert_holds(&image, hello);
		image_close(&image);
		/* Two members, then padding. */
		r = open_bytes(packed[i].data, packed[i].length, packed[i].data, packed[i].length,
			LIMIT, &image, &err);
		assert_int_equal(r, 0);
		assert_holds(&image, "hello, hull\nhello, hull\n");
		image_close(&image);
		r = open_bytes(packed[i].data, packed[i].length, (const uint8_t *)"\0\0\0\0", 4,
			LIMIT, &image, &err);
		assert_int_equal(r, 0);
		assert_holds(&image, hello);
		image_close(&image);
	}
}

/* zboot-header.S: "MZ", "zimg" at 4, the payload's offset at 8 and its length at 12. */
static void a_kernel_in_an_efi_program(void **state)
{
	struct image image = {.fd = -1};
	struct err err = {0};
	uint8_t head[64] = {'M', 'Z', 0, 0, 'z', 'i', 'm', 'g', sizeof(head)};
	const size_t length = sizeof(gzip_hello);
	int r;

	(void)state;
	head[12] = (uint8_t)length;
	r = open_bytes(head, sizeof(head), gzip_hello, length, LIMIT, &image, &err);
	if (!left_out(r, &err, "gzip")) {
		assert_int_equal(r, 0);
		assert_holds(&image, hello);
		image_close(&image);
	}
	head[12]++;
	r = open_bytes(head, sizeof(head), gzip_hello, length, LIMIT, &image, &err);
	assert_int_equal(r, -EINVAL);
	assert_says(&err, -EINVAL, "is cut short");
	head[12] = 0;
	r = open_bytes(head, sizeof(head), gzip_hello, length, LIMIT, &image, &err);
	assert_int_equal(r, -EINVAL);
	head[8] = head[9] = head[10] = head[11] = head[12] = head[15] = 0xff;
	r = open_bytes(head, sizeof(head), gzip_hello, length, LIMIT, &image, &err);
	assert_int_equal(r, -EINVAL);
	memset(head + 8, 0, 8);
	head[12] = sizeof(head);
	r = open_bytes(head, sizeof(head), gzip_hello, length, 8, &image, &err);
	assert_int_equal(r, -E2BIG);
	/* What stays packed in there is for somebody else to refuse. */
	r = open_bytes(head, sizeof(head), gzip_hello, length, LIMIT, &image, &err);
	assert_int_equal(r, 0);
	assert_int_equal(image.size_bytes, sizeof(head));
	image_close(&image);
}

static void an_initrd_stays_packed(void **state)
{
	int fd = memfd_create("test", MFD_CLOEXEC);
	struct image image;
	char path[64];

	(void)state;
	assert_int_equal(fd_write(fd, gzip_hello, sizeof(gzip_hello)), 0);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	assert_int_equal(image_open("initrd", path, false, LIMIT, &image, NULL), 0);
	assert_int_equal(image.size_bytes, sizeof(gzip_hello));
	image_close(&image);
	close(fd);
}

static void damaged_streams_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_size(packed); i++) {
		struct image image = {.fd = -7};
		uint8_t bytes[128];
		struct err err;
		int r = open_bytes(packed[i].data, packed[i].length, (const uint8_t *)"junk", 4,
			LIMIT, &image, &err);

		if (left_out(r, &err, packed[i].name))
			continue;
		assert_says(&err, -EINVAL, "something else follows its");
		/* Cut short everywhere behind the magic number. */
		for (size_t length = 6; length < packed[i].length; length++) {
			assert_int_equal(
				open_bytes(packed[i].data, length, NULL, 0, LIMIT, &image, &err),
				-EINVAL);
			assert_says(&err, -EINVAL, "is damaged");
		}
		/* The check value does not fit the data. */
		memcpy(bytes, packed[i].data, packed[i].length);
		bytes[packed[i].length - (i == 1 ? 40 : 5)] ^= 1;
		assert_int_equal(
			open_bytes(bytes, packed[i].length, NULL, 0, LIMIT, &image, &err), -EINVAL);
		assert_says(&err, -EINVAL, packed[i].name);
		assert_int_equal(image.fd, -7);
	}
}

static void bombs_are_bounded(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_size(packed); i++) {
		struct image image;
		struct err err;
		int r = open_bytes(packed[i].data, packed[i].length, NULL, 0, 12, &image, &err);

		if (left_out(r, &err, packed[i].name))
			continue;
		assert_int_equal(r, 0);
		image_close(&image);
		assert_int_equal(
			open_bytes(packed[i].data, packed[i].length, NULL, 0, 11, &image, &err),
			-E2BIG);
		assert_says(&err, -E2BIG, "unpacks to more than");
		assert_int_equal(open_bytes(packed[i].data, packed[i].length, packed[i].data,
					 packed[i].length, 23, &image, &err),
			-E2BIG);
	}
}

static void greedy_headers_are_refused(void **state)
{
	struct image image;
	struct err err;
	int r = open_bytes(xz_greedy, sizeof(xz_greedy), NULL, 0, LIMIT, &image, &err);

	(void)state;
	if (!left_out(r, &err, "xz"))
		assert_says(&err, -E2BIG, "more memory");
	r = open_bytes(zstd_greedy, sizeof(zstd_greedy), NULL, 0, LIMIT, &image, &err);
	if (!left_out(r, &err, "zstd"))
		assert_says(&err, -E2BIG, "more memory");
}

/* Opens the read end of a pipe by its name, as a shell's process substitution does. */
static int open_pipe(
	const void *data, size_t length, uint64_t limit, struct image *image, struct err *err)
{
	char path[64];
	int ends[2];
	int r;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	if (length)
		assert_int_equal(fd_write(ends[1], data, length), 0);
	close(ends[1]);
	(void)snprintf(path, sizeof(path), "/dev/fd/%d", ends[0]);
	r = image_open("kernel", path, true, limit, image, err);
	close(ends[0]);
	return r;
}

static void pipes_are_read(void **state)
{
	struct image image;
	struct err err;
	int r;

	(void)state;
	assert_int_equal(open_pipe(hello, strlen(hello), 12, &image, &err), 0);
	assert_holds(&image, hello);
	image_close(&image);
	assert_int_equal(open_pipe(hello, strlen(hello), 11, &image, &err), -E2BIG);
	assert_says(&err, -E2BIG, "brings more than");
	assert_int_equal(open_pipe("", 0, LIMIT, &image, &err), -EINVAL);
	assert_says(&err, -EINVAL, "is empty");
	r = open_pipe(gzip_hello, sizeof(gzip_hello), LIMIT, &image, &err);
	if (left_out(r, &err, "gzip"))
		return;
	assert_int_equal(r, 0);
	assert_holds(&image, hello);
	image_close(&image);
}

/* Opens a FIFO only after its reader has, and writes in two parts. */
static int write_fifo(const char *path)
{
	cleanup_fd int fd = -1;

	for (int tries = 0; fd < 0 && tries < 5000; tries++) {
		(void)poll(NULL, 0, 2);
		fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC); /* ENXIO: no reader yet */
	}
	if (fd < 0 || fd_write(fd, hello, 5) < 0)
		return EXIT_FAILURE;
	(void)poll(NULL, 0, 20);
	return fd_write(fd, hello + 5, strlen(hello) - 5) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static void fifos_wait_for_their_writer(void **state)
{
	char directory[] = "/tmp/hull-test-XXXXXX";
	struct image image;
	struct err err;
	char path[64];
	pid_t child;
	int r, status;

	(void)state;
	assert_non_null(mkdtemp(directory));
	(void)snprintf(path, sizeof(path), "%s/fifo", directory);
	assert_int_equal(mkfifo(path, 0600), 0);
	child = fork();
	assert_true(child >= 0);
	if (!child)
		_exit(write_fifo(path));
	r = image_open("kernel", path, true, LIMIT, &image, &err);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(directory), 0);
	assert_int_equal(r, 0);
	assert_int_equal(status, 0);
	assert_holds(&image, hello);
	image_close(&image);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_files_are_used_as_they_are),
		cmocka_unit_test(what_is_no_file_is_refused),
		cmocka_unit_test(unpacks),
		cmocka_unit_test(a_kernel_in_an_efi_program),
		cmocka_unit_test(an_initrd_stays_packed),
		cmocka_unit_test(damaged_streams_are_refused),
		cmocka_unit_test(bombs_are_bounded),
		cmocka_unit_test(greedy_headers_are_refused),
		cmocka_unit_test(pipes_are_read),
		cmocka_unit_test(fifos_wait_for_their_writer),
	};

	return cmocka_run_group_tests_name("image", tests, NULL, NULL);
}
