/*
 * Chains as tables: descriptors with symbolic addresses, and what must come of them.
 */
#pragma once

#include "cases.h"

#define CHAIN_MAX 8

struct link { /* a descriptor */
	enum place at;
	uint32_t length;
	uint16_t flags;
	uint16_t next; /* split only */
	uint64_t offset;
};

struct chain_case {
	enum expect expect;
	uint16_t count, table_count;
	uint64_t features;
	struct link links[CHAIN_MAX];
	struct link table[CHAIN_MAX]; /* at AT_TABLE */
};

void chain_run(struct scene *scene, const struct hostile_case *self);

#define CHAIN(case_name, case_needs, ...)                                 \
	{                                                                 \
		.name = case_name, .needs = case_needs, .run = chain_run, \
		.data = &(const struct chain_case)                        \
		{                                                         \
			__VA_ARGS__                                       \
		}                                                         \
	}

/* The parts of a good request. */
#define LINK_IN                            \
	{                                  \
		AT_IN, 16, DESC_NEXT, 1, 0 \
	}
#define LINK_DATA                                          \
	{                                                  \
		AT_DATA, 512, DESC_NEXT | DESC_WRITE, 2, 0 \
	}
#define LINK_STATUS                            \
	{                                      \
		AT_STATUS, 1, DESC_WRITE, 0, 0 \
	}
