/* Any file to the front that unpacks: plain, gzip, xz and zstd, one or several members. */
#include "fuzz.h"

#include "fd.h"
#include "image.h"

#include <string.h>
#include <sys/mman.h>

#define LIMIT_BYTES (1 << 18)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_fd int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct image image = {.fd = -1};
	struct err err = {0};
	char path[64];
	int r;

	fuzz_require(fd >= 0 && fd_write(fd, data, size) == 0);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = image_open("kernel", path, true, LIMIT_BYTES, &image, &err);
	if (r < 0) {
		fuzz_require(r == err.code && err.text[0]);
		fuzz_require(image.fd == -1);
		return 0;
	}
	fuzz_require(image.fd >= 0 && image.size_bytes > 0);
	fuzz_require(image.size_bytes <= (size > LIMIT_BYTES ? size : LIMIT_BYTES));
	image_close(&image);
	return 0;
}
