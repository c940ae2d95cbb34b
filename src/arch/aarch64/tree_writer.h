/*
 * A device tree as it is written, node by node. The first failure is remembered and everything
 * after it ignored, so callers check once, at the end. Cells are big-endian 32-bit words.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct tree_writer {
	void *buffer;
	int error; /* libfdt's, 0: none */
};

#define TREE_CELLS_MAX 160 /* the interrupt map of a PCI host */

struct tree_cells {
	uint32_t words[TREE_CELLS_MAX];
	size_t count;
};

void tree_writer_begin(struct tree_writer *writer, void *buffer, size_t capacity);
/* The tree's length; libfdt's error when something has failed. */
int tree_writer_end(struct tree_writer *writer);

/* A node at an address is "name@address". */
void tree_node(struct tree_writer *writer, const char *name);
void tree_node_at(struct tree_writer *writer, const char *name, uint64_t address);
void tree_node_end(struct tree_writer *writer);

void tree_empty(struct tree_writer *writer, const char *name);
void tree_bytes(struct tree_writer *writer, const char *name, const void *bytes, size_t length);
void tree_string(struct tree_writer *writer, const char *name, const char *string);
void tree_u32(struct tree_writer *writer, const char *name, uint32_t value);
void tree_u64(struct tree_writer *writer, const char *name, uint64_t value);
void tree_list(struct tree_writer *writer, const char *name, const struct tree_cells *cells);

/* More than TREE_CELLS_MAX words are a mistake of the caller's. */
void tree_cells_add(struct tree_cells *cells, uint32_t word);
void tree_cells_add64(struct tree_cells *cells, uint64_t value);
