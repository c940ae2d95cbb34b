/*
 * Indirect tables: VIRTIO 1.2 2.7.5.3 and 2.8.7.
 */
#include "chain.h"

#include "board.h"

#define N DESC_NEXT
#define W DESC_WRITE
#define I DESC_INDIRECT

#define CHANGING_CYCLES 20000

#define BOTH   (NEED_BOTH | NEED_INDIRECT)
#define SPLIT  (NEED_SPLIT | NEED_INDIRECT)
#define PACKED (NEED_PACKED | NEED_INDIRECT)

#define GOOD_TABLE \
	.features = FEATURE_INDIRECT, .table_count = 3, .table = {LINK_IN, LINK_DATA, LINK_STATUS}

#define TABLE_OF(case_name, bytes, expected)                               \
	CHAIN("table-of-" case_name, BOTH, .expect = expected, .count = 1, \
		.links = {{AT_TABLE, bytes, I, 0, 0}}, GOOD_TABLE)
#define TABLE_AT(case_name, place, bytes, distance)                          \
	CHAIN("table-" case_name, BOTH, .expect = EXPECT_BROKEN, .count = 1, \
		.links = {{place, bytes, I, 0, distance}}, GOOD_TABLE)
#define TABLE_NEXT(case_name, ...)                                                              \
	CHAIN("table-" case_name, SPLIT, .features = FEATURE_INDIRECT, .expect = EXPECT_BROKEN, \
		.count = 1, .links = {{AT_TABLE, 48, I, 0, 0}}, .table_count = 3,               \
		.table = {__VA_ARGS__})

/* A chain in a table that is longer than the queue (2.7.5.3.1: the driver must not). */
static void run_long_table(struct scene *scene, const struct hostile_case *self)
{
	uint16_t count = (uint16_t)self->a;

	scene->features = FEATURE_INDIRECT;
	if (!scene_up(scene))
		return;
	scene_fill();
	stage.table[0] = (struct vring_descriptor){scene_place(scene, AT_IN), 16, N, 1};
	for (uint16_t i = 1; i < count; i++) {
		bool last = i == count - 1;

		stage.table[i] = (struct vring_descriptor){
			last ? scene_place(scene, AT_STATUS) : scene_place(scene, AT_DATA),
			last ? 1u : (i == 1 ? 512u : 0u), (uint16_t)(last ? W : N | W),
			(uint16_t)(i + 1)};
	}
	vring_descriptors(&scene->ring)[0] = (struct vring_descriptor){
		(uintptr_t)stage.table, count * UINT32_C(16), I, 0};
	vring_publish(&scene->ring, 0);
	virtio_notify(scene->device, 0);
	(void)scene_expect(scene, EXPECT_ANY);
}

static void write_good_table(const struct scene *scene)
{
	stage.table[0] = (struct vring_descriptor){scene_place(scene, AT_IN), 16, N, 1};
	stage.table[1] = (struct vring_descriptor){scene_place(scene, AT_DATA), 512, N | W, 2};
	stage.table[2] = (struct vring_descriptor){scene_place(scene, AT_STATUS), 1, W, 0};
}

/* Entries that change after they were offered: the device sees either, not a mixture of both. */
static void run_changing(struct scene *scene, const struct hostile_case *self)
{
	volatile struct vring_descriptor *entry = &stage.table[1];
	enum scene_result result = RESULT_USED;
	uint32_t length;
	uint64_t start;

	scene->features = FEATURE_INDIRECT;
	if (!scene_up(scene))
		return;
	for (unsigned int round = 0; round < self->a && result == RESULT_USED; round++) {
		scene_fill();
		write_good_table(scene);
		vring_descriptors(&scene->ring)[0] = (struct vring_descriptor){
			(uintptr_t)stage.table, 48, I, 0};
		vring_publish(&scene->ring, 0);
		virtio_notify(scene->device, 0);
		start = board_clock();
		while (board_clock() - start < CHANGING_CYCLES) {
			entry->address = scene_place(scene, AT_HOLE);
			entry->length = 0xfffffe00;
			entry->flags = I | N | W;
			entry->next = 0xffff;
		}
		result = scene_wait(scene, &length);
	}
	report_expect(scene->report, result != RESULT_NOTHING, "neither completed nor NEEDS_RESET");
}

static const struct hostile_case cases[] = {
	TABLE_OF("48", 48, EXPECT_OK),
	TABLE_OF("0", 0, EXPECT_BROKEN),
	TABLE_OF("1", 1, EXPECT_BROKEN),
	TABLE_OF("15", 15, EXPECT_BROKEN),
	TABLE_OF("17", 17, EXPECT_BROKEN),
	TABLE_OF("47", 47, EXPECT_BROKEN),
	TABLE_OF("49", 49, EXPECT_BROKEN),
	TABLE_OF("0xffffffff", 0xffffffff, EXPECT_BROKEN),
	TABLE_OF("0xfffffff0", 0xfffffff0, EXPECT_BROKEN),
	TABLE_AT("in-hole", AT_HOLE, 48, 0),
	TABLE_AT("in-ecam", AT_ECAM, 48, 0),
	TABLE_AT("in-own-registers", AT_DEVICE, 48, 0),
	TABLE_AT("at-ram-end", AT_RAM_END, 48, 0),
	TABLE_AT("across-ram-end", AT_RAM_END, 48, UINT64_MAX - 15),
	TABLE_AT("wraps", AT_TOP, 48, UINT64_MAX - 15),
	TABLE_AT("at-2-to-63", AT_ADDRESS, 48, UINT64_C(1) << 63),

	CHAIN("table-nested", SPLIT, .features = FEATURE_INDIRECT, .expect = EXPECT_BROKEN,
		.count = 1, .links = {{AT_TABLE, 16, I, 0, 0}}, .table_count = 4,
		.table = {{AT_TABLE, 48, I, 0, 16}, {AT_IN, 16, N, 1, 0}, LINK_DATA, LINK_STATUS}),
	CHAIN("table-of-itself", SPLIT, .features = FEATURE_INDIRECT, .expect = EXPECT_BROKEN,
		.count = 1, .links = {{AT_TABLE, 16, I, 0, 0}}, .table_count = 1,
		.table = {{AT_TABLE, 16, I, 0, 0}}),
	CHAIN("table-nested", PACKED, .features = FEATURE_INDIRECT, .expect = EXPECT_ANY,
		.count = 1, .links = {{AT_TABLE, 16, I, 0, 0}}, .table_count = 1,
		.table = {{AT_TABLE, 16, I, 0, 0}}),
	/* 2.7.5.3.1, 2.8.7: not together with NEXT. */
	CHAIN("table-and-next", BOTH, .expect = EXPECT_BROKEN, .count = 2,
		.links = {{AT_TABLE, 48, I | N, 1, 0}, LINK_STATUS}, GOOD_TABLE),
	/* 2.7.5.3.2: a device does handle this. */
	CHAIN("table-after-direct", SPLIT, .features = FEATURE_INDIRECT, .expect = EXPECT_OK,
		.count = 2, .links = {{AT_IN, 16, N, 1, 0}, {AT_TABLE, 32, I, 0, 0}},
		.table_count = 2, .table = {{AT_DATA, 512, N | W, 1, 0}, LINK_STATUS}),
	/* 2.7.5.3.2: WRITE of a descriptor that refers to a table is ignored. */
	CHAIN("table-write-flag", BOTH, .expect = EXPECT_OK, .count = 1,
		.links = {{AT_TABLE, 48, I | W, 0, 0}}, GOOD_TABLE),
	CHAIN("table-writable-first", BOTH, .features = FEATURE_INDIRECT, .expect = EXPECT_BROKEN,
		.count = 1, .links = {{AT_TABLE, 48, I, 0, 0}}, .table_count = 3,
		.table = {{AT_DATA, 512, N | W, 1, 0}, {AT_IN, 16, N, 2, 0}, LINK_STATUS}),
	CHAIN("table-data-in-hole", BOTH, .features = FEATURE_INDIRECT, .expect = EXPECT_REFUSED,
		.count = 1, .links = {{AT_TABLE, 48, I, 0, 0}}, .table_count = 3,
		.table = {LINK_IN, {AT_HOLE, 512, N | W, 2, 0}, LINK_STATUS}),
	TABLE_NEXT("next-is-size", LINK_IN, {AT_DATA, 512, N | W, 3, 0}, LINK_STATUS),
	TABLE_NEXT("next-is-0xffff", LINK_IN, {AT_DATA, 512, N | W, 0xffff, 0}, LINK_STATUS),
	TABLE_NEXT("loop-self", {AT_IN, 16, N, 0, 0}, LINK_DATA, LINK_STATUS),
	TABLE_NEXT("loop-two", LINK_IN, {AT_IN, 16, N, 0, 0}, LINK_STATUS),
	TABLE_NEXT("loop-to-data", LINK_IN, LINK_DATA, {AT_DATA, 512, N | W, 1, 512}),
	TABLE_NEXT("no-end", LINK_IN, LINK_DATA, {AT_STATUS, 1, N | W, 3, 0}),
	{.name = "table-longer-than-queue",
		.needs = SPLIT,
		.run = run_long_table,
		.a = SCENE_RING_SIZE + 1},
	{.name = "table-of-1024", .needs = SPLIT, .run = run_long_table, .a = 1024},
	{.name = "table-of-2048", .needs = SPLIT, .run = run_long_table, .a = TABLE_ENTRIES},
	{.name = "table-changes-meanwhile", .needs = SPLIT, .run = run_changing, .a = 20},
};

GROUP(indirect_group, cases);
