/*
 * The same good request spread over descriptors in every way (VIRTIO 1.2 2.6.4: a device makes no
 * assumptions about framing), and headers that are too short.
 */
#include "cases.h"

#include "memory.h"

#define PIECES_MAX 24

struct pieces {
	struct vring_buffer list[PIECES_MAX];
	uint16_t count;
};

static void add(struct pieces *pieces, uint64_t address, uint32_t length, bool writable)
{
	if (pieces->count < PIECES_MAX)
		pieces->list[pieces->count++] = (struct vring_buffer){address, length, writable};
}

static bool begin(struct scene *scene)
{
	if (!scene_up(scene))
		return false;
	scene_fill();
	return true;
}

/* What a read of sector 0 brings begins so. */
static void expect_read(struct scene *scene)
{
	if (scene_expect(scene, EXPECT_OK))
		report_expect(scene->report, load64(stage.data) == UINT64_C(1) << 56,
			"other data: 0x%lx", load64(stage.data));
}

/* The header in two descriptors, the first of a bytes. */
static void run_split_header(struct scene *scene, const struct hostile_case *self)
{
	uint64_t header = (uintptr_t)&stage.in.header;
	struct pieces pieces = {.count = 0};
	uint32_t first = (uint32_t)self->a;

	if (!begin(scene))
		return;
	add(&pieces, header, first, false);
	add(&pieces, header + first, 16 - first, false);
	add(&pieces, (uintptr_t)stage.data, 512, true);
	add(&pieces, (uintptr_t)&stage.in.status, 1, true);
	scene_send(scene, pieces.list, pieces.count);
	expect_read(scene);
}

/* Every byte of the header has its own descriptor. */
static void run_header_bytes(struct scene *scene, const struct hostile_case *self)
{
	struct pieces pieces = {.count = 0};

	(void)self;
	if (!begin(scene))
		return;
	for (unsigned int i = 0; i < 16; i++)
		add(&pieces, (uintptr_t)&stage.in.header + i, 1, false);
	add(&pieces, (uintptr_t)stage.data, 512, true);
	add(&pieces, (uintptr_t)&stage.in.status, 1, true);
	scene_send(scene, pieces.list, pieces.count);
	expect_read(scene);
}

/* A header of a bytes and no more. */
static void run_short_header(struct scene *scene, const struct hostile_case *self)
{
	struct pieces pieces = {.count = 0};

	if (!begin(scene))
		return;
	if (self->a)
		add(&pieces, (uintptr_t)&stage.in.header, (uint32_t)self->a, false);
	add(&pieces, (uintptr_t)stage.data, 512, true);
	add(&pieces, (uintptr_t)&stage.in.status, 1, true);
	scene_send(scene, pieces.list, pieces.count);
	(void)scene_expect(scene, EXPECT_REFUSED);
}

/* Data and status in one buffer: the last byte is the status. */
static void run_joined_status(struct scene *scene, const struct hostile_case *self)
{
	volatile uint8_t *status = stage.data + 512;
	struct pieces pieces = {.count = 0};

	(void)self;
	if (!begin(scene))
		return;
	*status = BLK_PENDING;
	add(&pieces, (uintptr_t)&stage.in.header, 16, false);
	add(&pieces, (uintptr_t)stage.data, 513, true);
	scene_send(scene, pieces.list, pieces.count);
	if (scene_expect_status(scene, EXPECT_OK, status))
		report_expect(scene->report, load64(stage.data) == UINT64_C(1) << 56,
			"other data: 0x%lx", load64(stage.data));
}

/* Header and data of a write in one buffer. */
static void run_joined_header(struct scene *scene, const struct hostile_case *self)
{
	struct pieces pieces = {.count = 0};

	(void)self;
	if (!begin(scene))
		return;
	*(struct blk_header *)(uintptr_t)stage.data = (struct blk_header){
		BLK_OUT, 0, SCRATCH_SECTOR};
	add(&pieces, (uintptr_t)stage.data, 16 + 512, false);
	add(&pieces, (uintptr_t)&stage.in.status, 1, true);
	scene_send(scene, pieces.list, pieces.count);
	(void)scene_expect(scene, EXPECT_OK);
}

/* Data in pieces of a bytes, and the rest. */
static void run_split_data(struct scene *scene, const struct hostile_case *self)
{
	struct pieces pieces = {.count = 0};
	uint32_t done = 0;

	if (!begin(scene))
		return;
	add(&pieces, (uintptr_t)&stage.in.header, 16, false);
	while (done < 512) {
		uint32_t now = pieces.count < 16 && self->a < 512 - done ? (uint32_t)self->a
		                                                         : 512 - done;

		add(&pieces, (uintptr_t)stage.data + done, now, true);
		done += now;
	}
	add(&pieces, (uintptr_t)&stage.in.status, 1, true);
	scene_send(scene, pieces.list, pieces.count);
	expect_read(scene);
}

/* A status buffer of a bytes. */
static void run_long_status(struct scene *scene, const struct hostile_case *self)
{
	struct pieces pieces = {.count = 0};

	if (!begin(scene))
		return;
	add(&pieces, (uintptr_t)&stage.in.header, 16, false);
	add(&pieces, (uintptr_t)stage.data, 512, true);
	add(&pieces, (uintptr_t)&stage.in.status, (uint32_t)self->a, true);
	scene_send(scene, pieces.list, pieces.count);
	(void)scene_expect(scene, EXPECT_ANY);
}

#define SPLIT(bytes)                                                                   \
	{                                                                              \
		"header-split-" #bytes, NEED_BOTH, run_split_header, NULL, bytes, 0, 0 \
	}
#define SHORT(bytes)                                                                \
	{                                                                           \
		"header-of-" #bytes, NEED_BOTH, run_short_header, NULL, bytes, 0, 0 \
	}
#define PIECES(bytes)                                                                  \
	{                                                                              \
		"data-pieces-of-" #bytes, NEED_BOTH, run_split_data, NULL, bytes, 0, 0 \
	}
#define STATUS(bytes)                                                              \
	{                                                                          \
		"status-of-" #bytes, NEED_BOTH, run_long_status, NULL, bytes, 0, 0 \
	}

static const struct hostile_case cases[] = {
	SPLIT(1),
	SPLIT(2),
	SPLIT(3),
	SPLIT(4),
	SPLIT(5),
	SPLIT(6),
	SPLIT(7),
	SPLIT(8),
	SPLIT(9),
	SPLIT(10),
	SPLIT(11),
	SPLIT(12),
	SPLIT(13),
	SPLIT(14),
	SPLIT(15),
	{"header-in-bytes", NEED_BOTH, run_header_bytes, NULL, 0, 0, 0},
	SHORT(0),
	SHORT(1),
	SHORT(4),
	SHORT(8),
	SHORT(12),
	SHORT(15),
	{"status-joined", NEED_BOTH, run_joined_status, NULL, 0, 0, 0},
	{"header-joined", NEED_BOTH, run_joined_header, NULL, 0, 0, 0},
	PIECES(1),
	PIECES(37),
	PIECES(256),
	PIECES(511),
	STATUS(0),
	STATUS(2),
	STATUS(16),
	STATUS(512),
};

GROUP(layout_group, cases);
