/*
 * The flattened device tree (Devicetree Specification 0.4, chapter 5), as far as guests ask: the
 * properties of nodes by their names and paths.
 */
#pragma once

#include "memory.h"

#include <stdbool.h>
#include <stdint.h>

/* The tree's numbers are big-endian. */
static inline uint32_t tree_big(const void *at)
{
	return __builtin_bswap32(load32(at));
}

/* False when there is no tree at that address. */
bool tree_open(uint64_t address);

/* A property of the first node whose name, up to its '@', is this; NULL: there is none. */
const void *tree_property(const char *node, const char *property, uint32_t *ret_length);

/* The same of the index-th such node that has the property. */
const void *tree_property_next(
	const char *node, const char *property, unsigned int index, uint32_t *ret_length);

/* The index-th cell of such a property, or two cells from there; 0: there is none. */
uint32_t tree_cell(const char *node, const char *property, unsigned int index);
uint64_t tree_cells(const char *node, const char *property, unsigned int index);
