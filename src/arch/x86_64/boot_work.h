/*
 * What the loaders of the single formats share: the file being loaded, the guest memory that is
 * taken, and the checked ways to put things there. Private to boot*.c; main thread, before vCPUs.
 */
#pragma once

#include "boot.h"
#include "compiler.h"

#include <stddef.h>

/* As much of the file as every format needs for recognition: multiboot 0.6.96 3.1. */
#define BOOT_HEAD_BYTES   8192
#define BOOT_SEGMENTS_MAX 64

struct boot_range {
	uint64_t start;
	uint64_t end; /* exclusive; equal to start when empty */
};

struct boot_work {
	const struct gmem *gmem;
	const struct boot_request *request;
	uint8_t head[BOOT_HEAD_BYTES]; /* the file's first bytes, zeros behind its end */
	size_t head_length;
	struct boot_range taken[BOOT_SEGMENTS_MAX]; /* by the kernel */
	unsigned int taken_count;
	struct boot_range initrd;
	uint64_t strings_end; /* strings fill COMMAND_LINE_ADDRESS up to here */
};

/* Reads a header of the kernel file into host memory: all of it or a sentence. */
must_check int boot_read_header(const struct boot_work *work, uint64_t offset, void *buffer,
	size_t length, struct err *err);

/* Takes guest memory for the kernel. -E2BIG: more memory would help; -EINVAL: over Hull's tables,
 * over an earlier claim, or where this machine never has RAM. */
must_check int boot_claim(
	struct boot_work *work, uint64_t address, uint64_t length, struct err *err);

/* Reads a part of the kernel file to where it was claimed. */
must_check int boot_read_kernel(const struct boot_work *work, uint64_t address, uint64_t length,
	uint64_t offset, struct err *err);

/* Reads the initrd, if there is one, as high as RAM below limit (exclusive) allows, or right above
 * the kernel where it fits there. Page-aligned. Call it after the last claim. */
must_check int boot_load_initrd_below(struct boot_work *work, uint64_t limit, struct err *err);
must_check int boot_load_initrd_above_kernel(struct boot_work *work, struct err *err);

/* A command line behind an optional word of its own ("" for none). -E2BIG when the line has more
 * than maximum characters. */
must_check int boot_put_command_line(struct boot_work *work, const char *first_word,
	const char *line, uint64_t maximum, uint64_t *ret_address, struct err *err);
must_check int boot_put_string(
	struct boot_work *work, const char *string, uint64_t *ret_address, struct err *err);

/* Writes a structure that the protocol passes to the kernel. */
must_check int boot_put(const struct boot_work *work, uint64_t address, const void *data,
	size_t length, struct err *err);

/* The formats. Each fills in *ret_result on success. */
must_check int boot_linux_load(
	struct boot_work *work, struct boot_result *ret_result, struct err *err);
must_check int boot_elf_load(
	struct boot_work *work, struct boot_result *ret_result, struct err *err);
must_check int boot_multiboot_load_flat(
	struct boot_work *work, struct boot_result *ret_result, struct err *err);

/* Behind a loaded 64-bit vmlinux: initrd, command line and a zero page made from nothing. */
must_check int boot_linux_describe(struct boot_work *work, struct err *err);
/* Likewise for PVH and multiboot kernels. */
must_check int boot_pvh_describe(struct boot_work *work, struct err *err);
must_check int boot_multiboot_describe(struct boot_work *work, struct err *err);

/* Is there a multiboot header, and does it bring its own load addresses (flag bit 16)? */
bool boot_multiboot_present(const struct boot_work *work, bool *ret_has_addresses);
/* Refuses what the header requires and Hull does not have. */
must_check int boot_multiboot_check(const struct boot_work *work, struct err *err);

/* Says what the file is instead of a kernel for this machine; always -ENOEXEC. */
int boot_refuse(const struct boot_work *work, struct err *err);
/* The name of an ELF machine number, or NULL. */
const char *boot_machine_name(unsigned int machine);
