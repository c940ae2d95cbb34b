/* See tree.h. */
#include "tree.h"

#include "words.h"

#include <stddef.h>

#define MAGIC            0xd00dfeed
#define TOKEN_BEGIN_NODE 1
#define TOKEN_END_NODE   2
#define TOKEN_PROPERTY   3
#define TOKEN_NOP        4
#define TOKEN_BYTES      4

static const uint8_t *structure, *strings;

bool tree_open(uint64_t address)
{
	const uint8_t *tree = (const uint8_t *)(uintptr_t)address;

	if (!address || tree_big(tree) != MAGIC)
		return false;
	structure = tree + tree_big(tree + 8);
	strings = tree + tree_big(tree + 12);
	return true;
}

/* Is the part of the name in front of '@' this word? */
static bool has_name(const char *name, const char *word)
{
	while (*word && *name == *word) {
		name++;
		word++;
	}
	return !*word && (!*name || *name == '@');
}

static size_t aligned(size_t length)
{
	return (length + 3) & ~(size_t)3;
}

static size_t length_of(const char *string)
{
	size_t length = 0;

	while (string[length])
		length++;
	return length;
}

/* Names of nodes and properties are in the order of the tree: a node's properties come before its
 * children. */
const void *tree_property_next(
	const char *node, const char *property, unsigned int index, uint32_t *ret_length)
{
	const uint8_t *at = structure;
	bool inside = false;

	while (at) {
		const uint32_t token = tree_big(at);

		at += TOKEN_BYTES;
		if (token == TOKEN_BEGIN_NODE) {
			inside = has_name((const char *)at, node);
			at += aligned(length_of((const char *)at) + 1);
		} else if (token == TOKEN_PROPERTY) {
			const char *name = (const char *)strings + tree_big(at + 4);

			if (inside && string_equal(name, property) && index-- == 0) {
				*ret_length = tree_big(at);
				return at + 8;
			}
			at += 8 + aligned(tree_big(at));
		} else if (token == TOKEN_END_NODE) {
			inside = false;
		} else if (token != TOKEN_NOP) {
			return NULL;
		}
	}
	return NULL;
}

const void *tree_property(const char *node, const char *property, uint32_t *ret_length)
{
	return tree_property_next(node, property, 0, ret_length);
}

uint32_t tree_cell(const char *node, const char *property, unsigned int index)
{
	uint32_t length = 0;
	const uint8_t *value = tree_property(node, property, &length);

	return value && length >= (index + 1) * 4 ? tree_big(value + index * (size_t)4) : 0;
}

uint64_t tree_cells(const char *node, const char *property, unsigned int index)
{
	return (uint64_t)tree_cell(node, property, index) << 32 |
	       tree_cell(node, property, index + 1);
}
