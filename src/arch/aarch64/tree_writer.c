/* See tree_writer.h. */
#include "tree_writer.h"

#include "compiler.h"

#include <assert.h>
#include <endian.h>
#include <inttypes.h>
#include <libfdt.h>
#include <stdio.h>
#include <string.h>

static void remember(struct tree_writer *writer, int result)
{
	if (!writer->error)
		writer->error = result;
}

void tree_writer_begin(struct tree_writer *writer, void *buffer, size_t capacity)
{
	*writer = (struct tree_writer){.buffer = buffer};
	remember(writer, fdt_create(buffer, (int)capacity));
	remember(writer, fdt_finish_reservemap(buffer));
}

int tree_writer_end(struct tree_writer *writer)
{
	remember(writer, fdt_finish(writer->buffer));
	return writer->error ? writer->error : (int)fdt_totalsize(writer->buffer);
}

void tree_node(struct tree_writer *writer, const char *name)
{
	if (!writer->error)
		remember(writer, fdt_begin_node(writer->buffer, name));
}

void tree_node_at(struct tree_writer *writer, const char *name, uint64_t address)
{
	char full[64];

	(void)snprintf(full, sizeof(full), "%s@%" PRIx64, name, address);
	tree_node(writer, full);
}

void tree_node_end(struct tree_writer *writer)
{
	if (!writer->error)
		remember(writer, fdt_end_node(writer->buffer));
}

void tree_bytes(struct tree_writer *writer, const char *name, const void *bytes, size_t length)
{
	if (!writer->error)
		remember(writer, fdt_property(writer->buffer, name, bytes, (int)length));
}

void tree_empty(struct tree_writer *writer, const char *name)
{
	tree_bytes(writer, name, NULL, 0);
}

void tree_string(struct tree_writer *writer, const char *name, const char *string)
{
	tree_bytes(writer, name, string, strlen(string) + 1);
}

void tree_u32(struct tree_writer *writer, const char *name, uint32_t value)
{
	const uint32_t word = htobe32(value);

	tree_bytes(writer, name, &word, sizeof(word));
}

void tree_u64(struct tree_writer *writer, const char *name, uint64_t value)
{
	const uint64_t words = htobe64(value);

	tree_bytes(writer, name, &words, sizeof(words));
}

void tree_list(struct tree_writer *writer, const char *name, const struct tree_cells *cells)
{
	tree_bytes(writer, name, cells->words, cells->count * sizeof(cells->words[0]));
}

void tree_cells_add(struct tree_cells *cells, uint32_t word)
{
	assert(cells->count < array_size(cells->words));
	cells->words[cells->count++] = htobe32(word);
}

void tree_cells_add64(struct tree_cells *cells, uint64_t value)
{
	tree_cells_add(cells, (uint32_t)(value >> 32));
	tree_cells_add(cells, (uint32_t)value);
}
