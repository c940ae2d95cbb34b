/*
 * Loading a kernel: a bzImage, an ELF file (by PVH note, 64-bit Linux entry or multiboot) and what
 * it is to find in memory.
 *
 * Runs on the main thread before any vCPU; everything in the files is hostile. Implements
 * Documentation/arch/x86/boot.rst, the Xen PVH start-info ABI, multiboot 0.6.96.
 */
#pragma once

#include "err.h"
#include "gmem.h"

#include <stdbool.h>
#include <stdint.h>

enum boot_protocol {
	BOOT_LINUX64,   /* 64-bit mode, paging on, rsi = boot_params */
	BOOT_PVH,       /* 32-bit protected mode, ebx = hvm_start_info */
	BOOT_MULTIBOOT, /* 32-bit protected mode, eax = 0x2badb002, ebx = multiboot_info */
};

enum e820_type { E820_RAM = 1, E820_RESERVED = 2 };

struct e820_entry {
	uint64_t base;
	uint64_t size;
	enum e820_type type;
};

#define E820_ENTRIES_MAX 16

struct boot_request {
	int kernel_fd; /* seekable; borrowed */
	uint64_t kernel_size;
	const char *kernel_name; /* for messages, and a multiboot command line's first word */
	int initrd_fd;           /* -1: none */
	uint64_t initrd_size;
	const char *initrd_name;
	const char *command_line;       /* for Linux */
	const char *plain_command_line; /* for others: without words that only Linux knows */
	uint64_t rsdp_address;          /* 0: none */
	const struct e820_entry *e820;
	unsigned int e820_count;
};

struct boot_result {
	enum boot_protocol protocol;
	uint64_t entry;       /* rip */
	uint64_t information; /* guest address of the protocol's structure */
};

/* Recognises the format, checks it, reads kernel and initrd straight into guest memory, writes the
 * command line and the protocol's structures. The memory must be fresh: what a kernel expects to be
 * zero is not written. -ENOEXEC: not a kernel for this machine, or of no known kind; -EINVAL:
 * damaged or cut short; -E2BIG: too large for this VM's memory or for the command line; -ENODATA: a
 * file became shorter meanwhile. */
must_check int boot_load(const struct gmem *gmem, const struct boot_request *request,
	struct boot_result *ret_result, struct err *err);
