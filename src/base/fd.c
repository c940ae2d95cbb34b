/* See fd.h. */
#include "fd.h"

#include <errno.h>
#include <unistd.h>

void fd_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		(void)close(*fd); /* the data that matters was written and checked before */
	*fd = -1;
	errno = saved;
}

ssize_t fd_read(int fd, void *buffer, size_t length)
{
	size_t done = 0;

	while (done < length) {
		ssize_t count = read(fd, (char *)buffer + done, length - done);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return -errno;
		if (count == 0)
			break;
		done += (size_t)count;
	}
	return (ssize_t)done;
}

ssize_t fd_pread(int fd, void *buffer, size_t length, uint64_t offset)
{
	size_t done = 0;

	if (offset > INT64_MAX || length > INT64_MAX - offset)
		return -EOVERFLOW;
	while (done < length) {
		ssize_t count = pread(
			fd, (char *)buffer + done, length - done, (off_t)(offset + done));

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return -errno;
		if (count == 0)
			break;
		done += (size_t)count;
	}
	return (ssize_t)done;
}

int fd_write(int fd, const void *buffer, size_t length)
{
	size_t done = 0;

	while (done < length) {
		ssize_t count = write(fd, (const char *)buffer + done, length - done);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return -errno;
		done += (size_t)count;
	}
	return 0;
}
