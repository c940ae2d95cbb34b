/* Any file as an arm64 Image: it always has the mark of one, so that every input comes past it. */
#include "boot.h"
#include "fd.h"
#include "fuzz.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FILE_MAX_BYTES 65536
#define MEMORY_BASE    UINT64_C(0x40000000)
#define MEMORY_BYTES   (UINT64_C(32) << 20)

static int file_of(const void *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	fuzz_require(fd >= 0);
	fuzz_require(fd_write(fd, data, size) == 0);
	return fd;
}

/* What is placed lies in RAM, and nothing of it on anything else. */
static void check_result(const struct gmem *gmem, const struct boot_result *result, size_t size)
{
	const uint64_t initrd_bytes = result->initrd_end - result->initrd_start;
	const uint64_t end = result->entry + size;

	fuzz_require(gmem_contains(gmem, gpa_at(result->entry), size));
	fuzz_require(gmem_contains(gmem, gpa_at(result->initrd_start), initrd_bytes));
	fuzz_require(result->initrd_start >= end);
	fuzz_require(result->tree % 8 == 0);
	fuzz_require(result->tree >= end || result->tree + BOOT_TREE_BYTES_MAX <= result->entry);
	fuzz_require(result->tree + BOOT_TREE_BYTES_MAX <= result->initrd_start ||
		     result->tree >= result->initrd_end);
}

static int load(const struct gmem *gmem, const uint8_t *file, size_t size,
	struct boot_result *result, struct err *err)
{
	cleanup_fd int kernel_fd = file_of(file, size);
	cleanup_fd int initrd_fd = file_of("initrd", 6);
	const struct boot_request request = {
		.kernel_fd = kernel_fd,
		.kernel_size = size,
		.kernel_name = "kernel",
		.initrd_fd = initrd_fd,
		.initrd_size = 6,
		.initrd_name = "initrd",
		.command_line = "",
	};

	return boot_load(gmem, &request, result, err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t mark[] = {'A', 'R', 'M', 0x64};
	uint8_t file[FILE_MAX_BYTES];
	struct gmem gmem = {.region_count = 1,
		.regions = {{.base = {MEMORY_BASE}, .size_bytes = MEMORY_BYTES, .fd = -1}}};
	struct boot_result result = {.entry = UINT64_MAX};
	struct err err = {0};
	int r;

	if (size > sizeof(file))
		size = sizeof(file);
	memcpy(file, data, size);
	if (size >= 64)
		memcpy(file + 56, mark, sizeof(mark));
	fuzz_require(gmem_create(&gmem, &(struct gmem_options){0}, NULL) == 0);
	r = load(&gmem, file, size, &result, &err);
	if (r == 0) {
		check_result(&gmem, &result, size);
	} else {
		fuzz_require(r == err.code && err.text[0]);
		fuzz_require(result.entry == UINT64_MAX); /* written only on success */
	}
	gmem_destroy(&gmem);
	return 0;
}
