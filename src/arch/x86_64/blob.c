/* See blob.h. */
#include "blob.h"

#include <assert.h>
#include <string.h>

/* Extends the blob by count bytes and returns them, or NULL when they do not fit. */
static uint8_t *extend(struct blob *blob, size_t count)
{
	uint8_t *room;

	if (blob->overflow || count > blob->capacity - blob->length) {
		blob->overflow = true;
		return NULL;
	}
	room = blob->data + blob->length;
	blob->length += count;
	return room;
}

static void put(uint8_t *at, uint64_t value, size_t size_bytes)
{
	for (size_t i = 0; i < size_bytes; i++)
		at[i] = (uint8_t)(value >> (8 * i));
}

static void append(struct blob *blob, uint64_t value, size_t size_bytes)
{
	uint8_t *room = extend(blob, size_bytes);

	if (room)
		put(room, value, size_bytes);
}

void blob_u8(struct blob *blob, uint8_t value)
{
	append(blob, value, sizeof(value));
}

void blob_u16(struct blob *blob, uint16_t value)
{
	append(blob, value, sizeof(value));
}

void blob_u32(struct blob *blob, uint32_t value)
{
	append(blob, value, sizeof(value));
}

void blob_u64(struct blob *blob, uint64_t value)
{
	append(blob, value, sizeof(value));
}

void blob_bytes(struct blob *blob, const void *bytes, size_t length)
{
	uint8_t *room = extend(blob, length);

	if (room && length)
		memcpy(room, bytes, length);
}

void blob_zeros(struct blob *blob, size_t count)
{
	uint8_t *room = extend(blob, count);

	if (room && count)
		memset(room, 0, count);
}

void blob_align(struct blob *blob, size_t alignment)
{
	blob_zeros(blob, (alignment - (blob->length & (alignment - 1))) & (alignment - 1));
}

void blob_open_gap(struct blob *blob, size_t offset, size_t count)
{
	size_t behind = blob->length - offset;

	assert(offset <= blob->length);
	if (extend(blob, count))
		memmove(blob->data + offset + count, blob->data + offset, behind);
}

static void patch(struct blob *blob, size_t offset, uint64_t value, size_t size_bytes)
{
	if (blob->overflow)
		return;
	assert(offset <= blob->length && size_bytes <= blob->length - offset);
	put(blob->data + offset, value, size_bytes);
}

void blob_patch_u8(struct blob *blob, size_t offset, uint8_t value)
{
	patch(blob, offset, value, sizeof(value));
}

void blob_patch_u16(struct blob *blob, size_t offset, uint16_t value)
{
	patch(blob, offset, value, sizeof(value));
}

void blob_patch_u32(struct blob *blob, size_t offset, uint32_t value)
{
	patch(blob, offset, value, sizeof(value));
}

void blob_patch_checksum(struct blob *blob, size_t start, size_t length, size_t offset)
{
	uint8_t sum = 0;

	if (blob->overflow)
		return;
	assert(start <= blob->length && length <= blob->length - start);
	for (size_t i = 0; i < length; i++)
		sum = (uint8_t)(sum + blob->data[start + i]);
	blob_patch_u8(blob, offset, (uint8_t)-sum);
}
