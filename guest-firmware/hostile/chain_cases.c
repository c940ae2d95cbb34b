/*
 * Descriptor chains that break VIRTIO 1.2 2.7.5 and 2.8.5 to 2.8.8, or point where nothing is.
 */
#include "chain.h"

#define N DESC_NEXT
#define W DESC_WRITE

/* A read whose data, header or status lies somewhere else. */
#define DATA_AT(case_name, place, bytes, distance, expected)                \
	CHAIN("data-" case_name, NEED_BOTH, .expect = expected, .count = 3, \
		.links = {LINK_IN, {place, bytes, N | W, 2, distance}, LINK_STATUS})
#define HEADER_AT(case_name, place, bytes, distance, expected)                \
	CHAIN("header-" case_name, NEED_BOTH, .expect = expected, .count = 3, \
		.links = {{place, bytes, N, 1, distance}, LINK_DATA, LINK_STATUS})
#define STATUS_AT(case_name, place, bytes, distance, expected)                \
	CHAIN("status-" case_name, NEED_BOTH, .expect = expected, .count = 3, \
		.links = {LINK_IN, LINK_DATA, {place, bytes, W, 0, distance}})

/* Split: the second descriptor names an absent one. */
#define NEXT_IS(case_name, index)                                                 \
	CHAIN("next-" case_name, NEED_SPLIT, .expect = EXPECT_BROKEN, .count = 3, \
		.links = {LINK_IN, {AT_DATA, 512, N | W, index, 0}, LINK_STATUS})

static const struct hostile_case cases[] = {
	CHAIN("chain-good", NEED_BOTH, .expect = EXPECT_OK, .count = 3,
		.links = {LINK_IN, LINK_DATA, LINK_STATUS}),

	CHAIN("loop-self", NEED_SPLIT, .expect = EXPECT_BROKEN, .count = 1,
		.links = {{AT_IN, 16, N, 0, 0}}),
	CHAIN("loop-self-writable", NEED_SPLIT, .expect = EXPECT_BROKEN, .count = 2,
		.links = {LINK_IN, {AT_DATA, 512, N | W, 1, 0}}),
	CHAIN("loop-two", NEED_SPLIT, .expect = EXPECT_BROKEN, .count = 2,
		.links = {LINK_IN, {AT_IN, 16, N, 0, 0}}),
	CHAIN("loop-to-start", NEED_SPLIT, .expect = EXPECT_BROKEN, .count = 3,
		.links = {LINK_IN, LINK_DATA, {AT_STATUS, 1, N | W, 0, 0}}),
	CHAIN("loop-in-data", NEED_SPLIT, .expect = EXPECT_BROKEN, .count = 3,
		.links = {LINK_IN, LINK_DATA, {AT_DATA, 512, N | W, 1, 512}}),
	CHAIN("loop-of-nothing", NEED_SPLIT, .expect = EXPECT_BROKEN, .count = 1,
		.links = {{AT_IN, 0, N, 0, 0}}),

	NEXT_IS("size", SCENE_RING_SIZE),
	NEXT_IS("size-plus-1", SCENE_RING_SIZE + 1),
	NEXT_IS("0x8000", 0x8000),
	NEXT_IS("0xffff", 0xffff),

	/* 2.7.4.2, 2.8.5: device-readable ones come first. */
	CHAIN("writable-first", NEED_BOTH, .expect = EXPECT_BROKEN, .count = 3,
		.links = {{AT_DATA, 512, N | W, 1, 0}, {AT_IN, 16, N, 2, 0}, LINK_STATUS}),
	CHAIN("writable-between", NEED_BOTH, .expect = EXPECT_BROKEN, .count = 4,
		.links = {LINK_IN, LINK_DATA, {AT_DATA, 512, N, 3, 512}, LINK_STATUS}),
	CHAIN("readable-last", NEED_BOTH, .expect = EXPECT_BROKEN, .count = 4,
		.links = {LINK_IN, LINK_DATA, {AT_STATUS, 1, N | W, 3, 0},
			{AT_DATA, 512, 0, 0, 0}}),
	CHAIN("status-first", NEED_BOTH, .expect = EXPECT_BROKEN, .count = 2,
		.links = {{AT_STATUS, 1, N | W, 1, 0}, {AT_IN, 16, 0, 0, 0}}),

	CHAIN("all-readable", NEED_BOTH, .expect = EXPECT_ANY, .count = 2,
		.links = {LINK_IN, {AT_DATA, 512, 0, 0, 0}}),
	CHAIN("all-writable", NEED_BOTH, .expect = EXPECT_ANY, .count = 2,
		.links = {{AT_DATA, 512, N | W, 1, 0}, LINK_STATUS}),
	CHAIN("only-header", NEED_BOTH, .expect = EXPECT_ANY, .count = 1,
		.links = {{AT_IN, 16, 0, 0, 0}}),
	CHAIN("only-status", NEED_BOTH, .expect = EXPECT_REFUSED, .count = 1,
		.links = {LINK_STATUS}),
	CHAIN("only-nothing-readable", NEED_BOTH, .expect = EXPECT_ANY, .count = 1,
		.links = {{AT_IN, 0, 0, 0, 0}}),
	CHAIN("only-nothing-writable", NEED_BOTH, .expect = EXPECT_ANY, .count = 1,
		.links = {{AT_STATUS, 0, W, 0, 0}}),

	/* Nothing in VIRTIO forbids buffers of no length. */
	CHAIN("zero-length-header", NEED_BOTH, .expect = EXPECT_OK, .count = 4,
		.links = {{AT_IN, 0, N, 1, 0}, {AT_IN, 16, N, 2, 0}, {AT_DATA, 512, N | W, 3, 0},
			LINK_STATUS}),
	CHAIN("zero-length-data", NEED_BOTH, .expect = EXPECT_OK, .count = 4,
		.links = {LINK_IN, {AT_DATA, 0, N | W, 2, 0}, {AT_DATA, 512, N | W, 3, 0},
			LINK_STATUS}),
	CHAIN("zero-length-in-hole", NEED_BOTH, .expect = EXPECT_ANY, .count = 4,
		.links = {LINK_IN, {AT_HOLE, 0, N | W, 2, 0}, {AT_DATA, 512, N | W, 3, 0},
			LINK_STATUS}),
	CHAIN("zero-length-last", NEED_BOTH, .expect = EXPECT_ANY, .count = 4,
		.links = {LINK_IN, LINK_DATA, {AT_STATUS, 1, N | W, 3, 0},
			{AT_STATUS, 0, W, 0, 0}}),

	DATA_AT("in-hole", AT_HOLE, 512, 0, EXPECT_REFUSED),
	DATA_AT("in-ecam", AT_ECAM, 512, 0, EXPECT_REFUSED),
	DATA_AT("in-own-interrupts", AT_OWN_INTERRUPTS, 512, 0, EXPECT_REFUSED),
	DATA_AT("in-shared-interrupts", AT_SHARED_INTERRUPTS, 512, 0, EXPECT_REFUSED),
	DATA_AT("in-own-registers", AT_DEVICE, 512, 0, EXPECT_REFUSED),
	DATA_AT("at-ram-end", AT_RAM_END, 512, 0, EXPECT_REFUSED),
	DATA_AT("across-ram-end", AT_RAM_END, 512, UINT64_MAX - 255, EXPECT_REFUSED),
	DATA_AT("at-4-gib-minus-256", AT_ADDRESS, 512, 0xffffff00, EXPECT_REFUSED),
	DATA_AT("at-2-to-40", AT_ADDRESS, 512, UINT64_C(1) << 40, EXPECT_REFUSED),
	DATA_AT("at-2-to-52", AT_ADDRESS, 512, UINT64_C(1) << 52, EXPECT_REFUSED),
	DATA_AT("at-2-to-63", AT_ADDRESS, 512, UINT64_C(1) << 63, EXPECT_REFUSED),
	DATA_AT("wraps", AT_TOP, 512, UINT64_MAX - 15, EXPECT_REFUSED),
	DATA_AT("wraps-exactly", AT_TOP, 512, UINT64_MAX - 511, EXPECT_REFUSED),
	DATA_AT("at-last-byte", AT_TOP, 1, UINT64_MAX, EXPECT_REFUSED),
	DATA_AT("of-4-gib", AT_DATA, 0xfffffe00, 0, EXPECT_REFUSED),
	DATA_AT("of-2-gib", AT_DATA, 0x80000000, 0, EXPECT_REFUSED),
	HEADER_AT("in-hole", AT_HOLE, 16, 0, EXPECT_REFUSED),
	HEADER_AT("in-own-registers", AT_DEVICE, 16, 0, EXPECT_REFUSED),
	HEADER_AT("at-ram-end", AT_RAM_END, 16, 0, EXPECT_REFUSED),
	HEADER_AT("across-ram-end", AT_RAM_END, 16, UINT64_MAX - 7, EXPECT_REFUSED),
	HEADER_AT("wraps", AT_TOP, 16, UINT64_MAX - 7, EXPECT_REFUSED),
	HEADER_AT("of-4-gib", AT_IN, 0xffffffff, 0, EXPECT_REFUSED),
	STATUS_AT("in-hole", AT_HOLE, 1, 0, EXPECT_ANY),
	STATUS_AT("in-own-registers", AT_DEVICE, 1, 0, EXPECT_ANY),
	STATUS_AT("at-ram-end", AT_RAM_END, 1, 0, EXPECT_ANY),
	STATUS_AT("at-last-byte", AT_TOP, 1, UINT64_MAX, EXPECT_ANY),
	STATUS_AT("of-4-gib", AT_STATUS, 0xffffffff, 0, EXPECT_REFUSED),

	CHAIN("total-over-4-gib", NEED_BOTH, .expect = EXPECT_REFUSED, .count = 5,
		.links = {LINK_IN, {AT_DATA, 0xfffffe00, N | W, 2, 0},
			{AT_DATA, 0xfffffe00, N | W, 3, 0}, {AT_DATA, 0xfffffe00, N | W, 4, 0},
			LINK_STATUS}),

	/* Legal, if odd: a device reads a descriptor once and never again. */
	CHAIN("data-over-descriptors", NEED_SPLIT, .expect = EXPECT_OK, .count = 3,
		.links = {LINK_IN, {AT_RING_DESCRIPTOR, 512, N | W, 2, 0}, LINK_STATUS}),
	CHAIN("data-over-available", NEED_SPLIT, .expect = EXPECT_ANY, .count = 3,
		.links = {LINK_IN, {AT_RING_DRIVER, 512, N | W, 2, 0}, LINK_STATUS}),
	CHAIN("data-over-header", NEED_BOTH, .expect = EXPECT_ANY, .count = 3,
		.links = {LINK_IN, {AT_IN, 512, N | W, 2, 0}, LINK_STATUS}),
	CHAIN("data-twice-the-same", NEED_BOTH, .expect = EXPECT_OK, .count = 4,
		.links = {LINK_IN, LINK_DATA, {AT_DATA, 512, N | W, 3, 0}, LINK_STATUS}),
	CHAIN("reserved-flags", NEED_SPLIT, .expect = EXPECT_OK, .count = 3,
		.links = {{AT_IN, 16, N | 0x5a50, 1, 0}, LINK_DATA, LINK_STATUS}),

	CHAIN("indirect-not-negotiated", NEED_BOTH, .expect = EXPECT_BROKEN, .count = 1,
		.links = {{AT_TABLE, 48, DESC_INDIRECT, 0, 0}}, .table_count = 3,
		.table = {LINK_IN, LINK_DATA, LINK_STATUS}),
};

GROUP(chain_group, cases);
