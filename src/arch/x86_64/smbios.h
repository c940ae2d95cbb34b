/*
 * SMBIOS 3 tables: the 64-bit anchor, then types 0, 1, 3, 4, 16, 17, 19, 32 and 127.
 *
 * Pure: board in, bytes out. Runs on the main thread at start-up. The VM's name becomes the serial
 * number of the system; the UUID reads in the guest as its text form does on the host.
 */
#pragma once

#include "board.h"
#include "err.h"

#include <stddef.h>
#include <stdint.h>

/* Lays anchor and tables into buffer as they will stand at guest address base (16-byte aligned).
 * -ENOSPC when capacity does not do (only an absurdly long name gets there), -EINVAL for no CPU or
 * no memory. */
must_check int smbios_build(const struct board *board, uint64_t memory_bytes, uint64_t base,
	uint8_t *buffer, size_t capacity, size_t *ret_length, struct err *err);
