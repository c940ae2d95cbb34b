/*
 * Dispatch by format and the steps that all formats share. See boot.h.
 *
 * Nothing is written before it was checked against the claims: what the kernel takes lies in RAM,
 * beside Hull's own tables and beside itself. RAM is fresh, so that what a file leaves zero is
 * never touched here.
 */
#include "boot.h"

#include "boot_work.h"
#include "command_line_limit.h"
#include "fd.h"
#include "layout.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define PAGE_BYTES UINT64_C(4096)

/* The low memory that is not the kernel's: see layout.h. */
static const struct boot_range reserved[] = {
	{0, 0x1000}, /* interrupt vectors, BIOS data and Hull's GDT */
	{BOOT_PARAMS_ADDRESS, PAGE_TABLES_END},
	{COMMAND_LINE_ADDRESS, COMMAND_LINE_END},
	{EBDA_ADDRESS, KERNEL_MIN_ADDRESS},
};

static uint64_t to_mib(uint64_t bytes)
{
	return (bytes >> 20) + (bytes % MIB != 0);
}

static bool overlaps(const struct boot_range *range, uint64_t start, uint64_t end)
{
	return start < range->end && range->start < end;
}

static int file_error(const char *what, const char *name, int error, struct err *err)
{
	if (error == -ENODATA)
		return err_set(err, error, "%s '%s' became shorter while it was read", what, name);
	return err_set_errno(err, error, "%s '%s': read", what, name);
}

int boot_read_header(
	const struct boot_work *work, uint64_t offset, void *buffer, size_t length, struct err *err)
{
	const struct boot_request *request = work->request;
	ssize_t count;

	if (offset > request->kernel_size || length > request->kernel_size - offset)
		return err_set(err, -EINVAL,
			"kernel '%s' is cut short: its headers reach past its end at %" PRIu64
			" bytes",
			request->kernel_name, request->kernel_size);
	count = fd_pread(request->kernel_fd, buffer, length, offset);
	if (count < 0 || (size_t)count < length)
		return file_error(
			"kernel", request->kernel_name, count < 0 ? (int)count : -ENODATA, err);
	return 0;
}

int boot_claim(struct boot_work *work, uint64_t address, uint64_t length, struct err *err)
{
	const char *name = work->request->kernel_name;
	uint64_t end;

	if (!length)
		return 0;
	if (__builtin_add_overflow(address, length, &end))
		return err_set(err, -EINVAL,
			"kernel '%s' is damaged: a part at 0x%" PRIx64
			" wraps around the address space",
			name, address);
	for (size_t i = 0; i < array_size(reserved); i++) {
		if (overlaps(&reserved[i], address, end))
			return err_set(err, -EINVAL,
				"kernel '%s' wants memory at 0x%" PRIx64 " to 0x%" PRIx64
				", where the machine keeps its tables (0x%" PRIx64 " to 0x%" PRIx64
				"); link it at 1 MiB or above",
				name, address, end, reserved[i].start, reserved[i].end);
	}
	if (!gmem_contains(work->gmem, gpa_at(address), length)) {
		if (end > LOW_RAM_END)
			return err_set(err, -EINVAL,
				"kernel '%s' wants memory at 0x%" PRIx64 " to 0x%" PRIx64
				", which is not RAM in this machine",
				name, address, end);
		return err_set(err, -E2BIG,
			"kernel '%s' needs memory up to %" PRIu64 " MiB and the VM has %" PRIu64
			" MiB; give more with -m",
			name, to_mib(end), to_mib(gmem_size_bytes(work->gmem)));
	}
	for (unsigned int i = 0; i < work->taken_count; i++) {
		if (overlaps(&work->taken[i], address, end))
			return err_set(err, -EINVAL,
				"kernel '%s' is damaged: two of its parts overlap at 0x%" PRIx64,
				name, address);
	}
	if (work->taken_count == array_size(work->taken))
		return err_set(err, -EINVAL, "kernel '%s' has more than %d parts", name,
			BOOT_SEGMENTS_MAX);
	work->taken[work->taken_count++] = (struct boot_range){address, end};
	return 0;
}

int boot_read_kernel(const struct boot_work *work, uint64_t address, uint64_t length,
	uint64_t offset, struct err *err)
{
	const struct boot_request *request = work->request;
	int r;

	if (offset > request->kernel_size || length > request->kernel_size - offset)
		return err_set(err, -EINVAL,
			"kernel '%s' is cut short: %" PRIu64 " bytes at offset %" PRIu64
			" are missing from a file of %" PRIu64,
			request->kernel_name, length, offset, request->kernel_size);
	r = gmem_pread_file(work->gmem, gpa_at(address), length, request->kernel_fd, offset);
	return r < 0 ? file_error("kernel", request->kernel_name, r, err) : 0;
}

/* The highest page-aligned place inside [start, end) that the kernel leaves free; 0: none. */
static uint64_t highest_free(
	const struct boot_work *work, uint64_t start, uint64_t end, uint64_t size)
{
	for (;;) {
		uint64_t candidate;
		unsigned int i;

		if (end < start || size > end - start)
			return 0;
		candidate = (end - size) & ~(PAGE_BYTES - 1);
		if (candidate < start)
			return 0;
		for (i = 0; i < work->taken_count; i++) {
			if (overlaps(&work->taken[i], candidate, candidate + size))
				break;
		}
		if (i == work->taken_count)
			return candidate;
		end = work->taken[i].start;
	}
}

static int read_initrd(struct boot_work *work, uint64_t address, struct err *err)
{
	const struct boot_request *request = work->request;
	int r;

	work->initrd = (struct boot_range){address, address + request->initrd_size};
	r = gmem_pread_file(
		work->gmem, gpa_at(address), request->initrd_size, request->initrd_fd, 0);
	return r < 0 ? file_error("initrd", request->initrd_name, r, err) : 0;
}

static int initrd_too_large(const struct boot_work *work, uint64_t limit, struct err *err)
{
	const struct boot_request *request = work->request;

	return err_set(err, -E2BIG,
		"initrd '%s' of %" PRIu64 " MiB does not fit beside the kernel below %" PRIu64
		" MiB; the VM has %" PRIu64 " MiB, give more with -m",
		request->initrd_name, to_mib(request->initrd_size), limit >> 20,
		to_mib(gmem_size_bytes(work->gmem)));
}

int boot_load_initrd_below(struct boot_work *work, uint64_t limit, struct err *err)
{
	const struct boot_request *request = work->request;
	uint64_t best = 0;

	if (request->initrd_fd < 0)
		return 0;
	if (limit > LOW_RAM_END)
		limit = LOW_RAM_END;
	for (unsigned int i = 0; i < request->e820_count; i++) {
		const struct e820_entry *entry = &request->e820[i];
		uint64_t start = entry->base, end = entry->base + entry->size, place;

		if (entry->type != E820_RAM)
			continue;
		start = start < KERNEL_MIN_ADDRESS ? KERNEL_MIN_ADDRESS : start;
		end = end > limit ? limit : end;
		place = highest_free(work, start, end, request->initrd_size);
		best = place > best ? place : best;
	}
	return best ? read_initrd(work, best, err) : initrd_too_large(work, limit, err);
}

int boot_load_initrd_above_kernel(struct boot_work *work, struct err *err)
{
	const struct boot_request *request = work->request;
	uint64_t place = KERNEL_MIN_ADDRESS;

	if (request->initrd_fd < 0)
		return 0;
	for (unsigned int i = 0; i < work->taken_count; i++) {
		if (work->taken[i].start < LOW_RAM_END && work->taken[i].end > place)
			place = work->taken[i].end;
	}
	place = (place + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
	if (!gmem_contains(work->gmem, gpa_at(place), request->initrd_size))
		return boot_load_initrd_below(work, LOW_RAM_END, err);
	return read_initrd(work, place, err);
}

int boot_put(const struct boot_work *work, uint64_t address, const void *data, size_t length,
	struct err *err)
{
	int r = gmem_write(work->gmem, gpa_at(address), data, length);

	if (r < 0)
		return err_set(err, -E2BIG,
			"the VM's %" PRIu64 " KiB of memory do not hold the boot tables; give more "
			"with -m",
			gmem_size_bytes(work->gmem) >> 10);
	return 0;
}

/* Adds bytes to the strings; the caller writes a final NUL. */
static int put_characters(
	struct boot_work *work, const char *characters, size_t length, struct err *err)
{
	int r;

	if (length > COMMAND_LINE_END - work->strings_end)
		return err_set(err, -E2BIG,
			"the kernel command line and the file names have more than %" PRIu64
			" characters",
			COMMAND_LINE_END - COMMAND_LINE_ADDRESS - 1);
	r = boot_put(work, work->strings_end, characters, length, err);
	if (r < 0)
		return r;
	work->strings_end += length;
	return 0;
}

int boot_put_string(
	struct boot_work *work, const char *string, uint64_t *ret_address, struct err *err)
{
	uint64_t address = work->strings_end;
	int r = put_characters(work, string, strlen(string) + 1, err);

	if (r < 0)
		return r;
	*ret_address = address;
	return 0;
}

int boot_put_command_line(struct boot_work *work, const char *first_word, const char *line,
	uint64_t maximum, uint64_t *ret_address, struct err *err)
{
	uint64_t address = work->strings_end, rest;
	size_t length = strlen(line);
	int r = command_line_limit_check(length, maximum, work->request->kernel_name, err);

	if (r == 0 && *first_word) {
		r = put_characters(work, first_word, strlen(first_word), err);
		if (r == 0 && length)
			r = put_characters(work, " ", 1, err);
	}
	if (r == 0)
		r = boot_put_string(work, line, &rest, err);
	if (r < 0)
		return r;
	*ret_address = address;
	return 0;
}

/* Linux boot protocol 1: the boot sector's signature at 0x1fe and "HdrS" at 0x202. */
static bool is_linux(const struct boot_work *work)
{
	return work->head[0x1fe] == 0x55 && work->head[0x1ff] == 0xaa &&
	       memcmp(&work->head[0x202], "HdrS", 4) == 0;
}

int boot_load(const struct gmem *gmem, const struct boot_request *request,
	struct boot_result *ret_result, struct err *err)
{
	struct boot_work work = {
		.gmem = gmem,
		.request = request,
		.strings_end = COMMAND_LINE_ADDRESS,
	};
	bool has_addresses;
	int r;

	if (request->e820_count > E820_ENTRIES_MAX)
		return err_set(
			err, -EINVAL, "the memory map has more than %d entries", E820_ENTRIES_MAX);
	work.head_length = request->kernel_size < BOOT_HEAD_BYTES ? (size_t)request->kernel_size
	                                                          : BOOT_HEAD_BYTES;
	r = boot_read_header(&work, 0, work.head, work.head_length, err);
	if (r < 0)
		return r;
	if (memcmp(work.head, "\177ELF", 4) == 0)
		return boot_elf_load(&work, ret_result, err);
	if (is_linux(&work))
		return boot_linux_load(&work, ret_result, err);
	if (boot_multiboot_present(&work, &has_addresses))
		return boot_multiboot_load_flat(&work, ret_result, err);
	return boot_refuse(&work, err);
}
