/*
 * Indices, heads, ids and event suppression: VIRTIO 1.2 2.7.6 to 2.7.10, 2.8.1, 2.8.14.
 */
#include "cases.h"

#include "barrier.h"
#include "board.h"

#define IDX     1 /* in 16-bit words of either ring */
#define ENTRIES 2

static void write_read_chain(const struct scene *scene, uint16_t slot)
{
	const struct vring_buffer buffers[] = {
		{(uintptr_t)&stage.in.header, 16, false},
		{(uintptr_t)stage.data, 512, true},
		{(uintptr_t)&stage.in.status, 1, true},
	};

	vring_write_chain(&scene->ring, slot, buffers, 3);
}

static bool begin(struct scene *scene)
{
	if (!scene_up(scene))
		return false;
	scene_fill();
	scene->ring.stride = 3;
	if (!scene->packed)
		write_read_chain(scene, 0);
	return true;
}

/* Head a is no descriptor of the table. */
static void run_head(struct scene *scene, const struct hostile_case *self)
{
	if (!begin(scene))
		return;
	vring_publish(&scene->ring, (uint16_t)self->a);
	virtio_notify(scene->device, 0);
	(void)scene_expect(scene, (enum expect)self->b);
}

/* The last descriptors of the table make a chain as good as any. */
static void run_last_head(struct scene *scene, const struct hostile_case *self)
{
	volatile struct vring_descriptor *table;
	uint16_t last;

	(void)self;
	if (!begin(scene))
		return;
	table = vring_descriptors(&scene->ring);
	last = (uint16_t)(scene->ring.size - 1);
	table[last] = (struct vring_descriptor){(uintptr_t)&stage.in.header, 16, DESC_NEXT, 1};
	vring_publish(&scene->ring, last);
	virtio_notify(scene->device, 0);
	(void)scene_expect(scene, EXPECT_OK);
}

/* The available index moves by a, of which entries a driver could have filled are at most 32. */
static void run_index(struct scene *scene, const struct hostile_case *self)
{
	if (!begin(scene))
		return;
	if (self->b && !scene_expect_good(scene))
		return;
	scene->ring.stride = 3;
	write_read_chain(scene, 0);
	/* ORDER: the chain before the index. */
	barrier_order();
	vring_driver_area(&scene->ring)[IDX] = (uint16_t)(scene->ring.next_available + self->a);
	virtio_notify(scene->device, 0);
	(void)scene_expect_broken(scene);
}

/* One head twice, both offered at once: the first cannot be used yet. */
static void run_head_twice(struct scene *scene, const struct hostile_case *self)
{
	(void)self;
	if (!begin(scene))
		return;
	stage.in.header.sector = 0;
	vring_put(&scene->ring, 0);
	vring_put(&scene->ring, 0);
	vring_expose(&scene->ring);
	virtio_notify(scene->device, 0);
	(void)scene_expect_broken(scene);
}

/* The second chain begins in the middle of the first. */
static void run_shared_tail(struct scene *scene, const struct hostile_case *self)
{
	uint32_t length;

	(void)self;
	if (!begin(scene))
		return;
	vring_publish(&scene->ring, 0);
	vring_publish(&scene->ring, 1);
	virtio_notify(scene->device, 0);
	for (unsigned int i = 0; i < 2; i++) {
		enum scene_result result = scene_wait(scene, &length);

		report_expect(scene->report, result != RESULT_NOTHING,
			"neither completed nor NEEDS_RESET");
		if (result != RESULT_USED)
			return;
	}
}

/* Words of the driver area that say when to interrupt; none may keep the device from working. */
static void run_suppression(struct scene *scene, const struct hostile_case *self)
{
	volatile uint16_t *driver;
	uint64_t word = self->a;

	scene->features = self->c;
	if (!scene_up(scene))
		return;
	driver = vring_driver_area(&scene->ring);
	if (word == ENTRIES) /* used_event is behind the ring */
		word += scene->ring.size;
	driver[word] = (uint16_t)self->b;
	for (unsigned int i = 0; i < 3 && scene_expect_good(scene); i++)
		driver[word] = (uint16_t)~driver[word];
}

/* The used ring belongs to the device: what a driver writes there changes nothing. */
static void run_used_ring(struct scene *scene, const struct hostile_case *self)
{
	volatile uint16_t *used;

	if (!scene_up(scene) || !scene_expect_good(scene))
		return;
	used = vring_device_area(&scene->ring);
	for (uint64_t word = 0; word < UINT64_C(3) + scene->ring.size * 4; word++)
		used[word] = (uint16_t)self->a;
	used[IDX] = scene->ring.next_used;
	(void)scene_expect_good(scene);
}

/* All of the ring available in one go, then completed in full. */
static void run_full(struct scene *scene, const struct hostile_case *self)
{
	uint16_t chains;
	uint32_t length;

	(void)self;
	if (!begin(scene))
		return;
	chains = scene->ring.size / 3;
	for (uint16_t slot = 0; slot < chains; slot++) {
		const struct vring_buffer buffers[] = {
			{(uintptr_t)&stage.in.header, 16, false},
			{(uintptr_t)stage.data, 512, true},
			{(uintptr_t)&stage.in.status, 1, true},
		};

		vring_add(&scene->ring, slot, buffers, 3);
	}
	virtio_notify(scene->device, 0);
	for (uint16_t i = 0; i < chains; i++) {
		if (!report_expect(scene->report, scene_wait(scene, &length) == RESULT_USED,
			    "%u of %u completed", i, chains))
			return;
	}
}

/* Indices wrap: more requests than 16 bits could count are too slow, so three times the ring. */
static void run_around(struct scene *scene, const struct hostile_case *self)
{
	(void)self;
	if (!scene_up(scene))
		return;
	for (unsigned int i = 0; i < 3u * scene->ring.size; i++) {
		if (!scene_expect_good(scene))
			return;
	}
}

/* A packed chain of a descriptors that never ends. */
static void run_packed_endless(struct scene *scene, const struct hostile_case *self)
{
	struct vring_packed descriptor = {0, 512, 0, DESC_NEXT | DESC_WRITE};
	uint16_t first;

	(void)self;
	if (!begin(scene))
		return;
	first = vring_packed_flags(&scene->ring, DESC_NEXT);
	descriptor.address = (uintptr_t)stage.data;
	for (uint16_t i = 1; i < scene->ring.size; i++) {
		descriptor.flags = vring_packed_flags(&scene->ring, DESC_NEXT | DESC_WRITE);
		vring_packed_descriptors(&scene->ring)[i] = descriptor;
	}
	barrier_order();
	vring_packed_descriptors(&scene->ring)[0] = (struct vring_packed){
		(uintptr_t)&stage.in.header, 16, 0, first};
	virtio_notify(scene->device, 0);
	(void)scene_expect_broken(scene);
}

/* Only the first descriptor of a chain is available. */
static void run_packed_cut(struct scene *scene, const struct hostile_case *self)
{
	uint16_t flags;

	(void)self;
	if (!begin(scene))
		return;
	flags = vring_packed_flags(&scene->ring, DESC_NEXT);
	vring_packed_descriptors(&scene->ring)[0] = (struct vring_packed){
		(uintptr_t)&stage.in.header, 16, 0, flags};
	virtio_notify(scene->device, 0);
	/* What follows is all zeros: an empty readable buffer, the chain's last. */
	scene->ring.stride = 2;
	(void)scene_expect(scene, EXPECT_ANY);
}

/* Flags of another round: not available, so it stays where it is until they are right. */
static void run_packed_other_round(struct scene *scene, const struct hostile_case *self)
{
	volatile struct vring_packed *table;

	if (!begin(scene))
		return;
	table = vring_packed_descriptors(&scene->ring);
	table[0] = (struct vring_packed){
		(uintptr_t)&stage.in.header, 16, 0, (uint16_t)(DESC_NEXT | self->a)};
	virtio_notify(scene->device, 0);
	(void)scene_expect_good(scene);
}

/* An id that is no number of a descriptor comes back as it is, or is refused. */
static void run_packed_id(struct scene *scene, const struct hostile_case *self)
{
	const struct vring_packed descriptors[] = {
		{(uintptr_t)&stage.in.header, 16, (uint16_t)self->a, DESC_NEXT},
		{(uintptr_t)stage.data, 512, (uint16_t)self->a, DESC_NEXT | DESC_WRITE},
		{(uintptr_t)&stage.in.status, 1, (uint16_t)self->a, DESC_WRITE},
	};
	uint64_t start = board_clock();
	uint32_t length;
	uint16_t id;

	if (!begin(scene))
		return;
	vring_publish_packed(&scene->ring, descriptors, 3);
	virtio_notify(scene->device, 0);
	while (!(scene->transport->status(scene->device) & STATUS_NEEDS_RESET)) {
		if (vring_take_used(&scene->ring, &id, &length)) {
			report_expect(scene->report, id == self->a, "came back as %u", id);
			return;
		}
		if (virtio_is_late(start)) {
			report_expect(scene->report, false, "neither completed nor NEEDS_RESET");
			return;
		}
	}
}

/* The same id for two chains in flight. */
static void run_packed_id_twice(struct scene *scene, const struct hostile_case *self)
{
	const struct vring_packed descriptors[] = {
		{(uintptr_t)&stage.in.header, 16, 5, DESC_NEXT},
		{(uintptr_t)stage.data, 512, 5, DESC_NEXT | DESC_WRITE},
		{(uintptr_t)&stage.in.status, 1, 5, DESC_WRITE},
	};
	uint32_t length;

	(void)self;
	if (!begin(scene))
		return;
	vring_publish_packed(&scene->ring, descriptors, 3);
	vring_publish_packed(&scene->ring, descriptors, 3);
	virtio_notify(scene->device, 0);
	for (unsigned int i = 0; i < 2; i++) {
		enum scene_result result = scene_wait(scene, &length);

		report_expect(scene->report, result != RESULT_NOTHING,
			"neither completed nor NEEDS_RESET");
		if (result != RESULT_USED)
			return;
	}
}

#define HEAD(case_name, value, expected)                                                     \
	{                                                                                    \
		.name = "head-" case_name, .needs = NEED_SPLIT, .run = run_head, .a = value, \
		.b = expected                                                                \
	}
#define INDEX(case_name, step, after)                                                         \
	{                                                                                     \
		.name = "index-" case_name, .needs = NEED_SPLIT, .run = run_index, .a = step, \
		.b = after                                                                    \
	}
#define SUPPRESS(case_name, need, word, value, feature)                                  \
	{                                                                                \
		.name = "suppression-" case_name, .needs = need, .run = run_suppression, \
		.a = word, .b = value, .c = feature                                      \
	}

static const struct hostile_case cases[] = {
	HEAD("size", SCENE_RING_SIZE, EXPECT_BROKEN),
	HEAD("0x8000", 0x8000, EXPECT_BROKEN),
	HEAD("0xffff", 0xffff, EXPECT_BROKEN),
	HEAD("of-empty-descriptor", 20, EXPECT_ANY),
	{.name = "head-last", .needs = NEED_SPLIT, .run = run_last_head},
	{.name = "head-twice", .needs = NEED_SPLIT, .run = run_head_twice},
	{.name = "head-inside-another", .needs = NEED_SPLIT, .run = run_shared_tail},
	INDEX("jumps-by-size-plus-1", SCENE_RING_SIZE + 1, 0),
	INDEX("jumps-by-0x7fff", 0x7fff, 0),
	INDEX("jumps-by-0x8000", 0x8000, 0),
	INDEX("jumps-by-0xffff", 0xffff, 0),
	INDEX("backwards", 0xffff, 1),
	INDEX("jumps-later", SCENE_RING_SIZE + 1, 1),
	SUPPRESS("flags-0xffff", NEED_SPLIT, 0, 0xffff, 0),
	SUPPRESS("flags-reserved", NEED_SPLIT, 0, 0x5a5a, 0),
	SUPPRESS("used-event-far", NEED_SPLIT | NEED_EVENT_INDEX, ENTRIES, 0x7fff,
		FEATURE_EVENT_INDEX),
	SUPPRESS("used-event-wild", NEED_SPLIT | NEED_EVENT_INDEX, ENTRIES, 0xffff,
		FEATURE_EVENT_INDEX),
	SUPPRESS("packed-flags-3", NEED_PACKED, 1, 3, 0),
	SUPPRESS("packed-flags-0xffff", NEED_PACKED, 1, 0xffff, 0),
	SUPPRESS("packed-event-without-feature", NEED_PACKED, 1, 2, 0),
	SUPPRESS("packed-offset-wild", NEED_PACKED | NEED_EVENT_INDEX, 0, 0xffff,
		FEATURE_EVENT_INDEX),
	{.name = "used-ring-overwritten", .needs = NEED_SPLIT, .run = run_used_ring, .a = 0xffff},
	{.name = "used-ring-cleared", .needs = NEED_SPLIT, .run = run_used_ring, .a = 0},
	{.name = "ring-full", .needs = NEED_BOTH, .run = run_full},
	{.name = "ring-around", .needs = NEED_BOTH, .run = run_around},
	{.name = "packed-endless-chain", .needs = NEED_PACKED, .run = run_packed_endless},
	{.name = "packed-cut-chain", .needs = NEED_PACKED, .run = run_packed_cut},
	{.name = "packed-not-available",
		.needs = NEED_PACKED,
		.run = run_packed_other_round,
		.a = 0},
	{.name = "packed-already-used",
		.needs = NEED_PACKED,
		.run = run_packed_other_round,
		.a = DESC_AVAILABLE | DESC_USED},
	{.name = "packed-other-round",
		.needs = NEED_PACKED,
		.run = run_packed_other_round,
		.a = DESC_USED},
	{.name = "packed-id-size",
		.needs = NEED_PACKED,
		.run = run_packed_id,
		.a = SCENE_RING_SIZE},
	{.name = "packed-id-0xffff", .needs = NEED_PACKED, .run = run_packed_id, .a = 0xffff},
	{.name = "packed-id-twice", .needs = NEED_PACKED, .run = run_packed_id_twice},
};

GROUP(ring_group, cases);
