/* See checks.h. */
#include "checks.h"

#include "facts.h"
#include "tree.h"

#include <stddef.h>

#define POINTS_MAX     48
#define WORD_BYTES     sizeof(uint64_t)
#define DEVICES_END    (UINT64_C(1) << 30)
#define MAPPED_END     (UINT64_C(1) << 39) /* by entry.S */
#define POINT_SMALLEST (UINT64_C(1) << 20)

extern const uint8_t image_start[], image_end[];

static uint64_t ram_end(void)
{
	return facts.ram_base + facts.ram_bytes;
}

void check_memory_map(struct report *report)
{
	uint32_t length = 0;
	const char *type = tree_property("memory", "device_type", &length);

	report_expect(report, type && length == sizeof("memory"), "no device_type");
	report_expect(report, facts.ram_bytes && facts.ram_bytes <= MAPPED_END - facts.ram_base,
		"0x%lx bytes at 0x%lx", facts.ram_bytes, facts.ram_base);
	report_expect(report, facts.ram_base >= DEVICES_END, "RAM from 0x%lx, where devices are",
		facts.ram_base);
	report_expect(report,
		(uintptr_t)image_start >= facts.ram_base && (uintptr_t)image_end <= ram_end(),
		"this image lies outside");
	report_fact("ram-bytes", "%lu", facts.ram_bytes);
	report_note(report, "at 0x%lx", facts.ram_base);
}

struct points {
	unsigned int count;
	uint64_t address[POINTS_MAX];
	uint64_t saved[POINTS_MAX];
};

static void add_point(struct points *points, uint64_t address)
{
	if (address + WORD_BYTES > (uintptr_t)image_start && address < (uintptr_t)image_end)
		return;
	if (points->count < POINTS_MAX)
		points->address[points->count++] = address;
}

static uint64_t pattern(uint64_t address)
{
	return (address ^ UINT64_C(0x5aa5c33c0ff01188)) * UINT64_C(0x9e3779b97f4a7c15);
}

static volatile uint64_t *word_at(uint64_t address)
{
	return (volatile uint64_t *)(uintptr_t)address;
}

/* The first and the last word, and powers of two from the beginning: a missing address line, a
 * mirror or a slot laid over another shows at one of them. */
static void find_points(struct points *points)
{
	add_point(points, facts.ram_base);
	for (uint64_t power = POINT_SMALLEST; power < facts.ram_bytes - WORD_BYTES; power <<= 1)
		add_point(points, facts.ram_base + power);
	add_point(points, ram_end() - WORD_BYTES);
}

/* The tree itself lies at one of them: nothing looks at it in between. */
void check_memory_edges(struct report *report)
{
	struct points points = {0};
	uint64_t found[POINTS_MAX];

	if (!report_expect(report, facts.ram_bytes > WORD_BYTES, "no memory"))
		return;
	find_points(&points);
	for (unsigned int i = 0; i < points.count; i++)
		points.saved[i] = *word_at(points.address[i]);
	for (unsigned int i = 0; i < points.count; i++)
		*word_at(points.address[i]) = pattern(points.address[i]);
	for (unsigned int i = 0; i < points.count; i++)
		found[i] = *word_at(points.address[i]);
	for (unsigned int i = points.count; i-- > 0;)
		*word_at(points.address[i]) = points.saved[i];
	for (unsigned int i = 0; i < points.count; i++)
		report_expect(report, found[i] == pattern(points.address[i]),
			"0x%lx holds 0x%lx, not 0x%lx", points.address[i], found[i],
			pattern(points.address[i]));
	report_note(report, "%u words", points.count);
}

static void expect_no_ram(struct report *report, uint64_t address)
{
	uint64_t found;

	*word_at(address) = pattern(address);
	found = *word_at(address);
	report_expect(
		report, found != pattern(address), "0x%lx remembers what was written", address);
	report_note(report, "0x%lx reads 0x%lx", address, found);
}

/* Behind RAM, and in front of it. */
void check_memory_hole(struct report *report)
{
	if (!report_expect(report, facts.ram_base >= DEVICES_END && ram_end() < MAPPED_END,
		    "no room for a hole"))
		return;
	expect_no_ram(report, ram_end());
	expect_no_ram(report, facts.ram_base - 4096);
}
