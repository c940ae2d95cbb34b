/* See zboot.h. */
#include "zboot.h"

#include "fd.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>

/* The header of a DOS program, as far as EFI has a use for it. */
struct zboot_header {
	char dos_magic[4];  /* "MZ" */
	char type_magic[4]; /* "zimg" */
	uint32_t payload_offset;
	uint32_t payload_bytes;
};

static int copy(int from, uint64_t offset, uint64_t length, int to)
{
	off_t at = (off_t)offset;

	while (length) {
		const ssize_t count = sendfile(to, from, &at, length);

		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0)
			return count < 0 ? -errno : -ENODATA;
		length -= (uint64_t)count;
	}
	return 0;
}

int zboot_take_out(const char *what, const char *path, uint64_t limit_bytes, struct image *image,
	struct err *err)
{
	struct zboot_header header;
	cleanup_fd int memory = -1;
	uint64_t offset, length;
	ssize_t count = fd_pread(image->fd, &header, sizeof(header), 0);
	int r;

	if (count < 0)
		return err_set_errno(err, (int)count, "%s '%s': read", what, path);
	if ((size_t)count < sizeof(header) || memcmp(header.dos_magic, "MZ", 2) != 0 ||
		memcmp(header.type_magic, "zimg", 4) != 0)
		return 0;
	offset = le32toh(header.payload_offset);
	length = le32toh(header.payload_bytes);
	if (!length || offset > image->size_bytes || length > image->size_bytes - offset)
		return err_set(err, -EINVAL,
			"%s '%s' is cut short: the kernel in it reaches past its end", what, path);
	if (length > limit_bytes)
		return err_set(err, -E2BIG, "%s '%s' is larger than %" PRIu64 " MiB", what, path,
			limit_bytes >> 20);
	memory = memfd_create("hull-image", MFD_CLOEXEC);
	if (memory < 0)
		return err_set_errno(err, errno, "%s '%s': memfd_create", what, path);
	r = copy(image->fd, offset, length, memory);
	if (r < 0)
		return err_set_errno(err, r, "%s '%s': read", what, path);
	image_close(image);
	*image = (struct image){take_fd(&memory), length};
	return 0;
}
