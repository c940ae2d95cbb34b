/*
 * What the loader told the guest, by the device tree.
 */
#pragma once

#include <stdint.h>

struct facts {
	uint64_t tree; /* where it is; 0: not told, or it is none */
	const char *command_line;
	uint64_t ram_base, ram_bytes;
	uint64_t initrd_start, initrd_end; /* both 0: none */
};

extern struct facts facts;

void facts_read(uint64_t tree);
