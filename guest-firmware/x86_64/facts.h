/*
 * What the loader told the guest, copied out before anything can overwrite it: the same facts
 * whichever way the image was entered.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define FACTS_RANGES_MAX         64
#define FACTS_COMMAND_LINE_BYTES 2048

#define MEMORY_RAM 1

struct memory_range {
	uint64_t base;
	uint64_t size;
	uint32_t type;
};

struct facts {
	uint32_t entry; /* ENTRY_* of image.h */
	uint64_t information;
	uint32_t magic;   /* of the information, 0 where the protocol has none */
	uint32_t version; /* likewise */
	uint64_t command_line_address;
	char command_line[FACTS_COMMAND_LINE_BYTES]; /* cut to fit */
	uint64_t rsdp_address;                       /* 0: not told */
	uint64_t module_address, module_bytes;       /* the initrd; 0: none */
	struct memory_range ranges[FACTS_RANGES_MAX];
	unsigned int range_count; /* as reported; may exceed FACTS_RANGES_MAX */
};

extern struct facts facts;

void facts_read(uint32_t entry, uint64_t information);
