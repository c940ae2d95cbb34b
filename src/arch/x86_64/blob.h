/*
 * A bounded byte sink for tables: little-endian words behind one another in the caller's buffer.
 *
 * Nothing is written outside the buffer; what does not fit sets overflow and ends the writing for
 * good, so callers check once, at the end. No heap.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct blob {
	uint8_t *data; /* borrowed */
	size_t capacity;
	size_t length;
	bool overflow;
};

void blob_u8(struct blob *blob, uint8_t value);
void blob_u16(struct blob *blob, uint16_t value);
void blob_u32(struct blob *blob, uint32_t value);
void blob_u64(struct blob *blob, uint64_t value);
void blob_bytes(struct blob *blob, const void *bytes, size_t length);
void blob_zeros(struct blob *blob, size_t count);

/* Zeros up to the next multiple of alignment (a power of two), counted from the blob's start. */
void blob_align(struct blob *blob, size_t alignment);

/* Makes room for count bytes at offset by moving up what stands behind it; the room's content is
 * unspecified until patched. */
void blob_open_gap(struct blob *blob, size_t offset, size_t count);

/* Overwrite what is there already; ignored after an overflow. */
void blob_patch_u8(struct blob *blob, size_t offset, uint8_t value);
void blob_patch_u16(struct blob *blob, size_t offset, uint16_t value);
void blob_patch_u32(struct blob *blob, size_t offset, uint32_t value);

/* Sets the byte at offset, which must be 0 and among the length bytes at start, so that these add
 * up to 0 modulo 256. */
void blob_patch_checksum(struct blob *blob, size_t start, size_t length, size_t offset);
