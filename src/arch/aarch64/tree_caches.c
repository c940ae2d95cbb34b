/* See tree_caches.h. CLIDR_EL1 has three bits for each level, from the first on. */
#include "tree_caches.h"

#include <stdbool.h>
#include <stdio.h>

#define LEVELS_TOLD_MAX 7
#define LEVELS_MIN      2

enum { TYPE_NONE = 0, TYPE_UNIFIED = 4 };

static unsigned int type_of(uint64_t clidr, unsigned int level)
{
	return clidr >> (level - 1) * 3 & 7;
}

/* 0: nothing is known. */
static unsigned int count_levels(uint64_t clidr)
{
	unsigned int told = 0;

	while (told < LEVELS_TOLD_MAX && type_of(clidr, told + 1) != TYPE_NONE)
		told++;
	return told == 1 ? LEVELS_MIN : told;
}

/* A level of which nothing is told is the one that is added. */
static bool is_unified(uint64_t clidr, unsigned int level)
{
	const unsigned int type = type_of(clidr, level);

	return type == TYPE_UNIFIED || type == TYPE_NONE;
}

static uint32_t handle_of(unsigned int levels, unsigned int cpu, unsigned int level)
{
	if (level == levels)
		return TREE_CACHE_HANDLE;
	return TREE_CACHE_HANDLE + 1 + cpu * (levels - LEVELS_MIN) + (level - LEVELS_MIN);
}

static void put_cache(
	struct tree_writer *writer, uint64_t clidr, unsigned int cpu, unsigned int level)
{
	const unsigned int levels = count_levels(clidr);
	char name[16];

	(void)snprintf(name, sizeof(name), "l%u-cache", level);
	tree_node(writer, name);
	tree_string(writer, "compatible", "cache");
	tree_u32(writer, "cache-level", level);
	if (is_unified(clidr, level))
		tree_empty(writer, "cache-unified");
	if (level < levels)
		tree_u32(writer, "next-level-cache", handle_of(levels, cpu, level + 1));
	tree_u32(writer, "phandle", handle_of(levels, cpu, level));
	tree_node_end(writer);
}

void tree_caches_put_own(struct tree_writer *writer, uint64_t clidr, unsigned int cpu)
{
	const unsigned int levels = count_levels(clidr);

	if (!levels)
		return;
	if (is_unified(clidr, 1))
		tree_empty(writer, "cache-unified");
	tree_u32(writer, "next-level-cache", handle_of(levels, cpu, 2));
	for (unsigned int level = 2; level < levels; level++)
		put_cache(writer, clidr, cpu, level);
}

void tree_caches_put_shared(struct tree_writer *writer, uint64_t clidr)
{
	const unsigned int levels = count_levels(clidr);

	if (levels)
		put_cache(writer, clidr, 0, levels);
}
