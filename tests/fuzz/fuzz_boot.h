/*
 * A VM's memory and a kernel file made of the input, for the fuzz targets of the loaders. A loaded
 * kernel is checked for what the rest of the machine relies on.
 */
#pragma once

#include "boot.h"
#include "fd.h"
#include "fuzz.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FUZZ_MEMORY_BYTES (UINT64_C(32) << 20)
#define FUZZ_INITRD_BYTES 5000
#define FUZZ_INFORMATION  UINT64_C(0x7000)

static inline int fuzz_file(const void *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	fuzz_require(fd >= 0);
	fuzz_require(fd_write(fd, data, size) == 0);
	return fd;
}

static inline void fuzz_check_untouched(const struct gmem *gmem, uint64_t start, uint64_t end)
{
	for (uint64_t address = start; address < end; address += 8) {
		uint64_t value;

		fuzz_require(gmem_load64(gmem, gpa_at(address), &value) == 0 && value == 0);
	}
}

static inline void fuzz_check_result(const struct gmem *gmem, const struct boot_result *result)
{
	uint8_t byte;

	fuzz_require(result->protocol <= BOOT_MULTIBOOT);
	fuzz_require(result->information == FUZZ_INFORMATION);
	fuzz_require(result->entry < FUZZ_MEMORY_BYTES);
	fuzz_require(gmem_read(gmem, gpa_at(result->entry), &byte, 1) == 0);
	/* The boot GDT and the page tables are not the kernel's to fill. */
	fuzz_check_untouched(gmem, 0, 0x1000);
	fuzz_check_untouched(gmem, 0x9000, 0xf000);
}

static inline int fuzz_boot(const uint8_t *data, size_t size)
{
	static const struct e820_entry e820[] = {
		{0, 0x9fc00, E820_RAM},
		{0x9fc00, 0x60400, E820_RESERVED},
		{0x100000, FUZZ_MEMORY_BYTES - 0x100000, E820_RAM},
	};
	static const uint8_t initrd[FUZZ_INITRD_BYTES] = "initrd";
	cleanup_fd int kernel_fd = fuzz_file(data, size);
	cleanup_fd int initrd_fd = fuzz_file(initrd, sizeof(initrd));
	const struct boot_request request = {
		.kernel_fd = kernel_fd,
		.kernel_size = size,
		.kernel_name = "kernel",
		.initrd_fd = initrd_fd,
		.initrd_size = sizeof(initrd),
		.initrd_name = "initrd",
		.command_line = "console=ttyS0",
		.plain_command_line = "",
		.rsdp_address = 0xe0000,
		.e820 = e820,
		.e820_count = 3,
	};
	struct gmem gmem = {.region_count = 1, .regions = {{.size_bytes = FUZZ_MEMORY_BYTES}}};
	struct boot_result result = {.entry = UINT64_MAX};
	struct err err = {0};
	int r;

	fuzz_require(gmem_create(&gmem, &(struct gmem_options){0}, NULL) == 0);
	r = boot_load(&gmem, &request, &result, &err);
	if (r == 0) {
		fuzz_check_result(&gmem, &result);
	} else {
		fuzz_require(r == err.code && err.text[0]);
		fuzz_require(result.entry == UINT64_MAX); /* written only on success */
	}
	gmem_destroy(&gmem);
	return 0;
}
