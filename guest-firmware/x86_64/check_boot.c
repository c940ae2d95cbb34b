/* See checks.h. */
#include "checks.h"

#include "cpu.h"
#include "facts.h"
#include "image.h"
#include "paging.h"

#define PVH_MAGIC       0x336ec578
#define MULTIBOOT_MAGIC 0x2badb002
#define LINUX_MAGIC     0x53726448 /* "HdrS" */
#define APIC_WINDOW     UINT64_C(0xfec00000)
#define HOLE_START      UINT64_C(0xc0000000) /* at the latest */
#define HOLE_END        UINT64_C(0xe0000000)
#define FOUR_GIB        (UINT64_C(1) << 32)
#define POINTS_MAX      96
#define WORD_BYTES      sizeof(uint64_t)

static const char *const entry_names[] = {"pvh", "multiboot", "linux64"};
static const uint32_t entry_magics[] = {PVH_MAGIC, MULTIBOOT_MAGIC, LINUX_MAGIC};

void check_boot_info(struct report *report)
{
	report_fact("entry", "%s", entry_names[facts.entry]);
	report_expect(report, facts.information != 0, "no information structure");
	report_expect(report, facts.magic == entry_magics[facts.entry], "magic 0x%x, not 0x%x",
		facts.magic, entry_magics[facts.entry]);
	if (facts.entry == ENTRY_PVH)
		report_expect(report, facts.version >= 1, "start info version %u has no memory map",
			facts.version);
	report_note(report, "information at 0x%lx", facts.information);
}

static unsigned int range_count(void)
{
	return facts.range_count < FACTS_RANGES_MAX ? facts.range_count : FACTS_RANGES_MAX;
}

void check_memory_map(struct report *report)
{
	uint64_t ram = 0, end = 0;

	report_expect(report, facts.range_count > 0, "empty");
	report_expect(
		report, facts.range_count <= FACTS_RANGES_MAX, "%u entries", facts.range_count);
	for (unsigned int i = 0; i < range_count(); i++) {
		const struct memory_range *range = &facts.ranges[i];

		report_expect(report, range->size > 0 && range->size <= UINT64_MAX - range->base,
			"entry %u: size 0x%lx at 0x%lx", i, range->size, range->base);
		report_expect(report, range->base >= end,
			"entry %u at 0x%lx is out of order or overlaps", i, range->base);
		end = range->base + range->size;
		if (range->type == MEMORY_RAM)
			ram += range->size;
	}
	report_expect(report, ram > 0, "no RAM");
	report_fact("ram-bytes", "%lu", ram);
	report_note(report, "%u entries", facts.range_count);
}

struct points {
	unsigned int count;
	uint64_t address[POINTS_MAX];
	uint64_t saved[POINTS_MAX];
	bool overflow;
};

static void add_point(struct points *points, uint64_t address)
{
	if (address + WORD_BYTES > (uintptr_t)image_start && address < (uintptr_t)image_end)
		return;
	if (points->count == POINTS_MAX || !paging_map(address, WORD_BYTES)) {
		points->overflow = true;
		return;
	}
	points->address[points->count++] = address;
}

/* The first and the last word of each region, and its powers of two: a missing address line, a
 * mirror or a slot laid over another shows at one of them. */
static void add_region(struct points *points, const struct memory_range *range)
{
	uint64_t last = range->base + range->size - WORD_BYTES;

	add_point(points, range->base);
	for (uint64_t power = UINT64_C(1) << 20; power && power < last; power <<= 1) {
		if (power > range->base)
			add_point(points, power);
	}
	add_point(points, last);
}

static uint64_t pattern(uint64_t address)
{
	return (address ^ UINT64_C(0x5aa5c33c0ff01188)) * UINT64_C(0x9e3779b97f4a7c15);
}

static volatile uint64_t *word_at(uint64_t address)
{
	return physical(address);
}

void check_memory_edges(struct report *report)
{
	static struct points points;

	points.count = 0;
	for (unsigned int i = 0; i < range_count(); i++) {
		if (facts.ranges[i].type == MEMORY_RAM && facts.ranges[i].size >= WORD_BYTES)
			add_region(&points, &facts.ranges[i]);
	}
	for (unsigned int i = 0; i < points.count; i++)
		points.saved[i] = *word_at(points.address[i]);
	for (unsigned int i = 0; i < points.count; i++)
		*word_at(points.address[i]) = pattern(points.address[i]);
	for (unsigned int i = 0; i < points.count; i++) {
		uint64_t found = *word_at(points.address[i]);

		report_expect(report, found == pattern(points.address[i]),
			"0x%lx holds 0x%lx, not 0x%lx", points.address[i], found,
			pattern(points.address[i]));
	}
	for (unsigned int i = points.count; i-- > 0;)
		*word_at(points.address[i]) = points.saved[i];
	report_expect(report, !points.overflow, "too many regions to check");
	report_expect(report, points.count > 0, "nothing to check");
	report_note(report, "%u words", points.count);
}

static void expect_no_ram(struct report *report, uint64_t address)
{
	volatile uint64_t *word = word_at(address);
	uint64_t found;

	if (!report_expect(report, paging_map(address, WORD_BYTES), "0x%lx: no mapping", address))
		return;
	*word = pattern(address);
	found = *word;
	report_expect(
		report, found != pattern(address), "0x%lx remembers what was written", address);
	report_note(report, "0x%lx reads 0x%lx", address, found);
}

/* Behind the last entry of the map below the 32-bit hole, and near the end of the hole's window for
 * PCI, whatever the size of memory. */
void check_memory_hole(struct report *report)
{
	uint64_t low_end = 0;

	for (unsigned int i = 0; i < range_count(); i++) {
		const struct memory_range *range = &facts.ranges[i];
		uint64_t end = range->base + range->size;

		if (range->type == MEMORY_RAM)
			report_expect(report, end <= APIC_WINDOW || range->base >= FOUR_GIB,
				"RAM up to 0x%lx, where the interrupt controllers are", end);
		if (end <= HOLE_START && end > low_end)
			low_end = end;
	}
	expect_no_ram(report, low_end);
	expect_no_ram(report, HOLE_END - 4096);
}

void check_command_line(struct report *report)
{
	report_expect(report, facts.command_line_address != 0, "none");
	report_fact("command-line", "%s", facts.command_line);
}

/* Nothing to expect when there is none: the host knows whether it gave one. */
void check_module(struct report *report)
{
	uint64_t last = facts.module_address + facts.module_bytes - 1;

	report_fact("module-bytes", "%lu", facts.module_bytes);
	if (!facts.module_bytes)
		return;
	if (!report_expect(report, paging_map(facts.module_address, facts.module_bytes),
		    "at 0x%lx, out of reach", facts.module_address))
		return;
	report_note(report, "at 0x%lx, first byte 0x%02x, last 0x%02x", facts.module_address,
		*(volatile uint8_t *)physical(facts.module_address),
		*(volatile uint8_t *)physical(last));
}
