/*
 * EFI zboot: a compressed kernel inside a small EFI program that unpacks it, as some distributions
 * ship kernels of arm64. Linux drivers/firmware/efi/libstub/zboot-header.S. Private to base:
 * image.h is the door.
 */
#pragma once

#include "compiler.h"
#include "err.h"
#include "image.h"

/* Replaces such a file by the compressed kernel that is in it; leaves others as they are. -EINVAL:
 * it is cut short; -E2BIG beyond limit_bytes. */
must_check int zboot_take_out(const char *what, const char *path, uint64_t limit_bytes,
	struct image *image, struct err *err);
