/* See cpio.h. */
#include "cpio.h"

#include "fd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define ALIGNMENT  4
#define NAME_BYTES 256
#define TRAILER    "TRAILER!!!"

int cpio_begin(struct cpio *cpio, struct err *err)
{
	*cpio = (struct cpio){.fd = memfd_create("initrd", MFD_CLOEXEC)};
	return cpio->fd < 0 ? err_set_errno(err, errno, "no memory for an initial RAM disk") : 0;
}

static void append(struct cpio *cpio, const void *bytes, uint64_t length)
{
	const char *from = bytes;

	while (!cpio->error && length) {
		ssize_t count = write(cpio->fd, from, length);

		if (count < 0 && errno != EINTR)
			cpio->error = -errno;
		if (count <= 0)
			continue;
		from += count;
		length -= (uint64_t)count;
		cpio->size_bytes += (uint64_t)count;
	}
}

static void append_file(struct cpio *cpio, int fd, uint64_t length)
{
	off_t offset = 0;

	while (!cpio->error && length) {
		ssize_t count = sendfile(cpio->fd, fd, &offset, length);

		if (count < 0 && errno != EINTR)
			cpio->error = -errno;
		else if (count == 0) /* it has become shorter */
			cpio->error = -EIO;
		if (count <= 0)
			continue;
		length -= (uint64_t)count;
		cpio->size_bytes += (uint64_t)count;
	}
}

static void align(struct cpio *cpio)
{
	static const char zeroes[ALIGNMENT];

	append(cpio, zeroes, (ALIGNMENT - cpio->size_bytes % ALIGNMENT) % ALIGNMENT);
}

void cpio_add_archive(struct cpio *cpio, int fd, uint64_t size_bytes)
{
	append_file(cpio, fd, size_bytes);
	align(cpio);
}

static void begin_entry(struct cpio *cpio, const char *name, unsigned int mode, uint64_t length)
{
	char header[128 + NAME_BYTES];
	size_t name_length = strlen(name) + 1; /* the NUL belongs to it */
	int count;

	if (name_length > NAME_BYTES || length > UINT32_MAX) {
		if (!cpio->error)
			cpio->error = -EOVERFLOW;
		return;
	}
	/* magic, ino, mode, uid, gid, nlink, mtime, filesize, maj, min, rmaj, rmin, namesize,
	 * chksum
	 */
	count = snprintf(header, sizeof(header),
		"070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s", ++cpio->entries,
		mode, 0u, 0u, 1u, 0u, (unsigned int)length, 0u, 0u, 0u, 0u,
		(unsigned int)name_length, 0u, name);
	append(cpio, header, (uint64_t)count + 1);
	align(cpio);
}

void cpio_add_directory(struct cpio *cpio, const char *name)
{
	begin_entry(cpio, name, S_IFDIR | 0755, 0);
}

void cpio_add_bytes(struct cpio *cpio, const char *name, unsigned int permissions,
	const void *bytes, uint64_t length)
{
	begin_entry(cpio, name, S_IFREG | permissions, length);
	append(cpio, bytes, length);
	align(cpio);
}

void cpio_add_file(
	struct cpio *cpio, const char *name, unsigned int permissions, int fd, uint64_t size_bytes)
{
	begin_entry(cpio, name, S_IFREG | permissions, size_bytes);
	append_file(cpio, fd, size_bytes);
	align(cpio);
}

int cpio_end(struct cpio *cpio, int *ret_fd, uint64_t *ret_size_bytes, struct err *err)
{
	begin_entry(cpio, TRAILER, 0, 0);
	if (cpio->error)
		return err_set_errno(err, cpio->error, "the initial RAM disk cannot be written");
	*ret_size_bytes = cpio->size_bytes;
	*ret_fd = take_fd(&cpio->fd);
	return 0;
}

void cpio_fini(struct cpio *cpio)
{
	fd_close(&cpio->fd);
}
