/* See paging.h. SDM 3A "4-Level Paging": 1 GiB pages where CPUID has them, else 2 MiB. */
#include "paging.h"

#include "cpu.h"
#include "image.h"

#include <stddef.h>

#define GIB_SHIFT        30
#define PML4_SHIFT       39
#define ENTRIES          512
#define TABLES_MAX       32
#define PRESENT_WRITABLE 0x3
#define PRESENT_LARGE    0x83
#define ADDRESS_MASK     UINT64_C(0x000ffffffffff000)
#define USER             UINT64_C(0x4)
#define LARGE            UINT64_C(0x80)
#define LARGE_PAGE_BYTES UINT64_C(0x200000)
#define CPUID_GIB_PAGES  (1u << 26)
#define CPUID_EXTENDED   0x80000001
#define LOWER_HALF_GIBS  (UINT64_C(1) << 17)

static uint64_t tables[TABLES_MAX][ENTRIES] __attribute__((aligned(4096)));
static unsigned int tables_used;

static uint64_t *table_take(void)
{
	return tables_used < TABLES_MAX ? tables[tables_used++] : NULL;
}

/* The table behind an entry, added when there is none. */
static uint64_t *table_below(uint64_t *entry)
{
	uint64_t *table = physical(*entry & ADDRESS_MASK);

	if (*entry)
		return table;
	table = table_take();
	if (table)
		*entry = (uintptr_t)table | PRESENT_WRITABLE;
	return table;
}

static bool map_gib(uint64_t gib)
{
	uint64_t *pdpt = table_below(&boot_pml4[gib >> (PML4_SHIFT - GIB_SHIFT)]);
	uint64_t *entry, *directory;

	if (!pdpt)
		return false;
	entry = &pdpt[gib % ENTRIES];
	if (*entry)
		return true;
	if (cpuid_read(CPUID_EXTENDED, 0).edx & CPUID_GIB_PAGES) {
		*entry = gib << GIB_SHIFT | PRESENT_LARGE;
		return true;
	}
	directory = table_take();
	if (!directory)
		return false;
	for (uint64_t i = 0; i < ENTRIES; i++)
		directory[i] = ((gib << GIB_SHIFT) + i * LARGE_PAGE_BYTES) | PRESENT_LARGE;
	*entry = (uintptr_t)directory | PRESENT_WRITABLE;
	return true;
}

bool paging_map(uint64_t address, uint64_t length)
{
	uint64_t last;

	if (length == 0 || length - 1 > UINT64_MAX - address)
		return false;
	last = (address + length - 1) >> GIB_SHIFT;
	if (last >= LOWER_HALF_GIBS)
		return false;
	for (uint64_t gib = address >> GIB_SHIFT; gib <= last; gib++) {
		if (!map_gib(gib))
			return false;
	}
	return true;
}

static void allow_below(uint64_t *table, unsigned int levels)
{
	for (unsigned int i = 0; i < ENTRIES; i++) {
		if (!table[i])
			continue;
		table[i] |= USER;
		if (levels && !(table[i] & LARGE))
			allow_below(physical(table[i] & ADDRESS_MASK), levels - 1);
	}
}

void paging_allow_user(void)
{
	allow_below(boot_pml4, 2);
	/* The translations of before are forgotten with CR3. */
	__asm__ volatile("movq %0, %%cr3" : : "r"((uint64_t)(uintptr_t)boot_pml4) : "memory");
}
