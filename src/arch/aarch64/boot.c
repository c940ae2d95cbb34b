/*
 * See boot.h. The device tree has the first 2 MiB of RAM, the kernel comes behind it and the initrd
 * behind the kernel, which keeps both in the window that booting.rst asks for. A kernel that cannot
 * use memory below itself (before Linux 4.6) has the first place and the tree the one behind it.
 */
#include "boot.h"

#include "command_line_limit.h"
#include "fd.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#define MIB             (UINT64_C(1) << 20)
#define BLOCK_BYTES     (2 * MIB) /* to which the kernel's base is aligned */
#define PAGE_BYTES_MAX  UINT64_C(65536)
#define HEADER_BYTES    64
#define OLD_TEXT_OFFSET UINT64_C(0x80000) /* where image_size is 0, before Linux 3.17 */
#define INITRD_WINDOW   (UINT64_C(32) << 30)
#define IMAGE_BYTES_MAX (UINT64_C(1) << 40) /* sums with it do not wrap */
#define FLAG_BIG_ENDIAN 1u
#define FLAG_ANYWHERE   8u
#define FLAGS_PAGE(x)   ((unsigned int)((x) >> 1 & 3))

struct header {
	uint64_t text_offset;
	uint64_t image_size;
	uint64_t flags;
};

static uint64_t align_up(uint64_t value, uint64_t alignment)
{
	return (value + alignment - 1) & ~(alignment - 1);
}

static uint64_t to_mib(uint64_t bytes)
{
	return (bytes + MIB - 1) / MIB;
}

static int file_error(const char *what, const char *name, int error, struct err *err)
{
	if (error == -ENODATA)
		return err_set(err, error, "%s '%s' became shorter while it was read", what, name);
	return err_set_errno(err, error, "%s '%s': read", what, name);
}

/* Says what else it may be. */
static int refuse(const struct boot_request *request, const uint8_t *head, struct err *err)
{
	const char *name = request->kernel_name;

	if (memcmp(head, "\177ELF", 4) == 0)
		return err_set(err, -ENOEXEC,
			"kernel '%s' is an ELF file; give the Image that was made of it "
			"(arch/arm64/boot/Image)",
			name);
	if (memcmp(head, "MZ", 2) == 0)
		return err_set(err, -ENOEXEC,
			"kernel '%s' is an EFI program and no arm64 kernel: is it for another "
			"architecture?",
			name);
	return err_set(err, -ENOEXEC,
		"kernel '%s' is no arm64 Image (plain, or compressed with gzip, xz or zstd)", name);
}

/* Arm ARM, ID_AA64MMFR0_EL1: TGran4 and TGran64 say no by a negative number, TGran16 by 0. */
static bool has_pages(uint64_t memory_model, unsigned int page)
{
	switch (page) {
	case 1:
		return (memory_model >> 28 & 0xf) < 8;
	case 2:
		return (memory_model >> 20 & 0xf) > 0;
	case 3:
		return (memory_model >> 24 & 0xf) < 8;
	default: /* the kernel does not tell */
		return true;
	}
}

/* A kernel with pages that its processor lacks stops before it can say so. */
static int check_pages(
	const struct boot_request *request, const struct header *header, struct err *err)
{
	static const char *const sizes[] = {"?", "4K", "16K", "64K"};
	const unsigned int page = FLAGS_PAGE(header->flags);

	if (!header->image_size || has_pages(request->memory_model, page))
		return 0;
	return err_set(err, -ENOEXEC,
		"kernel '%s' is built for pages of %s, which this host's processors do not have",
		request->kernel_name, sizes[page]);
}

static int read_header(
	const struct boot_request *request, struct header *ret_header, struct err *err)
{
	uint8_t head[HEADER_BYTES] = {0};
	ssize_t count = fd_pread(request->kernel_fd, head, sizeof(head), 0);

	if (count < 0)
		return file_error("kernel", request->kernel_name, (int)count, err);
	if ((size_t)count < sizeof(head) || memcmp(head + 56, "ARM\x64", 4) != 0)
		return refuse(request, head, err);
	memcpy(&ret_header->text_offset, head + 8, 8);
	memcpy(&ret_header->image_size, head + 16, 8);
	memcpy(&ret_header->flags, head + 24, 8);
	if (!ret_header->image_size)
		ret_header->text_offset = OLD_TEXT_OFFSET;
	if (ret_header->image_size && ret_header->flags & FLAG_BIG_ENDIAN)
		return err_set(err, -ENOEXEC, "kernel '%s' is big-endian, which hull cannot boot",
			request->kernel_name);
	return check_pages(request, ret_header, err);
}

/* From the kernel's first byte to the end of all that it will use before it knows memory. */
static int place_kernel(const struct gmem *gmem, const struct boot_request *request,
	const struct header *header, uint64_t base, uint64_t *ret_end, struct err *err)
{
	const uint64_t needed = header->image_size > request->kernel_size ? header->image_size
	                                                                  : request->kernel_size;

	if (needed > IMAGE_BYTES_MAX || header->text_offset > IMAGE_BYTES_MAX)
		return err_set(err, -EINVAL,
			"kernel '%s' is damaged: image_size 0x%" PRIx64 ", text_offset 0x%" PRIx64,
			request->kernel_name, header->image_size, header->text_offset);
	if (!gmem_contains(gmem, gpa_at(base + header->text_offset), needed))
		return err_set(err, -E2BIG,
			"kernel '%s' needs %" PRIu64 " MiB and the VM has %" PRIu64
			" MiB; give more with -m",
			request->kernel_name,
			to_mib(base + header->text_offset + needed - gmem->regions[0].base.address),
			to_mib(gmem_size_bytes(gmem)));
	*ret_end = base + header->text_offset + needed;
	return 0;
}

static int load_initrd(const struct gmem *gmem, const struct boot_request *request, uint64_t start,
	struct boot_result *result, struct err *err)
{
	int r;

	result->initrd_start = result->initrd_end = 0;
	if (request->initrd_fd < 0)
		return 0;
	if (!gmem_contains(gmem, gpa_at(start), request->initrd_size) ||
		start + request->initrd_size - gmem->regions[0].base.address > INITRD_WINDOW)
		return err_set(err, -E2BIG,
			"initrd '%s' of %" PRIu64 " MiB does not fit beside the kernel; the VM has "
			"%" PRIu64 " MiB, give more with -m",
			request->initrd_name, to_mib(request->initrd_size),
			to_mib(gmem_size_bytes(gmem)));
	r = gmem_pread_file(gmem, gpa_at(start), request->initrd_size, request->initrd_fd, 0);
	if (r < 0)
		return file_error("initrd", request->initrd_name, r, err);
	result->initrd_start = start;
	result->initrd_end = start + request->initrd_size;
	return 0;
}

int boot_load(const struct gmem *gmem, const struct boot_request *request,
	struct boot_result *ret_result, struct err *err)
{
	const uint64_t ram = gmem->regions[0].base.address;
	struct boot_result result = {0};
	struct header header = {0};
	uint64_t base = ram, end = 0;
	int r = read_header(request, &header, err);

	if (r == 0)
		r = command_line_limit_check(strlen(request->command_line), COMMAND_LINE_LINUX,
			request->kernel_name, err);
	if (r < 0)
		return r;
	if (header.image_size && header.flags & FLAG_ANYWHERE)
		base += BLOCK_BYTES;
	r = place_kernel(gmem, request, &header, base, &end, err);
	if (r < 0)
		return r;
	result.entry = base + header.text_offset;
	result.tree = ram;
	if (base == ram) {
		result.tree = align_up(end, BLOCK_BYTES);
		end = result.tree + BOOT_TREE_BYTES_MAX;
	}
	r = gmem_pread_file(
		gmem, gpa_at(result.entry), request->kernel_size, request->kernel_fd, 0);
	if (r < 0)
		return file_error("kernel", request->kernel_name, r, err);
	r = load_initrd(gmem, request, align_up(end, PAGE_BYTES_MAX), &result, err);
	if (r == 0)
		*ret_result = result;
	return r;
}
