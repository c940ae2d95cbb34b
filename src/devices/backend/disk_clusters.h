/*
 * Where the bytes of an ephemeral disk are, cluster by cluster, and which clusters are being
 * changed. Two bits and one bit a cluster, in memory that the host provides as it is touched: 1 in
 * 10,000 of what the guest writes to. I/O thread, but for init and fini.
 */
#pragma once

#include "compiler.h"

#include <stdbool.h>
#include <stdint.h>

/* The page size of most guests: what they write covers whole clusters as a rule. */
#define CLUSTER_BYTES UINT64_C(4096)

enum cluster_state {
	CLUSTER_BASE, /* as in the base */
	CLUSTER_ZERO,
	CLUSTER_DATA, /* in the overlay, at the same offset */
};

struct clusters {
	uint64_t count;
	uint64_t *states; /* 32 a word */
	uint64_t *busy;   /* 64 a word */
	uint64_t busy_count;
	uint64_t data_count; /* in state DATA or promised to become so */
	uint64_t data_max;
};

must_check int clusters_init(struct clusters *clusters, uint64_t count, uint64_t data_max);
void clusters_fini(struct clusters *clusters);

enum cluster_state clusters_state(const struct clusters *clusters, uint64_t cluster);

/* Where the run of clusters from first on, before end, that share the state of the first ends. */
uint64_t clusters_run_end(const struct clusters *clusters, uint64_t first, uint64_t end);

void clusters_set_state(
	struct clusters *clusters, uint64_t first, uint64_t end, enum cluster_state state);

/* The first busy cluster from first on, end when there is none before. */
uint64_t clusters_find_busy(const struct clusters *clusters, uint64_t first, uint64_t end);
void clusters_set_busy(struct clusters *clusters, uint64_t first, uint64_t end, bool busy);

/* Room for so many clusters of data more; -ENOSPC. */
must_check int clusters_promise(struct clusters *clusters, uint64_t count);
void clusters_give_back(struct clusters *clusters, uint64_t count);
