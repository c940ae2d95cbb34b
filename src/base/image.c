/*
 * Opening boot files. See image.h.
 *
 * The descriptor is opened without blocking, so that a FIFO can be waited for with a deadline: it
 * has none of its own while nobody writes to it.
 */
#include "image.h"

#include "fd.h"
#include "unpack.h"
#include "zboot.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* For the shell to start what writes to a FIFO; a writer, once there, may take as long as it
 * likes. */
#define WRITER_WAIT_MS 10000

static int check_kind(
	const char *what, const char *path, const struct stat *status, struct err *err)
{
	if (S_ISDIR(status->st_mode))
		return err_set(err, -EISDIR, "%s '%s' is a directory; give a file", what, path);
	if (S_ISREG(status->st_mode) || S_ISFIFO(status->st_mode))
		return 0;
	return err_set(err, -EINVAL, "%s '%s' is a %s; give a file or a pipe", what, path,
		S_ISBLK(status->st_mode)   ? "block device"
		: S_ISCHR(status->st_mode) ? "character device"
					   : "socket or the like");
}

static int new_memory_file(const char *what, const char *path, struct err *err)
{
	int fd = memfd_create("hull-image", MFD_CLOEXEC);

	return fd < 0 ? err_set_errno(err, errno, "%s '%s': memfd_create", what, path) : fd;
}

/* Waits until a pipe has bytes or has ended. */
static int wait_readable(
	const char *what, const char *path, int fd, int timeout_ms, struct err *err)
{
	struct pollfd item = {.fd = fd, .events = POLLIN};
	int count;

	do
		count = poll(&item, 1, timeout_ms);
	while (count < 0 && errno == EINTR);
	if (count < 0)
		return err_set_errno(err, errno, "%s '%s': poll", what, path);
	if (count == 0)
		return err_set(err, -ETIMEDOUT,
			"%s '%s' is a FIFO that nobody opened for writing within %d s", what, path,
			timeout_ms / 1000);
	return 0;
}

/* Empties a pipe into a memory file. */
static int read_pipe(const char *what, const char *path, int input, int output,
	uint64_t limit_bytes, uint64_t *ret_size_bytes, struct err *err)
{
	char buffer[32768];
	uint64_t total = 0;
	bool waited = false;

	for (;;) {
		ssize_t count = read(input, buffer, sizeof(buffer));
		int r = 0;

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0 && errno != EAGAIN)
			return err_set_errno(err, errno, "%s '%s': read", what, path);
		if (count == 0 && (total || waited))
			break;
		if (count <= 0) {
			/* pipe(7): an end of file comes as well while no writer has opened a FIFO,
			 * but then poll(2) does not report it. */
			waited = count == 0;
			r = wait_readable(what, path, input, waited ? WRITER_WAIT_MS : -1, err);
		} else if ((uint64_t)count > limit_bytes - total) {
			r = err_set(err, -E2BIG,
				"%s '%s' brings more than %" PRIu64 " MiB, which is too large here",
				what, path, limit_bytes >> 20);
		} else {
			total += (uint64_t)count;
			r = fd_write(output, buffer, (size_t)count);
			if (r < 0)
				err_set_errno(err, r, "%s '%s': no room for it", what, path);
		}
		if (r < 0)
			return r;
	}
	*ret_size_bytes = total;
	return 0;
}

static int open_file(const char *what, const char *path, uint64_t limit_bytes,
	struct image *ret_image, struct err *err)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	cleanup_fd int memory = -1;
	uint64_t size;
	struct stat status;
	int r;

	if (fd < 0)
		return err_set_errno(err, errno, "%s '%s': open", what, path);
	if (fstat(fd, &status) != 0)
		return err_set_errno(err, errno, "%s '%s': fstat", what, path);
	r = check_kind(what, path, &status, err);
	if (r < 0)
		return r;
	size = (uint64_t)status.st_size;
	if (S_ISFIFO(status.st_mode)) {
		memory = new_memory_file(what, path, err);
		if (memory < 0)
			return memory;
		r = read_pipe(what, path, fd, memory, limit_bytes, &size, err);
		if (r < 0)
			return r;
	}
	if (!size)
		return err_set(err, -EINVAL, "%s '%s' is empty", what, path);
	ret_image->fd = memory >= 0 ? take_fd(&memory) : take_fd(&fd);
	ret_image->size_bytes = size;
	return 0;
}

/* Replaces a compressed image by what it holds. */
static int unpack_image(const char *what, const char *path, uint64_t limit_bytes,
	struct image *image, struct err *err)
{
	uint8_t head[16];
	ssize_t length = fd_pread(image->fd, head, sizeof(head), 0);
	const struct unpack_codec *codec;
	cleanup_fd int memory = -1;
	uint64_t size;
	int r;

	if (length < 0)
		return err_set_errno(err, (int)length, "%s '%s': read", what, path);
	codec = unpack_recognise(head, (size_t)length);
	if (!codec)
		return 0;
	memory = new_memory_file(what, path, err);
	if (memory < 0)
		return memory;
	r = unpack_file(codec, what, path, image->fd, memory, limit_bytes, &size, err);
	if (r < 0)
		return r;
	if (!size)
		return err_set(err, -EINVAL, "%s '%s' unpacks to nothing", what, path);
	image_close(image);
	image->fd = take_fd(&memory);
	image->size_bytes = size;
	return 0;
}

int image_open(const char *what, const char *path, bool unpack, uint64_t limit_bytes,
	struct image *ret_image, struct err *err)
{
	cleanup_with(image_close) struct image image = {.fd = -1};
	int r = open_file(what, path, limit_bytes, &image, err);

	if (r < 0)
		return r;
	r = unpack ? zboot_take_out(what, path, limit_bytes, &image, err) : 0;
	if (r == 0 && unpack)
		r = unpack_image(what, path, limit_bytes, &image, err);
	if (r < 0)
		return r;
	*ret_image = (struct image){take_fd(&image.fd), image.size_bytes};
	return 0;
}

void image_close(struct image *image)
{
	fd_close(&image->fd);
	image->size_bytes = 0;
}
