/*
 * Hundreds of requests in flight when something happens.
 */
#include "cases.h"

#include "board.h"

#define FLIGHT_MAX 256
#define CHAIN      3
#define MARK       UINT64_C(0x6b6b6b6b6b6b6b6b)

static struct blk_slot flight[FLIGHT_MAX];

/* As many requests as fit, up to FLIGHT_MAX, all into the same data; returns how many. The device
 * sees none of them before vring_expose: a fast one would be done with the first by then. */
static uint16_t launch(struct scene *scene, uint32_t type, uint32_t length)
{
	bool indirect;
	uint16_t max, count;

	scene->features = FEATURE_INDIRECT | FEATURE_RING_RESET | BLK_F_FLUSH;
	if (!scene_negotiate(scene))
		return 0;
	indirect = scene->device->accepted & FEATURE_INDIRECT;
	max = virtio_queue_size_max(scene->device, 0);
	max = max < VRING_SIZE_MAX ? max : VRING_SIZE_MAX;
	vring_place(&scene->ring, stage.ring, 0, max, scene->packed, false);
	scene->ring.stride = indirect ? 1 : CHAIN;
	vring_configure(&scene->ring, scene->device);
	scene->transport->enable(scene->device, 1);
	virtio_driver_ok(scene->device);
	count = max / scene->ring.stride;
	count = count < FLIGHT_MAX ? count : FLIGHT_MAX;
	for (uint16_t slot = 0; slot < count; slot++) {
		struct vring_descriptor *table = &stage.table[slot * CHAIN];
		struct vring_buffer buffers[CHAIN];
		uint16_t parts = blk_prepare(&flight[slot], type, SCRATCH_SECTOR,
			(uintptr_t)stage.data, length, buffers);

		if (!indirect) {
			vring_write_chain(&scene->ring, slot, buffers, parts);
			vring_put(&scene->ring, (uint16_t)(slot * CHAIN));
			continue;
		}
		for (uint16_t i = 0; i < parts; i++)
			table[i] = (struct vring_descriptor){buffers[i].address, buffers[i].length,
				(uint16_t)((buffers[i].writable ? DESC_WRITE : 0) |
					   (i + 1 < parts ? DESC_NEXT : 0)),
				(uint16_t)(i + 1)};
		vring_descriptors(&scene->ring)[slot] = (struct vring_descriptor){
			(uintptr_t)table, parts * UINT32_C(16), DESC_INDIRECT, 0};
		vring_put(&scene->ring, slot);
	}
	report_note(scene->report, "%u requests", count);
	return count;
}

static void send_off(struct scene *scene)
{
	vring_expose(&scene->ring);
	virtio_notify(scene->device, 0);
}

/* After the reset memory is the driver's again: nobody writes to it any more. */
static void expect_silence(struct scene *scene)
{
	volatile uint64_t *words = (volatile uint64_t *)(uintptr_t)stage.data;
	uint64_t start = board_clock();
	bool same = true;

	words[0] = MARK;
	words[63] = MARK;
	for (unsigned int i = 0; i < FLIGHT_MAX; i++)
		flight[i].status = BLK_PENDING;
	while (board_clock() - start < board_clock_hz() / 20)
		same = same && words[0] == MARK && words[63] == MARK;
	for (unsigned int i = 0; i < FLIGHT_MAX; i++)
		same = same && flight[i].status == BLK_PENDING;
	report_expect(scene->report, same, "memory was written after the reset");
}

/* a: type, b: bytes. */
static void run_reset(struct scene *scene, const struct hostile_case *self)
{
	if (!launch(scene, (uint32_t)self->a, (uint32_t)self->b))
		return;
	send_off(scene);
	if (report_expect(scene->report, virtio_reset(scene->device), "reset does not end"))
		expect_silence(scene);
}

/* All of them come back. */
static void run_complete(struct scene *scene, const struct hostile_case *self)
{
	uint16_t count = launch(scene, (uint32_t)self->a, (uint32_t)self->b);
	uint32_t length;

	if (!count)
		return;
	send_off(scene);
	for (uint16_t i = 0; i < count; i++) {
		if (!report_expect(scene->report, scene_wait(scene, &length) == RESULT_USED,
			    "%u came back", i))
			return;
	}
	for (uint16_t i = 0; i < count; i++)
		report_expect(scene->report, flight[i].status == BLK_OK, "request %u: status 0x%x",
			i, flight[i].status);
}

/* Behind them a head that is none. */
static void run_break(struct scene *scene, const struct hostile_case *self)
{
	if (!launch(scene, (uint32_t)self->a, (uint32_t)self->b))
		return;
	scene->ring.next_available--;
	vring_put(&scene->ring, 0xffff);
	send_off(scene);
	if (scene_expect_broken(scene) &&
		report_expect(scene->report, virtio_reset(scene->device), "reset does not end"))
		expect_silence(scene);
}

/* The first of them again, in place of the second: it cannot be used yet. */
static void run_again(struct scene *scene, const struct hostile_case *self)
{
	uint16_t count = launch(scene, (uint32_t)self->a, (uint32_t)self->b);

	if (!count)
		return;
	scene->ring.next_available = 1;
	vring_put(&scene->ring, 0);
	scene->ring.next_available = count;
	send_off(scene);
	(void)scene_expect_broken(scene);
}

/* The queue is reset under them (2.6.1). */
static void run_queue_reset(struct scene *scene, const struct hostile_case *self)
{
	uint64_t start;

	if (!launch(scene, (uint32_t)self->a, (uint32_t)self->b))
		return;
	send_off(scene);
	scene->transport->select_queue(scene->device, 0);
	scene->transport->reset_queue(scene->device);
	start = board_clock();
	while (scene->transport->enabled(scene->device) && !virtio_is_late(start))
		;
	report_expect(scene->report, !scene->transport->enabled(scene->device),
		"queue reset does not end");
}

#define FLIGHT(name, function, type, bytes)                                \
	{                                                                  \
		"flight-" name, NEED_SPLIT, function, NULL, type, bytes, 0 \
	}

static const struct hostile_case cases[] = {
	FLIGHT("completes", run_complete, BLK_IN, 4096),
	FLIGHT("flushes-complete", run_complete, BLK_FLUSH, 0),
	FLIGHT("writes-complete", run_complete, BLK_OUT, 4096),
	FLIGHT("reset-reads", run_reset, BLK_IN, 4096),
	FLIGHT("reset-large-reads", run_reset, BLK_IN, 32768),
	FLIGHT("reset-writes", run_reset, BLK_OUT, 32768),
	FLIGHT("reset-flushes", run_reset, BLK_FLUSH, 0),
	FLIGHT("broken-behind", run_break, BLK_IN, 4096),
	FLIGHT("broken-behind-writes", run_break, BLK_OUT, 4096),
	FLIGHT("head-again", run_again, BLK_IN, 32768),
	{"flight-queue-reset", NEED_SPLIT | NEED_QUEUE_RESET, run_queue_reset, NULL, BLK_IN, 32768,
		0},
};

GROUP(flight_group, cases);
