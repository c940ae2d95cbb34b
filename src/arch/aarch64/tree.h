/*
 * The flattened device tree: the board's description as Linux takes it on arm64. Devicetree
 * Specification 0.4 and the bindings in Linux Documentation/devicetree/bindings.
 *
 * A pure function of its request.
 */
#pragma once

#include "board.h"
#include "err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TREE_SEED_BYTES 64
#define TREE_BYTES_MAX  ((size_t)512 * 1024) /* of 512 CPUs with seven levels of caches */

struct tree_request {
	const struct board *board;
	uint64_t memory_base, memory_bytes;
	const uint64_t *mpidrs; /* of board->cpu_count CPUs */
	uint64_t clidr;         /* of each of them; 0: not known */
	unsigned int gic_version;
	bool has_its;
	bool has_pmu;
	const char *command_line;
	uint64_t initrd_start, initrd_end; /* equal: none */
	uint64_t kaslr_seed;
	uint8_t rng_seed[TREE_SEED_BYTES];
};

/* The tree in buffer and its length. -E2BIG: capacity is not enough. */
must_check int tree_build(const struct tree_request *request, void *buffer, size_t capacity,
	size_t *ret_length, struct err *err);
