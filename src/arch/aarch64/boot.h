/*
 * Loading an arm64 Image and an initrd: Documentation/arm64/booting.rst. Everything in the files is
 * hostile; main thread, before any vCPU.
 */
#pragma once

#include "err.h"
#include "gmem.h"

#include <stdint.h>

struct boot_request {
	int kernel_fd; /* seekable; borrowed */
	uint64_t kernel_size;
	const char *kernel_name;
	int initrd_fd; /* -1: none */
	uint64_t initrd_size;
	const char *initrd_name;
	uint64_t memory_model;    /* the processors' ID_AA64MMFR0_EL1 */
	const char *command_line; /* in the tree; here it is only measured */
};

#define BOOT_TREE_BYTES_MAX (UINT64_C(2) << 20)

struct boot_result {
	uint64_t entry;
	uint64_t tree; /* where there is room for BOOT_TREE_BYTES_MAX of device tree */
	uint64_t initrd_start, initrd_end; /* equal: none */
};

/* Checks the kernel and reads it and the initrd straight into guest memory, which is fresh and one
 * region. -ENOEXEC: not a kernel for this machine or its processors; -EINVAL: damaged; -E2BIG: too
 * large for this VM's memory, or a command line that the kernel would cut; -ENODATA: a file became
 * shorter meanwhile. */
must_check int boot_load(const struct gmem *gmem, const struct boot_request *request,
	struct boot_result *ret_result, struct err *err);
