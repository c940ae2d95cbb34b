/*
 * Requests as bytes: what a driver put into the readable part and how much room it gave, and what
 * that is decoded to. Constants from VIRTIO 1.2 5.2.6, not from Hull's headers.
 */
#include "blk_request.h"
#include "cmocka_all.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CAPACITY 2048 /* sectors */

#define IN           0
#define OUT          1
#define FLUSH        4
#define GET_ID       8
#define GET_LIFETIME 10
#define DISCARD      11
#define WRITE_ZEROES 13
#define SECURE_ERASE 14

#define OK     0
#define IOERR  1
#define UNSUPP 2

#define MAX64 UINT64_MAX

struct test_range {
	uint64_t sector;
	uint32_t count, flags;
};

struct row {
	const char *name;
	uint32_t type;
	uint64_t sector;
	uint32_t data_readable; /* bytes behind the header, zeroes unless ranges are given */
	uint32_t writable;      /* with the status */
	int status;
	unsigned int range_count;
	uint64_t offset, length; /* of the first range */
	struct test_range ranges[3];
	uint32_t cut; /* of header and data, from the end */
	bool read_only, incapable;
};

static const struct row rows[] = {
	{"read one sector", IN, 0, 0, 513, .status = OK, .range_count = 1, .offset = 0,
		.length = 512},
	{"read at the end", IN, CAPACITY - 1, 0, 513, .status = OK, .range_count = 1,
		.offset = (CAPACITY - 1) * 512, .length = 512},
	{"read all", IN, 0, 0, CAPACITY * 512 + 1, .status = OK, .range_count = 1, .offset = 0,
		.length = CAPACITY * 512},
	{"read nothing", IN, 3, 0, 1, .status = OK, .range_count = 1, .offset = 3 * 512,
		.length = 0},
	{"read nothing at the end", IN, CAPACITY, 0, 1, .status = OK, .range_count = 1,
		.offset = CAPACITY * 512, .length = 0},
	{"read nothing behind the end", IN, CAPACITY + 1, 0, 1, .status = IOERR},
	{"read past the end", IN, CAPACITY, 0, 513, .status = IOERR},
	{"read over the end", IN, CAPACITY - 1, 0, 1025, .status = IOERR},
	{"read: sector wraps in bytes", IN, MAX64 / 512 + 1, 0, 513, .status = IOERR},
	{"read: sector wraps with the length", IN, MAX64, 0, 1025, .status = IOERR},
	{"read: largest sector", IN, MAX64, 0, 513, .status = IOERR},
	{"read: top bit of the sector", IN, UINT64_C(1) << 63, 0, 513, .status = IOERR},
	{"read half a sector", IN, 0, 0, 257, .status = IOERR},
	{"read a byte more", IN, 0, 0, 514, .status = IOERR},
	{"read a byte less", IN, 0, 0, 512, .status = IOERR},
	{"read with data to read from", IN, 0, 512, 513, .status = IOERR},
	{"read without a status", IN, 0, 0, 0, .status = -EPROTO},
	{"read from a read-only disk", IN, 0, 0, 513, .status = OK, .range_count = 1, .offset = 0,
		.length = 512, .read_only = true},
	{"write one sector", OUT, 7, 512, 1, .status = OK, .range_count = 1, .offset = 7 * 512,
		.length = 512},
	{"write at the end", OUT, CAPACITY - 2, 1024, 1, .status = OK, .range_count = 1,
		.offset = (CAPACITY - 2) * 512, .length = 1024},
	{"write nothing", OUT, 0, 0, 1, .status = OK, .range_count = 1, .offset = 0, .length = 0},
	{"write over the end", OUT, CAPACITY - 1, 1024, 1, .status = IOERR},
	{"write: sector wraps", OUT, MAX64, 1024, 1, .status = IOERR},
	{"write: sector wraps to a good one", OUT, MAX64 / 512 + 2, 512, 1, .status = IOERR},
	{"write half a sector", OUT, 0, 256, 1, .status = IOERR},
	{"write a byte more", OUT, 0, 513, 1, .status = IOERR},
	{"write with data to be written", OUT, 0, 512, 513, .status = IOERR},
	{"write without a status", OUT, 0, 512, 0, .status = -EPROTO},
	{"write to a read-only disk", OUT, 0, 512, 1, .status = IOERR, .read_only = true},
	{"write nothing to a read-only disk", OUT, 0, 0, 1, .status = IOERR, .read_only = true},
	{"flush", FLUSH, 0, 0, 1, .status = OK},
	{"flush with a sector", FLUSH, 5, 0, 1, .status = OK},
	{"flush of a read-only disk", FLUSH, 0, 0, 1, .status = OK, .read_only = true},
	{"flush with data", FLUSH, 0, 512, 1, .status = IOERR},
	{"flush with room", FLUSH, 0, 0, 513, .status = IOERR},
	{"flush without a status", FLUSH, 0, 0, 0, .status = -EPROTO},
	{"id", GET_ID, 0, 0, 21, .status = OK},
	{"id with more room", GET_ID, 0, 0, 65, .status = OK},
	{"id with a byte less", GET_ID, 0, 0, 20, .status = IOERR},
	{"id without room", GET_ID, 0, 0, 1, .status = IOERR},
	{"id with data", GET_ID, 0, 16, 21, .status = IOERR},
	{"discard", DISCARD, 0, 16, 1, .status = OK, .range_count = 1, .offset = 512,
		.length = 1024, .ranges = {{1, 2, 0}}},
	{"discard nothing", DISCARD, 0, 16, 1, .status = OK, .range_count = 1, .offset = 512,
		.length = 0, .ranges = {{1, 0, 0}}},
	{"discard two ranges", DISCARD, 0, 32, 1, .status = OK, .range_count = 2, .offset = 512,
		.length = 1024, .ranges = {{1, 2, 0}, {CAPACITY - 1, 1, 0}}},
	{"discard: the second range is bad", DISCARD, 0, 32, 1, .status = IOERR,
		.ranges = {{1, 2, 0}, {CAPACITY, 1, 0}}},
	{"discard as much as allowed", DISCARD, 0, 16, 1, .status = OK, .range_count = 1,
		.offset = 0, .length = 1000 * 512, .ranges = {{0, 1000, 0}}},
	{"discard more than allowed", DISCARD, 0, 16, 1, .status = IOERR, .ranges = {{0, 1001, 0}}},
	{"discard: count wraps", DISCARD, 0, 16, 1, .status = IOERR, .ranges = {{MAX64, 2, 0}}},
	{"discard: largest count", DISCARD, 0, 16, 1, .status = IOERR,
		.ranges = {{0, UINT32_MAX, 0}}},
	{"discard with unmap", DISCARD, 0, 16, 1, .status = UNSUPP, .ranges = {{1, 2, 1}}},
	{"discard with an unknown flag", DISCARD, 0, 16, 1, .status = UNSUPP,
		.ranges = {{1, 2, 2}}},
	{"discard with the top flag", DISCARD, 0, 16, 1, .status = UNSUPP,
		.ranges = {{1, 2, UINT32_C(1) << 31}}},
	{"discard without ranges", DISCARD, 0, 0, 1, .status = IOERR},
	{"discard: half a range", DISCARD, 0, 8, 1, .status = IOERR},
	{"discard: a range and a half", DISCARD, 0, 24, 1, .status = IOERR, .ranges = {{1, 2, 0}}},
	{"discard: 32 ranges", DISCARD, 0, 32 * 16, 1, .status = OK, .range_count = 32, .offset = 0,
		.length = 0},
	{"discard: 33 ranges", DISCARD, 0, 33 * 16, 1, .status = IOERR},
	{"discard with room", DISCARD, 0, 16, 2, .status = IOERR, .ranges = {{1, 2, 0}}},
	{"discard on a read-only disk", DISCARD, 0, 16, 1, .status = IOERR, .ranges = {{1, 2, 0}},
		.read_only = true},
	{"discard where there is none", DISCARD, 0, 16, 1, .status = UNSUPP, .ranges = {{1, 2, 0}},
		.incapable = true},
	{"discard without a status", DISCARD, 0, 16, 0, .status = -EPROTO, .ranges = {{1, 2, 0}}},
	{"write zeroes", WRITE_ZEROES, 0, 16, 1, .status = OK, .range_count = 1, .offset = 512,
		.length = 1024, .ranges = {{1, 2, 0}}},
	{"write zeroes with unmap", WRITE_ZEROES, 0, 16, 1, .status = OK, .range_count = 1,
		.offset = 512, .length = 1024, .ranges = {{1, 2, 1}}},
	{"write zeroes with an unknown flag", WRITE_ZEROES, 0, 16, 1, .status = UNSUPP,
		.ranges = {{1, 2, 3}}},
	{"write zeroes: the second has a flag", WRITE_ZEROES, 0, 32, 1, .status = UNSUPP,
		.ranges = {{1, 2, 1}, {4, 4, 4}}},
	{"write zeroes: more than allowed", WRITE_ZEROES, 0, 16, 1, .status = IOERR,
		.ranges = {{0, 501, 0}}},
	{"write zeroes over the end", WRITE_ZEROES, 0, 16, 1, .status = IOERR,
		.ranges = {{CAPACITY - 1, 2, 0}}},
	{"write zeroes on a read-only disk", WRITE_ZEROES, 0, 16, 1, .status = IOERR,
		.ranges = {{1, 2, 0}}, .read_only = true},
	{"write zeroes where there is none", WRITE_ZEROES, 0, 16, 1, .status = UNSUPP,
		.ranges = {{1, 2, 0}}, .incapable = true},
	{"lifetime", GET_LIFETIME, 0, 0, 41, .status = UNSUPP},
	{"secure erase", SECURE_ERASE, 0, 16, 1, .status = UNSUPP},
	{"legacy SCSI", 2, 0, 0, 513, .status = UNSUPP},
	{"legacy barrier", UINT32_C(0x80000000), 0, 0, 513, .status = UNSUPP},
	{"unknown type", 0xdeadbeef, 0, 512, 513, .status = UNSUPP},
	{"unknown type without a status", 0xdeadbeef, 0, 512, 0, .status = -EPROTO},
	{"header cut by a byte", IN, 0, 0, 513, .status = IOERR, .cut = 1},
	{"header of 8 bytes", OUT, 0, 0, 1, .status = IOERR, .cut = 8},
	{"no header", IN, 0, 0, 513, .status = IOERR, .cut = 16},
	{"no header and no status", IN, 0, 0, 0, .status = -EPROTO, .cut = 16},
};

static void put_le(uint8_t *bytes, uint64_t value, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		bytes[i] = (uint8_t)(value >> 8 * i);
}

/* Header and data in one piece; the length. */
static uint32_t build(const struct row *row, uint8_t *bytes)
{
	memset(bytes, 0, 16 + row->data_readable);
	put_le(bytes, row->type, 4);
	put_le(bytes + 8, row->sector, 8);
	for (unsigned int i = 0; i < 3 && row->data_readable >= (i + 1) * 16; i++) {
		uint8_t *range = bytes + 16 + (size_t)i * 16;

		put_le(range, row->ranges[i].sector, 8);
		put_le(range + 8, row->ranges[i].count, 4);
		put_le(range + 12, row->ranges[i].flags, 4);
	}
	return 16 + row->data_readable - row->cut;
}

static struct chain_cursor cursor(const struct gmem_span *spans, uint16_t count, uint64_t bytes)
{
	return (struct chain_cursor){.spans = spans, .span_count = count, .left_bytes = bytes};
}

/* The readable bytes stand in pieces of piece bytes, with an empty one in front if so asked. */
static void check_row(const struct row *row, uint32_t piece)
{
	static uint8_t bytes[16 + 33 * 16 + 4096], room[CAPACITY * 512 + 1];
	static struct gmem_span spans[sizeof(bytes)];
	struct gmem_span writable = {room, row->writable};
	uint32_t length = build(row, bytes);
	uint16_t count = 0;
	struct blk_limits limits = {
		.capacity_sectors = CAPACITY,
		.read_only = row->read_only,
		.can_discard = !row->incapable,
		.can_write_zeroes = !row->incapable,
		.discard_sectors_max = 1000,
		.write_zeroes_sectors_max = 500,
	};
	struct blk_request request;
	struct chain chain = {0};
	int r;

	for (uint32_t at = 0; at < length; at += piece, count++)
		spans[count] = (struct gmem_span){
			bytes + at, length - at < piece ? length - at : piece};
	chain.reader = cursor(spans, count, length);
	chain.writer = cursor(&writable, row->writable != 0, row->writable);
	chain.readable_bytes = length;
	chain.writable_bytes = row->writable;
	r = blk_request_decode(&chain, &limits, &request);
	if (r != row->status)
		fail_msg("%s, in pieces of %u: %d, not %d", row->name, piece, r, row->status);
	assert_int_equal(chain.written_bytes, 0);
	assert_int_equal(chain.writer.left_bytes, row->writable);
	if (r != OK)
		return;
	assert_int_equal(request.range_count, row->range_count);
	if (row->range_count) {
		assert_int_equal(request.ranges[0].offset, row->offset);
		assert_int_equal(request.ranges[0].length, row->length);
		assert_int_equal(request.ranges[0].unmap, row->ranges[0].flags & 1);
	}
	if (row->type == OUT)
		assert_int_equal(chain.reader.left_bytes, row->data_readable);
}

static void table(void **state)
{
	static const uint32_t pieces[] = {4096, 16, 1, 3, 7, 8, 15, 17};

	(void)state;
	for (unsigned int i = 0; i < array_size(rows); i++)
		for (unsigned int j = 0; j < array_size(pieces); j++)
			check_row(&rows[i], pieces[j]);
	print_message("%zu rows, each in %zu ways\n", array_size(rows), array_size(pieces));
}

/* The header split once, at each of its bytes. */
static void split_headers(void **state)
{
	(void)state;
	for (uint32_t first = 1; first < 16; first++) {
		uint8_t bytes[16 + 512] = {0}, status;
		struct gmem_span spans[] = {
			{bytes, first}, {bytes + first, (uint32_t)sizeof(bytes) - first}};
		struct gmem_span writable = {&status, 1};
		struct chain chain = {
			.reader = cursor(spans, 2, sizeof(bytes)),
			.writer = cursor(&writable, 1, 1),
			.readable_bytes = sizeof(bytes),
			.writable_bytes = 1,
		};
		struct blk_limits limits = {.capacity_sectors = CAPACITY};
		struct blk_request request;

		put_le(bytes, OUT, 4);
		put_le(bytes + 8, 0x123, 8);
		assert_int_equal(blk_request_decode(&chain, &limits, &request), OK);
		assert_int_equal(request.operation, BLK_WRITE);
		assert_int_equal(request.ranges[0].offset, 0x123 * 512);
	}
}

static void empty_disk(void **state)
{
	uint8_t bytes[16] = {0}, room[513];
	struct gmem_span readable = {bytes, 16}, writable = {room, 513};
	struct chain chain = {
		.reader = cursor(&readable, 1, 16),
		.writer = cursor(&writable, 1, 513),
		.readable_bytes = 16,
		.writable_bytes = 513,
	};
	struct blk_limits limits = {0};
	struct blk_request request;

	(void)state;
	assert_int_equal(blk_request_decode(&chain, &limits, &request), IOERR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table),
		cmocka_unit_test(split_headers),
		cmocka_unit_test(empty_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
