/*
 * See facts.h. Layouts: Xen public/arch-x86/hvm/start_info.h; Multiboot 0.6.96 3.3;
 * Documentation/arch/x86/zero-page.rst.
 */
#include "facts.h"

#include "image.h"
#include "memory.h"
#include "paging.h"

#define MULTIBOOT_HAS_COMMAND_LINE (1u << 2)
#define MULTIBOOT_HAS_MODULES      (1u << 3)
#define MULTIBOOT_HAS_MAP          (1u << 6)
#define MULTIBOOT_LOADER_MAGIC     0x2badb002

struct facts facts;

static void add_range(uint64_t base, uint64_t size, uint32_t type)
{
	if (facts.range_count < FACTS_RANGES_MAX)
		facts.ranges[facts.range_count] = (struct memory_range){base, size, type};
	facts.range_count++;
}

static void copy_command_line(uint64_t address)
{
	const char *line;

	facts.command_line_address = address;
	if (!address || !paging_map(address, FACTS_COMMAND_LINE_BYTES))
		return;
	line = physical(address);
	for (unsigned int i = 0; i + 1 < FACTS_COMMAND_LINE_BYTES && line[i]; i++)
		facts.command_line[i] = line[i];
}

static void read_pvh(const uint8_t *info)
{
	const uint8_t *map;

	facts.magic = load32(info);
	facts.version = load32(info + 4);
	copy_command_line(load64(info + 24));
	facts.rsdp_address = load64(info + 32);
	if (load32(info + 12) && paging_map(load64(info + 16), 32)) {
		const uint8_t *module = physical(load64(info + 16));

		facts.module_address = load64(module);
		facts.module_bytes = load64(module + 8);
	}
	if (facts.version < 1 || !paging_map(load64(info + 40), 4096))
		return;
	map = physical(load64(info + 40));
	for (uint32_t i = 0; i < load32(info + 48) && i < FACTS_RANGES_MAX; i++, map += 24)
		add_range(load64(map), load64(map + 8), load32(map + 16));
}

static void read_multiboot(const uint8_t *info)
{
	uint32_t flags = load32(info);
	uint32_t used = 0;

	facts.magic = MULTIBOOT_LOADER_MAGIC;
	if (flags & MULTIBOOT_HAS_COMMAND_LINE)
		copy_command_line(load32(info + 16));
	if ((flags & MULTIBOOT_HAS_MODULES) && load32(info + 20)) {
		const uint8_t *module = physical(load32(info + 24));

		facts.module_address = load32(module);
		facts.module_bytes = load32(module + 4) - load32(module);
	}
	while ((flags & MULTIBOOT_HAS_MAP) && used < load32(info + 44)) {
		const uint8_t *entry = physical(load32(info + 48) + used);

		add_range(load64(entry + 4), load64(entry + 12), load32(entry + 20));
		used += load32(entry) + 4;
	}
}

static void read_linux(const uint8_t *params)
{
	const uint8_t *map = params + 0x2d0;

	facts.magic = load32(params + 0x202);
	facts.version = load16(params + 0x206);
	facts.rsdp_address = load64(params + 0x070);
	copy_command_line((uint64_t)load32(params + 0x0c8) << 32 | load32(params + 0x228));
	facts.module_address = (uint64_t)load32(params + 0x0c0) << 32 | load32(params + 0x218);
	facts.module_bytes = (uint64_t)load32(params + 0x0c4) << 32 | load32(params + 0x21c);
	for (unsigned int i = 0; i < params[0x1e8] && i < FACTS_RANGES_MAX; i++, map += 20)
		add_range(load64(map), load64(map + 8), load32(map + 16));
}

void facts_read(uint32_t entry, uint64_t information)
{
	facts.entry = entry;
	facts.information = information;
	if (!information || !paging_map(information, 4096))
		return;
	if (entry == ENTRY_PVH)
		read_pvh(physical(information));
	else if (entry == ENTRY_MULTIBOOT)
		read_multiboot(physical(information));
	else
		read_linux(physical(information));
}
