/*
 * The caches of processors in the tree: Devicetree Specification 0.4, 3.8 and 3.9. What there is
 * CLIDR_EL1 tells; sizes it does not, and those of CCSIDR_EL1 are for maintenance by set and way:
 * KVM makes them up.
 *
 * KVM does not say either which processors share a cache. The last level is everyone's and those
 * below it are each processor's own: an operating system wakes a thread only on processors that
 * share a cache with where it was. So there are always two levels, if any are known.
 */
#pragma once

#include "tree_writer.h"

#include <stdint.h>

#define TREE_CACHE_HANDLE 16 /* caches have this phandle and those above it */

/* In the node of a processor, after its other properties: properties and nodes. */
void tree_caches_put_own(struct tree_writer *writer, uint64_t clidr, unsigned int cpu);

/* In the node of all processors. */
void tree_caches_put_shared(struct tree_writer *writer, uint64_t clidr);
