/*
 * See aml.h. Package lengths come before the bytes they count: aml_end moves the finished content
 * up by the one to four bytes that the length takes, so every length is as short as it can be.
 */
#include "aml.h"

#include <assert.h>
#include <string.h>

/* ACPI 6.5 20.2, 20.3. */
enum {
	ZERO_OP = 0x00,
	ONE_OP = 0x01,
	NAME_OP = 0x08,
	BYTE_PREFIX = 0x0a,
	WORD_PREFIX = 0x0b,
	DWORD_PREFIX = 0x0c,
	STRING_PREFIX = 0x0d,
	QWORD_PREFIX = 0x0e,
	SCOPE_OP = 0x10,
	BUFFER_OP = 0x11,
	PACKAGE_OP = 0x12,
	METHOD_OP = 0x14,
	DUAL_NAME_PREFIX = 0x2e,
	MULTI_NAME_PREFIX = 0x2f,
	EXTENDED_PREFIX = 0x5b,
	LOCAL0_OP = 0x60,
	ARG0_OP = 0x68,
	DEVICE_OP = 0x82, /* behind EXTENDED_PREFIX */
	IF_OP = 0xa0,
	ELSE_OP = 0xa1,
};

#define METHOD_SERIALIZED 0x08

/* ACPI 6.5 6.4: tags of resource descriptors. */
enum {
	TAG_IRQ_NO_FLAGS = 0x22,
	TAG_IO = 0x47,
	TAG_END = 0x79,
	TAG_MEMORY32_FIXED = 0x86,
	TAG_DWORD_SPACE = 0x87,
	TAG_WORD_SPACE = 0x88,
	TAG_EXTENDED_INTERRUPT = 0x89,
	TAG_QWORD_SPACE = 0x8a,
};

enum { SPACE_MEMORY = 0, SPACE_BUS_NUMBERS = 2 };
enum { SPACE_CONSUMER = 0x01, SPACE_FIXED_RANGE = 0x0c }; /* minimum and maximum are fixed */
enum { MEMORY_WRITABLE = 0x01 };                          /* and not cacheable */

void aml_op(struct blob *aml, enum aml_opcode opcode)
{
	blob_u8(aml, (uint8_t)opcode);
}

void aml_argument(struct blob *aml, unsigned int number)
{
	assert(number <= 6);
	blob_u8(aml, (uint8_t)(ARG0_OP + number));
}

void aml_local(struct blob *aml, unsigned int number)
{
	assert(number <= 7);
	blob_u8(aml, (uint8_t)(LOCAL0_OP + number));
}

void aml_path(struct blob *aml, const char *path)
{
	uint8_t segments = 0;

	for (; *path == '\\' || *path == '^'; path++)
		blob_u8(aml, (uint8_t)*path);
	if (*path)
		segments = 1;
	for (const char *at = path; *at; at++)
		if (*at == '.')
			segments++;
	if (segments == 0) {
		blob_u8(aml, 0); /* NullName: the root itself */
	} else if (segments == 2) {
		blob_u8(aml, DUAL_NAME_PREFIX);
	} else if (segments > 2) {
		blob_u8(aml, MULTI_NAME_PREFIX);
		blob_u8(aml, segments);
	}
	while (*path) {
		size_t length = strcspn(path, ".");

		assert(length >= 1 && length <= 4);
		blob_bytes(aml, path, length);
		blob_bytes(aml, "____", 4 - length);
		path += length;
		if (*path)
			path++;
	}
}

void aml_integer(struct blob *aml, uint64_t value)
{
	if (value <= 1) {
		blob_u8(aml, value ? ONE_OP : ZERO_OP);
	} else if (value <= UINT8_MAX) {
		blob_u8(aml, BYTE_PREFIX);
		blob_u8(aml, (uint8_t)value);
	} else if (value <= UINT16_MAX) {
		blob_u8(aml, WORD_PREFIX);
		blob_u16(aml, (uint16_t)value);
	} else if (value <= UINT32_MAX) {
		blob_u8(aml, DWORD_PREFIX);
		blob_u32(aml, (uint32_t)value);
	} else {
		blob_u8(aml, QWORD_PREFIX);
		blob_u64(aml, value);
	}
}

void aml_string(struct blob *aml, const char *text)
{
	blob_u8(aml, STRING_PREFIX);
	blob_bytes(aml, text, strlen(text) + 1);
}

void aml_buffer(struct blob *aml, const uint8_t *bytes, size_t length)
{
	size_t mark;

	blob_u8(aml, BUFFER_OP);
	mark = aml->length;
	aml_integer(aml, length);
	blob_bytes(aml, bytes, length);
	aml_end(aml, mark);
}

/* The value of an upper-case hexadecimal digit, or 16. */
static uint32_t hex_digit(char c)
{
	static const char digits[] = "0123456789ABCDEF";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (uint32_t)(at - digits) : 16;
}

void aml_hardware_id(struct blob *aml, const char *id)
{
	uint32_t value = 0;

	if (strlen(id) != 7) {
		aml_string(aml, id);
		return;
	}
	/* Three letters of five bits and four hexadecimal digits, most significant byte first
	 * (ACPI 6.5 19.3.4, EISAID). */
	for (int i = 0; i < 3; i++)
		value = value << 5 | (uint32_t)((id[i] - '@') & 0x1f);
	for (int i = 3; i < 7; i++) {
		assert(hex_digit(id[i]) < 16);
		value = value << 4 | hex_digit(id[i]);
	}
	blob_u8(aml, DWORD_PREFIX);
	blob_u32(aml, __builtin_bswap32(value));
}

void aml_name(struct blob *aml, const char *path)
{
	blob_u8(aml, NAME_OP);
	aml_path(aml, path);
}

void aml_name_integer(struct blob *aml, const char *path, uint64_t value)
{
	aml_name(aml, path);
	aml_integer(aml, value);
}

void aml_name_hardware_id(struct blob *aml, const char *path, const char *id)
{
	aml_name(aml, path);
	aml_hardware_id(aml, id);
}

size_t aml_scope_begin(struct blob *aml, const char *path)
{
	size_t mark;

	blob_u8(aml, SCOPE_OP);
	mark = aml->length;
	aml_path(aml, path);
	return mark;
}

size_t aml_device_begin(struct blob *aml, const char *path)
{
	size_t mark;

	blob_u8(aml, EXTENDED_PREFIX);
	blob_u8(aml, DEVICE_OP);
	mark = aml->length;
	aml_path(aml, path);
	return mark;
}

size_t aml_method_begin(struct blob *aml, const char *path, unsigned int argument_count)
{
	size_t mark;

	assert(argument_count <= 7);
	blob_u8(aml, METHOD_OP);
	mark = aml->length;
	aml_path(aml, path);
	blob_u8(aml, (uint8_t)(argument_count | METHOD_SERIALIZED));
	return mark;
}

size_t aml_package_begin(struct blob *aml, unsigned int element_count)
{
	size_t mark;

	assert(element_count <= UINT8_MAX);
	blob_u8(aml, PACKAGE_OP);
	mark = aml->length;
	blob_u8(aml, (uint8_t)element_count);
	return mark;
}

size_t aml_if_begin(struct blob *aml)
{
	blob_u8(aml, IF_OP);
	return aml->length;
}

size_t aml_else_begin(struct blob *aml)
{
	blob_u8(aml, ELSE_OP);
	return aml->length;
}

void aml_end(struct blob *aml, size_t mark)
{
	/* ACPI 6.5 20.2.4: what a length of one to four bytes can say; it counts itself. */
	static const size_t limits[] = {0x3f, 0xfff, 0xfffff, 0xfffffff};
	size_t total = aml->length - mark;
	unsigned int more = 0; /* bytes behind the first */

	if (aml->overflow)
		return;
	while (total + 1 + more > limits[more]) {
		if (++more == 4) {
			aml->overflow = true;
			return;
		}
	}
	total += 1 + more;
	blob_open_gap(aml, mark, 1 + more);
	if (more == 0) {
		blob_patch_u8(aml, mark, (uint8_t)total);
		return;
	}
	blob_patch_u8(aml, mark, (uint8_t)(more << 6 | (total & 0xf)));
	for (unsigned int i = 0; i < more; i++)
		blob_patch_u8(aml, mark + 1 + i, (uint8_t)(total >> (4 + 8 * i)));
}

/* The buffer's size stands in front of its bytes: a word, whatever its value, patched at the end.
 */
size_t aml_resources_begin(struct blob *aml)
{
	size_t mark;

	blob_u8(aml, BUFFER_OP);
	mark = aml->length;
	blob_u8(aml, WORD_PREFIX);
	blob_u16(aml, 0);
	return mark;
}

void aml_resources_end(struct blob *aml, size_t mark)
{
	size_t size;

	blob_u8(aml, TAG_END);
	blob_u8(aml, 0); /* checksum: 0 means none (ACPI 6.5 6.4.2.9) */
	size = aml->length - mark - 3;
	if (size > UINT16_MAX)
		aml->overflow = true;
	blob_patch_u16(aml, mark + 1, (uint16_t)size);
	aml_end(aml, mark);
}

void aml_resource_io(struct blob *aml, uint16_t base, uint8_t length)
{
	blob_u8(aml, TAG_IO);
	blob_u8(aml, 1);     /* decodes 16 bits */
	blob_u16(aml, base); /* lowest and highest base: it does not move */
	blob_u16(aml, base);
	blob_u8(aml, 1); /* alignment */
	blob_u8(aml, length);
}

void aml_resource_interrupt(struct blob *aml, uint32_t gsi, bool level)
{
	if (gsi < 16 && !level) {
		blob_u8(aml, TAG_IRQ_NO_FLAGS);
		blob_u16(aml, (uint16_t)(1U << gsi));
		return;
	}
	blob_u8(aml, TAG_EXTENDED_INTERRUPT);
	blob_u16(aml, 6);
	blob_u8(aml, level ? 0x01 : 0x03); /* consumer, level or edge, active high, exclusive */
	blob_u8(aml, 1);
	blob_u32(aml, gsi);
}

void aml_resource_memory32(struct blob *aml, uint32_t base, uint32_t length)
{
	blob_u8(aml, TAG_MEMORY32_FIXED);
	blob_u16(aml, 9);
	blob_u8(aml, MEMORY_WRITABLE);
	blob_u32(aml, base);
	blob_u32(aml, length);
}

/* The head of an address space descriptor with five fields of field_bytes each to follow. */
static void space_head(struct blob *aml, uint8_t tag, uint16_t field_bytes, uint8_t type,
	uint8_t general_flags, uint8_t type_flags)
{
	blob_u8(aml, tag);
	blob_u16(aml, (uint16_t)(3 + 5 * field_bytes));
	blob_u8(aml, type);
	blob_u8(aml, general_flags);
	blob_u8(aml, type_flags);
}

void aml_resource_bus_numbers(struct blob *aml, uint16_t first, uint16_t count)
{
	space_head(aml, TAG_WORD_SPACE, 2, SPACE_BUS_NUMBERS, SPACE_FIXED_RANGE, 0);
	blob_u16(aml, 0); /* granularity */
	blob_u16(aml, first);
	blob_u16(aml, (uint16_t)(first + count - 1));
	blob_u16(aml, 0); /* translation */
	blob_u16(aml, count);
}

void aml_resource_window32(struct blob *aml, uint32_t base, uint32_t length)
{
	space_head(aml, TAG_DWORD_SPACE, 4, SPACE_MEMORY, SPACE_FIXED_RANGE, MEMORY_WRITABLE);
	blob_u32(aml, 0);
	blob_u32(aml, base);
	blob_u32(aml, base + length - 1);
	blob_u32(aml, 0);
	blob_u32(aml, length);
}

static void memory_space64(struct blob *aml, uint8_t general_flags, uint64_t base, uint64_t length)
{
	space_head(aml, TAG_QWORD_SPACE, 8, SPACE_MEMORY, general_flags, MEMORY_WRITABLE);
	blob_u64(aml, 0);
	blob_u64(aml, base);
	blob_u64(aml, base + length - 1);
	blob_u64(aml, 0);
	blob_u64(aml, length);
}

void aml_resource_window64(struct blob *aml, uint64_t base, uint64_t length)
{
	memory_space64(aml, SPACE_FIXED_RANGE, base, length);
}

void aml_resource_memory64(struct blob *aml, uint64_t base, uint64_t length)
{
	memory_space64(aml, SPACE_FIXED_RANGE | SPACE_CONSUMER, base, length);
}
