/*
 * The status register and features: VIRTIO 1.2 2.1, 2.2, 3.1.
 */
#include "cases.h"

#include "board.h"

static uint8_t status(const struct scene *scene)
{
	return scene->transport->status(scene->device);
}

static void set(const struct scene *scene, uint64_t value)
{
	scene->transport->set_status(scene->device, (uint8_t)value);
}

static void send_read(struct scene *scene)
{
	const struct vring_buffer buffers[] = {
		{(uintptr_t)&stage.in.header, 16, false},
		{(uintptr_t)stage.data, 512, true},
		{(uintptr_t)&stage.in.status, 1, true},
	};

	scene_fill();
	scene_send(scene, buffers, 3);
}

/* 3.1.1: without FEATURES_OK the device is not alive, whatever else is written: queues of a are
 * offered in this status and not touched. */
static void run_too_early(struct scene *scene, const struct hostile_case *self)
{
	uint64_t start;

	if (!scene_negotiate(scene))
		return;
	(void)virtio_reset(scene->device);
	set(scene, self->a & ~UINT64_C(STATUS_DRIVER_OK));
	vring_configure(&scene->ring, scene->device);
	scene->transport->enable(scene->device, 1);
	set(scene, self->a);
	send_read(scene);
	start = board_clock();
	while (board_clock() - start < board_clock_hz() / 50)
		;
	report_note(scene->report, "status 0x%x", status(scene));
	report_expect(scene->report, vring_device_area(&scene->ring)[1] == 0, "a queue was served");
}

/* Feature bits a (in word b) that were never offered. */
static void run_feature(struct scene *scene, const struct hostile_case *self)
{
	uint64_t offered = virtio_offered(scene->device);
	uint64_t refused = FEATURE(self->a);

	if (!report_expect(scene->report, !(offered & refused), "it is offered"))
		return;
	set(scene, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
	offered = FEATURE_VERSION_1 | refused;
	scene->transport->accept(scene->device, 0, (uint32_t)offered);
	scene->transport->accept(scene->device, 1, (uint32_t)(offered >> 32));
	set(scene, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK);
	report_expect(scene->report, !(status(scene) & STATUS_FEATURES_OK),
		"FEATURES_OK was kept, status 0x%x", status(scene));
}

/* Words of the feature bit map that no device has. */
static void run_feature_word(struct scene *scene, const struct hostile_case *self)
{
	report_expect(scene->report,
		scene->transport->offered(scene->device, (uint32_t)self->a) == 0, "offers 0x%x",
		scene->transport->offered(scene->device, (uint32_t)self->a));
	scene->transport->accept(scene->device, (uint32_t)self->a, 0xffffffff);
}

/* 6.2: a device need not work without VERSION_1; it may not be harmed. */
static void run_no_version(struct scene *scene, const struct hostile_case *self)
{
	(void)self;
	set(scene, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
	scene->transport->accept(scene->device, 0, 0);
	scene->transport->accept(scene->device, 1, 0);
	set(scene, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK);
	report_expect(scene->report, !(status(scene) & STATUS_FEATURES_OK),
		"FEATURES_OK was kept, status 0x%x", status(scene));
}

/* Features that arrive after FEATURES_OK do not count: an indirect table stays forbidden. */
static void run_late_feature(struct scene *scene, const struct hostile_case *self)
{
	if (self->a == 0) {
		if (!scene_up(scene))
			return;
	} else {
		if (!scene_negotiate(scene))
			return;
	}
	scene->transport->accept(scene->device, 0, (uint32_t)FEATURE_INDIRECT);
	scene->transport->accept(scene->device, 1, 1);
	if (self->a) {
		vring_configure(&scene->ring, scene->device);
		scene->transport->enable(scene->device, 1);
		virtio_driver_ok(scene->device);
	}
	scene_fill();
	vring_descriptors(&scene->ring)[0] = (struct vring_descriptor){
		(uintptr_t)stage.table, 48, DESC_INDIRECT, 0};
	vring_publish(&scene->ring, 0);
	virtio_notify(scene->device, 0);
	(void)scene_expect_broken(scene);
}

/* 2.1.1: no bit may be taken back but all of them: a is written to a working device. */
static void run_backwards(struct scene *scene, const struct hostile_case *self)
{
	uint8_t before, after;

	if (!scene_up(scene) || !scene_expect_good(scene))
		return;
	before = status(scene);
	set(scene, self->a);
	after = status(scene);
	report_note(scene->report, "0x%x, wrote 0x%x, reads 0x%x", before, (uint8_t)self->a, after);
	if (after & (STATUS_NEEDS_RESET | STATUS_FAILED))
		return;
	report_expect(scene->report, (after & before) == before, "bits were taken back");
	(void)scene_expect_good(scene);
}

/* NEEDS_RESET and the reserved bits are not the driver's. */
static void run_not_his(struct scene *scene, const struct hostile_case *self)
{
	if (!scene_up(scene))
		return;
	virtio_add_status(scene->device, (uint8_t)self->a);
	report_expect(scene->report, !(status(scene) & self->a), "reads 0x%x", status(scene));
	(void)scene_expect_good(scene);
}

static void run_failed(struct scene *scene, const struct hostile_case *self)
{
	(void)self;
	if (!scene_up(scene))
		return;
	virtio_add_status(scene->device, STATUS_FAILED);
	report_expect(scene->report, status(scene) & STATUS_FAILED, "FAILED does not stay");
	send_read(scene);
}

/* From each status on the way, back to 0. */
static void run_reset_from(struct scene *scene, const struct hostile_case *self)
{
	uint64_t seen = 0;

	for (unsigned int bit = 0; bit < 8; bit++) {
		seen |= self->a & (UINT64_C(1) << bit);
		set(scene, seen);
	}
	report_expect(scene->report, virtio_reset(scene->device), "status 0x%x", status(scene));
}

static void run_reset_often(struct scene *scene, const struct hostile_case *self)
{
	for (uint64_t i = 0; i < self->a && !scene->report->failed; i++) {
		if (!scene_up(scene))
			return;
		send_read(scene);
		report_expect(scene->report, virtio_reset(scene->device), "round %lu", i);
	}
}

/* After a reset everything is as at the start. */
static void run_reset_clears(struct scene *scene, const struct hostile_case *self)
{
	const struct virtio_transport *transport = scene->transport;
	uint16_t max = virtio_queue_size_max(scene->device, 0);

	(void)self;
	if (!scene_up(scene) || !scene_expect_good(scene) || !virtio_reset(scene->device))
		return;
	transport->select_queue(scene->device, 0);
	report_expect(scene->report, !transport->enabled(scene->device), "queue 0 still enabled");
	report_expect(scene->report, transport->queue_size(scene->device) == max,
		"queue 0 has size %u, not %u", transport->queue_size(scene->device), max);
	report_expect(scene->report, transport->interrupt_status(scene->device) == 0,
		"interrupt status left");
}

/* DRIVER_OK again, and again. */
static void run_driver_ok_twice(struct scene *scene, const struct hostile_case *self)
{
	if (!scene_up(scene))
		return;
	for (uint64_t i = 0; i < self->a; i++)
		virtio_driver_ok(scene->device);
	(void)scene_expect_good(scene);
}

/* A broken device stays so: nothing is served until reset. */
static void run_broken_stays(struct scene *scene, const struct hostile_case *self)
{
	uint64_t start;
	uint16_t used;

	(void)self;
	if (!scene_up(scene))
		return;
	vring_publish(&scene->ring, 0xffff);
	virtio_notify(scene->device, 0);
	if (!scene_expect_broken(scene))
		return;
	used = vring_device_area(&scene->ring)[1];
	virtio_add_status(scene->device, STATUS_DRIVER_OK);
	set(scene, status(scene) & ~UINT64_C(STATUS_NEEDS_RESET));
	report_expect(
		scene->report, status(scene) & STATUS_NEEDS_RESET, "NEEDS_RESET can be taken back");
	send_read(scene);
	start = board_clock();
	while (board_clock() - start < board_clock_hz() / 50)
		;
	report_expect(scene->report, vring_device_area(&scene->ring)[1] == used,
		"served while it needs a reset");
}

#define EARLY(case_name, value)                                              \
	{                                                                    \
		.name = "early-" case_name, .run = run_too_early, .a = value \
	}
#define UNOFFERED(case_name, bit)                                          \
	{                                                                  \
		.name = "feature-" case_name, .run = run_feature, .a = bit \
	}
#define BACK(case_name, value)                                                   \
	{                                                                        \
		.name = "backwards-" case_name, .run = run_backwards, .a = value \
	}

static const struct hostile_case cases[] = {
	EARLY("driver-ok-alone", STATUS_DRIVER_OK),
	EARLY("no-features-ok", STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_DRIVER_OK),
	EARLY("no-driver-ok", STATUS_ACKNOWLEDGE | STATUS_DRIVER),
	EARLY("acknowledge-only", STATUS_ACKNOWLEDGE),
	EARLY("failed", STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FAILED),
	UNOFFERED("bit-23", 23),
	UNOFFERED("bit-27", 27),
	UNOFFERED("bit-41", 41),
	UNOFFERED("bit-50", 50),
	UNOFFERED("bit-63", 63),
	{.name = "feature-word-2", .run = run_feature_word, .a = 2},
	{.name = "feature-word-0x80000000", .run = run_feature_word, .a = 0x80000000},
	{.name = "feature-word-0xffffffff", .run = run_feature_word, .a = 0xffffffff},
	{.name = "feature-no-version-1", .run = run_no_version},
	{.name = "feature-after-driver-ok", .needs = NEED_INDIRECT, .run = run_late_feature},
	{.name = "feature-after-features-ok",
		.needs = NEED_INDIRECT,
		.run = run_late_feature,
		.a = 1},
	BACK("to-acknowledge", STATUS_ACKNOWLEDGE),
	BACK("to-driver", STATUS_ACKNOWLEDGE | STATUS_DRIVER),
	BACK("to-features-ok", STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK),
	BACK("without-features-ok", STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_DRIVER_OK),
	BACK("driver-ok-alone", STATUS_DRIVER_OK),
	BACK("0x10", 0x10),
	BACK("0xff", 0xff),
	{.name = "status-needs-reset", .run = run_not_his, .a = STATUS_NEEDS_RESET},
	{.name = "status-reserved", .run = run_not_his, .a = 0x30},
	{.name = "status-failed", .run = run_failed},
	{.name = "reset-from-acknowledge", .run = run_reset_from, .a = 0x01},
	{.name = "reset-from-driver", .run = run_reset_from, .a = 0x03},
	{.name = "reset-from-features-ok", .run = run_reset_from, .a = 0x0b},
	{.name = "reset-from-driver-ok", .run = run_reset_from, .a = 0x0f},
	{.name = "reset-from-failed", .run = run_reset_from, .a = 0x83},
	{.name = "reset-often", .run = run_reset_often, .a = 20},
	{.name = "reset-clears", .run = run_reset_clears},
	{.name = "driver-ok-again", .run = run_driver_ok_twice, .a = 10},
	{.name = "broken-stays-broken", .run = run_broken_stays},
};

GROUP(status_group, cases);
