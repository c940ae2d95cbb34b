/* See checks.h. Devicetree Specification 0.4, chapter 5. */
#include "checks.h"

#include "facts.h"
#include "tree.h"

#include <stddef.h>

#define MAGIC        0xd00dfeed
#define VERSION      17
#define COMPATIBLE   16
#define HEADER_BYTES 40
#define BYTES_MAX    0x200000 /* booting.rst */
#define RESERVED_MAX 64
#define RNG_SEED_MIN 16
#define TREE_DEPTH   16

#define TOKEN_BEGIN_NODE 1
#define TOKEN_END_NODE   2
#define TOKEN_PROPERTY   3
#define TOKEN_NOP        4
#define TOKEN_END        9

/* Of the header, as bytes from the tree's beginning. */
enum {
	AT_MAGIC = 0,
	AT_TOTAL = 4,
	AT_STRUCTURE = 8,
	AT_STRINGS = 12,
	AT_RESERVED = 16,
	AT_VERSION = 20,
	AT_COMPATIBLE = 24,
	AT_BOOT_CPU = 28,
	AT_STRINGS_BYTES = 32,
	AT_STRUCTURE_BYTES = 36
};

static uint32_t word(uint64_t offset)
{
	return tree_big((const uint8_t *)(uintptr_t)(facts.tree + offset));
}

static bool has_tree(struct report *report)
{
	return report_expect(report, facts.tree != 0, "no device tree");
}

static void expect_block(
	struct report *report, const char *name, uint32_t at, uint64_t bytes, uint32_t alignment)
{
	report_expect(report, at >= HEADER_BYTES && at + bytes <= word(AT_TOTAL),
		"%s at 0x%x with 0x%lx bytes lies outside", name, at, bytes);
	report_expect(report, at % alignment == 0, "%s at 0x%x is not aligned", name, at);
}

/* An entry of zeros ends the list. */
static uint32_t count_reserved(void)
{
	uint32_t count = 0;
	uint64_t at = word(AT_RESERVED);

	while (count < RESERVED_MAX &&
		(word(at) | word(at + 4) | word(at + 8) | word(at + 12)) != 0) {
		count++;
		at += 16;
	}
	return count;
}

void check_tree_header(struct report *report)
{
	if (!has_tree(report))
		return;
	report_expect(report, facts.tree % 8 == 0, "at 0x%lx", facts.tree);
	report_expect(report, word(AT_MAGIC) == MAGIC, "magic 0x%x", word(AT_MAGIC));
	report_expect(report, word(AT_VERSION) >= VERSION && word(AT_COMPATIBLE) <= VERSION,
		"version %u, compatible with %u", word(AT_VERSION), word(AT_COMPATIBLE));
	report_expect(report, word(AT_COMPATIBLE) == COMPATIBLE, "compatible with version %u",
		word(AT_COMPATIBLE));
	report_expect(report, word(AT_TOTAL) > HEADER_BYTES && word(AT_TOTAL) <= BYTES_MAX,
		"%u bytes", word(AT_TOTAL));
	report_expect(report,
		facts.tree >= facts.ram_base &&
			facts.tree + word(AT_TOTAL) <= facts.ram_base + facts.ram_bytes,
		"not in memory");
	expect_block(report, "structure", word(AT_STRUCTURE), word(AT_STRUCTURE_BYTES), 4);
	expect_block(report, "strings", word(AT_STRINGS), word(AT_STRINGS_BYTES), 1);
	expect_block(report, "reservations", word(AT_RESERVED), 16 * (count_reserved() + 1), 8);
	report_expect(report, word(AT_BOOT_CPU) == tree_cell("cpu", "reg", 1),
		"boot processor 0x%x", word(AT_BOOT_CPU));
	report_note(report, "%u bytes at 0x%lx, %u reservations", word(AT_TOTAL), facts.tree,
		count_reserved());
}

struct walk {
	uint64_t at, end; /* bytes from the tree's beginning */
	unsigned int depth, nodes, properties;
	bool children[TREE_DEPTH + 1]; /* has a node of this depth had any? */
};

/* The length with the final NUL, 0: there is none before the end. */
static uint64_t string_bytes(uint64_t at, uint64_t end)
{
	for (uint64_t i = at; i < end; i++)
		if (!*(const char *)(uintptr_t)(facts.tree + i))
			return i - at + 1;
	return 0;
}

static bool walk_node(struct walk *walk)
{
	const uint64_t bytes = string_bytes(walk->at, walk->end);

	if (!bytes || walk->depth >= TREE_DEPTH || (walk->nodes && !walk->depth))
		return false;
	walk->children[walk->depth] = true;
	walk->children[++walk->depth] = false;
	walk->nodes++;
	walk->at += (bytes + 3) & ~UINT64_C(3);
	return true;
}

static bool walk_property(struct walk *walk)
{
	const uint64_t strings = word(AT_STRINGS), strings_end = strings + word(AT_STRINGS_BYTES);

	if (!walk->depth || walk->children[walk->depth] || walk->at + 8 > walk->end ||
		!string_bytes(strings + word(walk->at + 4), strings_end))
		return false;
	walk->properties++;
	walk->at += 8 + (((uint64_t)word(walk->at) + 3) & ~UINT64_C(3));
	return walk->at <= walk->end;
}

/* One token; false at the end, and where the rules are broken, with at in front of it. */
static bool walk_token(struct walk *walk)
{
	const uint64_t before = walk->at;
	const uint32_t token = walk->at + 4 <= walk->end ? word(walk->at) : TOKEN_END;
	bool is_good = token == TOKEN_NOP;

	walk->at += 4;
	if (token == TOKEN_BEGIN_NODE)
		is_good = walk_node(walk);
	else if (token == TOKEN_PROPERTY)
		is_good = walk_property(walk);
	else if (token == TOKEN_END_NODE && walk->depth) {
		walk->depth--;
		is_good = true;
	}
	if (!is_good)
		walk->at = before;
	return is_good;
}

void check_tree_structure(struct report *report)
{
	struct walk walk = {0};

	if (!has_tree(report))
		return;
	walk.at = word(AT_STRUCTURE);
	walk.end = walk.at + word(AT_STRUCTURE_BYTES);
	while (walk_token(&walk))
		continue;
	report_expect(report, walk.at + 4 == walk.end && word(walk.at) == TOKEN_END,
		"malformed at 0x%lx, before the end at 0x%lx", walk.at, walk.end);
	report_expect(report, walk.depth == 0, "%u nodes do not end", walk.depth);
	report_note(report, "%u nodes, %u properties", walk.nodes, walk.properties);
}

void check_command_line(struct report *report)
{
	uint32_t length = 0;
	const char *line = tree_property("chosen", "bootargs", &length);

	report_expect(report, line != NULL, "none");
	report_expect(report, !line || (length && !line[length - 1]), "does not end");
	report_fact("command-line", "%s", facts.command_line);
}

/* Nothing to expect when there is none: the host knows whether it gave one. */
void check_initrd(struct report *report)
{
	const uint64_t start = facts.initrd_start, end = facts.initrd_end;
	const bool is_sound = start && start >= facts.ram_base && start < end &&
	                      end <= facts.ram_base + facts.ram_bytes;

	report_fact("initrd-bytes", "%lu", end - start);
	report_expect(report, is_sound || (!start && !end), "0x%lx to 0x%lx", start, end);
	if (is_sound)
		report_note(report, "at 0x%lx, first byte 0x%02x, last 0x%02x", start,
			*(const volatile uint8_t *)(uintptr_t)start,
			*(const volatile uint8_t *)(uintptr_t)(end - 1));
}

static void expect_seed(struct report *report, const char *name, uint32_t least)
{
	uint32_t length = 0;
	const uint8_t *seed = tree_property("chosen", name, &length);
	uint8_t bits = 0;

	for (uint32_t i = 0; seed && i < length; i++)
		bits |= seed[i];
	report_expect(report, seed && length >= least, "%s has %u bytes", name, length);
	report_expect(report, bits != 0, "%s is zero", name);
}

void check_seeds(struct report *report)
{
	expect_seed(report, "kaslr-seed", 8);
	expect_seed(report, "rng-seed", RNG_SEED_MIN);
}
