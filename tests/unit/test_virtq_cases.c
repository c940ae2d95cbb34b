/*
 * One chain each, by table: what is taken and what is refused, in both ring formats. The test
 * prints how many cases ran.
 */
#include "virtq_fixture.h"

#include <errno.h>
#include <stdio.h>

#define S 1u /* split */
#define P 2u /* packed */
#define N DRIVER_F_NEXT
#define W DRIVER_F_WRITE
#define I DRIVER_F_INDIRECT
#define B BUFFERS

#define NOT_AVAILABLE 0x100u /* of a descriptor in a packed ring */

#define SIZE     8
#define SEGMENTS 12
#define GIB      (1u << 30)

struct descriptor {
	uint64_t address;
	uint32_t length;
	uint16_t flags;
	uint16_t next;
};

struct virtq_case {
	const char *name;
	unsigned int formats;
	int result; /* 1, or 0 for -EPROTO */
	uint64_t readable, writable;
	struct descriptor ring[9], table[14];
	bool no_indirect;
	uint64_t table_at; /* other than TABLE */
	uint16_t head;
};

#define TO_TABLE(count)                   \
	{                                 \
		TABLE, 16 * (count), I, 0 \
	}
static const struct virtq_case cases[] = {
	{"one readable", S | P, 1, 16, 0, .ring = {{B, 16, 0, 0}}},
	{"one writable", S | P, 1, 0, 16, .ring = {{B, 16, W, 0}}},
	{"readable, writable", S | P, 1, 16, 8, .ring = {{B, 16, N, 1}, {B, 8, W, 0}}},
	{"two of each", S | P, 1, 3, 7,
		.ring = {{B, 1, N, 1}, {B, 2, N, 2}, {B, 3, N | W, 3}, {B, 4, W, 0}}},
	{"as many as the ring has", S | P, 1, 8, 0,
		.ring = {{B, 1, N, 1}, {B, 1, N, 2}, {B, 1, N, 3}, {B, 1, N, 4}, {B, 1, N, 5},
			{B, 1, N, 6}, {B, 1, N, 7}, {B, 1, 0, 0}}},
	{"more than the spans kept inline", S | P, 1, 2, 3,
		.ring = {{B, 1, N, 1}, {B, 1, N, 2}, {B, 1, N | W, 3}, {B, 1, N | W, 4},
			{B, 1, W, 0}}},
	{"next is not looked at without NEXT", S, 1, 1, 0, .ring = {{B, 1, 0, 0xffff}}},
	{"flags that nobody has defined", S | P, 1, 1, 0, .ring = {{B, 1, 0x70, 0}}},
	{"chain backwards in the table", S, 1, 3, 0,
		.ring = {{B, 1, N, 7}, [6] = {B, 1, 0, 0}, [7] = {B, 1, N, 6}}},
	{"head in the middle", S, 1, 2, 0, .head = 5, .ring = {{B, 1, 0, 0}, [5] = {B, 1, N, 0}}},
	{"last head", S, 1, 1, 0, .head = 7, .ring = {[7] = {B, 1, 0, 0}}},
	{"head is the size", S, 0, 0, 0, .head = 8, .ring = {{B, 1, 0, 0}}},
	{"head far out", S, 0, 0, 0, .head = 0xffff, .ring = {{B, 1, 0, 0}}},
	{"next is the size", S, 0, 0, 0, .ring = {{B, 1, N, 8}}},
	{"next far out", S, 0, 0, 0, .ring = {{B, 1, N, 0xffff}}},
	{"loop to itself", S, 0, 0, 0, .ring = {{B, 1, N, 0}}},
	{"loop of two", S, 0, 0, 0, .ring = {{B, 1, N, 1}, {B, 1, N, 0}}},
	{"loop behind the first", S, 0, 0, 0, .ring = {{B, 1, N, 1}, {B, 1, N, 2}, {B, 1, N, 1}}},
	{"loop of empty buffers", S, 0, 0, 0, .ring = {{B, 0, N, 1}, {B, 0, N, 0}}},
	{"endless list", P, 0, 0, 0,
		.ring = {{B, 1, N, 0}, {B, 1, N, 0}, {B, 1, N, 0}, {B, 1, N, 0}, {B, 1, N, 0},
			{B, 1, N, 0}, {B, 1, N, 0}, {B, 1, N, 0}}},
	{"rest of the list is missing", P, 0, 0, 0, .ring = {{B, 1, N, 0}}},
	{"second is not available", P, 0, 0, 0, .ring = {{B, 1, N, 0}, {B, 1, NOT_AVAILABLE, 0}}},
	{"third is not available", P, 0, 0, 0,
		.ring = {{B, 1, N, 0}, {B, 1, N, 0}, {B, 1, NOT_AVAILABLE | W, 0}}},

	{"writable before readable", S | P, 0, 0, 0, .ring = {{B, 1, N | W, 1}, {B, 1, 0, 0}}},
	{"readable between writable", S | P, 0, 0, 0,
		.ring = {{B, 1, N | W, 1}, {B, 1, N, 2}, {B, 1, W, 0}}},
	{"empty writable before readable", S | P, 0, 0, 0,
		.ring = {{B, 0, N | W, 1}, {B, 1, 0, 0}}},

	{"empty readable", S | P, 1, 0, 0, .ring = {{B, 0, 0, 0}}},
	{"empty writable", S | P, 1, 0, 0, .ring = {{B, 0, W, 0}}},
	{"empty ones among others", S | P, 1, 3, 2,
		.ring = {{B, 0, N, 1}, {B, 3, N, 2}, {B, 0, N, 3}, {B, 0, N | W, 4},
			{B, 2, N | W, 5}, {B, 0, W, 0}}},
	{"empty at no address", S | P, 1, 1, 0, .ring = {{0, 0, N, 1}, {B, 1, 0, 0}}},
	{"empty outside RAM", S | P, 1, 1, 0, .ring = {{UINT64_MAX, 0, N, 1}, {B, 1, 0, 0}}},

	{"at address 0", S | P, 1, 4, 0, .ring = {{0, 4, 0, 0}}},
	{"up to the end of RAM", S | P, 1, 16, 0, .ring = {{LOW_END - 16, 16, 0, 0}}},
	{"a byte past RAM", S | P, 0, 0, 0, .ring = {{LOW_END - 16, 17, 0, 0}}},
	{"behind RAM", S | P, 0, 0, 0, .ring = {{LOW_END, 1, 0, 0}}},
	{"writable a byte past RAM", S | P, 0, 0, 0, .ring = {{LOW_END - 1, 2, W, 0}}},
	{"in the hole", S | P, 0, 0, 0, .ring = {{UINT64_C(0xfee00000), 4, W, 0}}},
	{"across two regions", S | P, 0, 0, 0, .ring = {{LOW_BYTES - 4, 8, 0, 0}}},
	{"up to a region's end", S | P, 1, 4, 0, .ring = {{LOW_BYTES - 4, 4, 0, 0}}},
	{"above 4 GiB", S | P, 1, 0, 8, .ring = {{HIGH, 8, W, 0}}},
	{"last byte of all", S | P, 1, 1, 0, .ring = {{HIGH + HIGH_BYTES - 1, 1, 0, 0}}},
	{"a byte past all", S | P, 0, 0, 0, .ring = {{HIGH + HIGH_BYTES - 1, 2, 0, 0}}},
	{"below high RAM", S | P, 0, 0, 0, .ring = {{HIGH - 1, 2, 0, 0}}},
	{"last address", S | P, 0, 0, 0, .ring = {{UINT64_MAX, 1, 0, 0}}},
	{"wraps to 0", S | P, 0, 0, 0, .ring = {{UINT64_MAX, 2, W, 0}}},
	{"wraps into RAM", S | P, 0, 0, 0, .ring = {{UINT64_MAX - 15, 64, W, 0}}},
	{"second is bad", S | P, 0, 0, 0, .ring = {{B, 4, N, 1}, {LOW_END, 4, W, 0}}},
	{"high half of the address", S | P, 0, 0, 0, .ring = {{B | UINT64_C(1) << 63, 4, 0, 0}}},

	{"4 GiB in all", S | P, 1, UINT64_C(1) << 32, 0,
		.ring = {{HIGH, 2 * GIB, N, 1}, {HIGH, 2 * GIB, 0, 0}}},
	{"4 GiB of both kinds", S | P, 1, 3ull * GIB, GIB,
		.ring = {{HIGH, 3 * GIB, N, 1}, {HIGH, GIB, W, 0}}},
	{"a byte more than 4 GiB", S | P, 0, 0, 0,
		.ring = {{HIGH, 2 * GIB, N, 1}, {HIGH, 2 * GIB, N, 2}, {B, 1, 0, 0}}},
	{"more than 4 GiB of both kinds", S | P, 0, 0, 0,
		.ring = {{HIGH, 3 * GIB, N, 1}, {HIGH, GIB + 1, W, 0}}},
	{"more than 4 GiB writable", S | P, 0, 0, 0,
		.ring = {{HIGH, 2 * GIB, N | W, 1}, {HIGH, 2 * GIB, N | W, 2}, {B, 1, W, 0}}},
	{"longest length", S | P, 0, 0, 0, .ring = {{B, UINT32_MAX, 0, 0}}},

	{"indirect", S | P, 1, 4, 8, .ring = {TO_TABLE(2)}, .table = {{B, 4, N, 1}, {B, 8, W, 0}}},
	{"indirect of one", S | P, 1, 0, 8, .ring = {TO_TABLE(1)}, .table = {{B, 8, W, 0}}},
	{"WRITE on the table is ignored", S | P, 1, 4, 0, .ring = {{TABLE, 16, I | W, 0}},
		.table = {{B, 4, 0, 0}}},
	{"indirect longer than the ring", S | P, 1, 10, 0, .ring = {TO_TABLE(10)},
		.table = {{B, 1, N, 1}, {B, 1, N, 2}, {B, 1, N, 3}, {B, 1, N, 4}, {B, 1, N, 5},
			{B, 1, N, 6}, {B, 1, N, 7}, {B, 1, N, 8}, {B, 1, N, 9}, {B, 1, 0, 0}}},
	{"as many as the device allows", S | P, 1, 11, 1, .ring = {TO_TABLE(12)},
		.table = {{B, 1, N, 1}, {B, 1, N, 2}, {B, 1, N, 3}, {B, 1, N, 4}, {B, 1, N, 5},
			{B, 1, N, 6}, {B, 1, N, 7}, {B, 1, N, 8}, {B, 1, N, 9}, {B, 1, N, 10},
			{B, 1, N, 11}, {B, 1, W, 0}}},
	{"one more than the device allows", S | P, 0, 0, 0, .ring = {TO_TABLE(13)},
		.table = {{B, 1, N, 1}, {B, 1, N, 2}, {B, 1, N, 3}, {B, 1, N, 4}, {B, 1, N, 5},
			{B, 1, N, 6}, {B, 1, N, 7}, {B, 1, N, 8}, {B, 1, N, 9}, {B, 1, N, 10},
			{B, 1, N, 11}, {B, 1, N, 12}, {B, 1, 0, 0}}},
	{"too many, all empty", S | P, 0, 0, 0, .ring = {TO_TABLE(13)},
		.table = {{B, 0, N, 1}, {B, 0, N, 2}, {B, 0, N, 3}, {B, 0, N, 4}, {B, 0, N, 5},
			{B, 0, N, 6}, {B, 0, N, 7}, {B, 0, N, 8}, {B, 0, N, 9}, {B, 0, N, 10},
			{B, 0, N, 11}, {B, 0, N, 12}, {B, 0, 0, 0}}},
	{"buffers, then a table", S, 1, 6, 8, .ring = {{B, 2, N, 1}, TO_TABLE(2)},
		.table = {{B, 4, N, 1}, {B, 8, W, 0}}},
	{"buffers, then a table", P, 0, 0, 0, .ring = {{B, 2, N, 1}, TO_TABLE(2)},
		.table = {{B, 4, N, 1}, {B, 8, W, 0}}},
	{"writable, then a table of readable", S, 0, 0, 0, .ring = {{B, 2, N | W, 1}, TO_TABLE(1)},
		.table = {{B, 4, 0, 0}}},
	{"table with NEXT", S | P, 0, 0, 0, .ring = {{TABLE, 16, I | N, 1}, {B, 1, 0, 0}},
		.table = {{B, 4, 0, 0}}},
	{"table in a table", S, 0, 0, 0, .ring = {TO_TABLE(1)},
		.table = {{TABLE + 16, 16, I, 0}, {B, 1, 0, 0}}},
	{"flags in a table are ignored", P, 1, 3, 0, .ring = {TO_TABLE(2)},
		.table = {{B, 1, I | N, 0}, {B, 2, N, 0}}},
	{"table that is its own", S, 0, 0, 0, .ring = {TO_TABLE(1)}, .table = {{TABLE, 16, I, 0}}},
	{"table of no bytes", S | P, 0, 0, 0, .ring = {TO_TABLE(0)}, .table = {{B, 1, 0, 0}}},
	{"table of 8 bytes", S | P, 0, 0, 0, .ring = {{TABLE, 8, I, 0}}, .table = {{B, 1, 0, 0}}},
	{"table of 24 bytes", S | P, 0, 0, 0, .ring = {{TABLE, 24, I, 0}}, .table = {{B, 1, 0, 0}}},
	{"table outside RAM", S | P, 0, 0, 0, .ring = {{LOW_END, 16, I, 0}}},
	{"table reaches past RAM", S | P, 0, 0, 0, .ring = {{LOW_END - 16, 32, I, 0}}},
	{"table wraps", S | P, 0, 0, 0, .ring = {{UINT64_MAX - 15, 32, I, 0}}},
	{"table of 4 GiB", S | P, 0, 0, 0, .ring = {{HIGH, 0xfffffff0, I, 0}}},
	{"huge table, one entry in use", S, 1, 4, 0, .ring = {{TABLE, 0x80000, I, 0}},
		.table = {{B, 4, 0, 0}}},
	{"huge table", P, 0, 0, 0, .ring = {{TABLE, 0x80000, I, 0}}, .table = {{B, 4, 0, 0}}},
	{"next leaves the table", S, 0, 0, 0, .ring = {TO_TABLE(2)},
		.table = {{B, 1, N, 2}, {B, 1, 0, 0}, {B, 1, 0, 0}}},
	{"loop in the table", S, 0, 0, 0, .ring = {TO_TABLE(2)},
		.table = {{B, 1, N, 1}, {B, 1, N, 0}}},
	{"empty loop in the table", S, 0, 0, 0, .ring = {TO_TABLE(2)},
		.table = {{B, 0, N, 1}, {B, 0, N, 0}}},
	{"table out of order", S, 1, 3, 4, .ring = {TO_TABLE(3)},
		.table = {{B, 1, N, 2}, {B, 4, W, 0}, {B, 2, N, 1}}},
	{"writable before readable in the table", S | P, 0, 0, 0, .ring = {TO_TABLE(2)},
		.table = {{B, 1, N | W, 1}, {B, 1, 0, 0}}},
	{"buffer of the table outside RAM", S | P, 0, 0, 0, .ring = {TO_TABLE(2)},
		.table = {{B, 1, N, 1}, {LOW_END, 1, 0, 0}}},
	{"indirect without the feature", S | P, 0, 0, 0, .no_indirect = true, .ring = {TO_TABLE(1)},
		.table = {{B, 1, 0, 0}}},
	{"table at an odd address", S | P, 1, 1, 2, .table_at = TABLE + 3,
		.ring = {{TABLE + 3, 32, I, 0}}, .table = {{B, 1, N, 1}, {B, 2, W, 0}}},
	{"table at a multiple of 4", S | P, 1, 1, 2, .table_at = TABLE + 4,
		.ring = {{TABLE + 4, 32, I, 0}}, .table = {{B, 1, N, 1}, {B, 2, W, 0}}},
	{"table in the last bytes of a region", S | P, 1, 1, 0, .table_at = LOW_BYTES - 16,
		.ring = {{LOW_BYTES - 16, 16, I, 0}}, .table = {{B, 1, 0, 0}}},
	{"table over the ring itself", S, 1, 5, 0, .table_at = RINGS + 16,
		.ring = {{RINGS + 16, 16, I, 0}}, .table = {{B, 5, 0, 0}}},
};

#define BUFFER_ID 0xfff7 /* of packed rings: any number will do */

static void place(struct fixture *f, const struct virtq_case *c, bool packed)
{
	uint64_t table = c->table_at ? c->table_at : TABLE;
	uint16_t next_head = c->head;

	for (unsigned int i = 0; i < array_size(c->ring) - 1; i++) {
		const struct descriptor *d = &c->ring[i];
		uint64_t at = f->driver.descriptor_area + 16u * i;
		uint16_t flags = d->flags & (uint16_t)~NOT_AVAILABLE;

		if (!d->flags && !d->length && i > 0)
			continue;
		if (packed && !(d->flags & NOT_AVAILABLE))
			flags |= 1u << 7;
		if (packed)
			driver_poke_descriptor(
				&f->driver, at, d->address, d->length, BUFFER_ID, flags);
		else
			driver_poke_descriptor(
				&f->driver, at, d->address, d->length, flags, d->next);
	}
	for (unsigned int i = 0; i < array_size(c->table); i++) {
		const struct descriptor *d = &c->table[i];
		uint64_t at = table + 16u * i;

		if (!d->address)
			break;
		if (packed)
			driver_poke_descriptor(&f->driver, at, d->address, d->length, 3, d->flags);
		else
			driver_poke_descriptor(
				&f->driver, at, d->address, d->length, d->flags, d->next);
	}
	if (packed)
		return;
	driver_poke(&f->driver, f->driver.driver_area + 4, &next_head, 2);
	driver_poke16(&f->driver, f->driver.driver_area + 2, 1);
}

static void check_taken(struct fixture *f, const struct virtq_case *c, struct chain *chain)
{
	assert_true(chain->head < SIZE);
	assert_int_equal(chain->readable_bytes, c->readable);
	assert_int_equal(chain->writable_bytes, c->writable);
	assert_int_equal(chain->reader.left_bytes, c->readable);
	assert_int_equal(chain->writer.left_bytes, c->writable);
	assert_true(chain->reader.span_count + chain->writer.span_count <= SEGMENTS);
	for (uint16_t i = 0; i < chain->reader.span_count; i++)
		assert_true(chain->reader.spans[i].length > 0);
	assert_int_equal(virtq_outstanding(f->queue), 1);
	virtq_push(f->queue, chain);
	assert_true(virtq_flush(f->queue));
	assert_int_equal(virtq_pop(f->queue, &chain), 0);
}

/* Refused: for good, and nothing was touched. */
static void check_refused(struct fixture *f, struct chain *chain)
{
	assert_ptr_equal(chain, NULL);
	assert_int_equal(virtq_outstanding(f->queue), 0);
	assert_int_equal(virtq_pop(f->queue, &chain), -EPROTO);
	assert_false(virtq_flush(f->queue));
	assert_false(virtq_enable_notifications(f->queue));
	virtq_disable_notifications(f->queue);
	if (f->features.format == VIRTQ_SPLIT)
		assert_int_equal(driver_peek16(&f->driver, f->driver.device_area + 2), 0);
}

static void run_case(const struct virtq_case *c, enum virtq_format format)
{
	struct virtq_features features = {.format = format, .indirect = !c->no_indirect};
	struct chain *chain = NULL;
	struct fixture f;
	int r;

	fixture_begin(&f, SIZE, SEGMENTS, features);
	place(&f, c, format == VIRTQ_PACKED);
	r = virtq_pop(f.queue, &chain);
	if (r != (c->result ? 1 : -EPROTO))
		fail_msg("%s (%s): %d", c->name, format == VIRTQ_PACKED ? "packed" : "split", r);
	if (r == 1)
		check_taken(&f, c, chain);
	else
		check_refused(&f, chain);
	fixture_end(&f);
}

static void table_of_chains(void **state)
{
	unsigned int count = 0;

	(void)state;
	for (size_t i = 0; i < array_size(cases); i++) {
		if (cases[i].formats & S) {
			run_case(&cases[i], VIRTQ_SPLIT);
			count++;
		}
		if (cases[i].formats & P) {
			run_case(&cases[i], VIRTQ_PACKED);
			count++;
		}
	}
	print_message("%u cases\n", count);
	assert_true(count >= 120);
}

static void packed_ids(void **state)
{
	struct virtq_case c = {.ring = {{B, 4, W, 0}}};
	struct chain *chain;
	struct fixture f;

	(void)state;
	fixture_begin(&f, SIZE, SEGMENTS, (struct virtq_features){.format = VIRTQ_PACKED});
	place(&f, &c, true);
	chain = fixture_pop(&f);
	virtq_push(f.queue, chain);
	assert_true(virtq_flush(f.queue));
	/* The id is echoed; AVAIL and USED are both 1 in the first lap; nothing was written. */
	assert_int_equal(driver_peek16(&f.driver, RINGS + 12), BUFFER_ID);
	assert_int_equal(driver_peek16(&f.driver, RINGS + 14), 0x8080);
	fixture_end(&f);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_of_chains),
		cmocka_unit_test(packed_ids),
	};

	return cmocka_run_group_tests_name("virtq_cases", tests, NULL, NULL);
}
