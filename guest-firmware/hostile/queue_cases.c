/*
 * Queues of odd sizes and in odd places: VIRTIO 1.2 2.7, 2.8.10.1, 4.1.4.3, 4.2.2.
 */
#include "cases.h"

#include "board.h"
#include "mmio.h"

/* Configured as it is, enabled, DRIVER_OK: the queue is not enabled, or the device is broken. */
static void expect_refused(struct scene *scene)
{
	uint64_t start = board_clock();

	scene->transport->enable(scene->device, 1);
	virtio_driver_ok(scene->device);
	virtio_notify(scene->device, 0);
	do {
		scene->transport->select_queue(scene->device, 0);
		if (!scene->transport->enabled(scene->device)) {
			report_note(scene->report, "not enabled");
			return;
		}
		if (scene->transport->status(scene->device) & STATUS_NEEDS_RESET) {
			report_note(scene->report, "needs reset");
			return;
		}
	} while (!virtio_is_late(start));
	report_expect(scene->report, false, "neither left disabled nor NEEDS_RESET");
}

/* data: place, a: area, b: offset. */
static void run_area(struct scene *scene, const struct hostile_case *self)
{
	if (!scene_negotiate(scene))
		return;
	vring_configure(&scene->ring, scene->device);
	scene->transport->set_area(scene->device, (enum virtio_area)self->a,
		scene_place(scene, (enum place)self->c) + self->b);
	expect_refused(scene);
}

/* An address that is wrong by b bytes. */
static void run_misaligned(struct scene *scene, const struct hostile_case *self)
{
	if (!scene_negotiate(scene))
		return;
	vring_configure(&scene->ring, scene->device);
	scene->transport->set_area(
		scene->device, (enum virtio_area)self->a, scene->ring.areas[self->a] + self->b);
	expect_refused(scene);
}

/* The queue starts disabled, or works with the size it had, or the device is broken. */
static void run_size(struct scene *scene, const struct hostile_case *self)
{
	const struct vring_buffer buffers[] = {
		{(uintptr_t)&stage.in.header, 16, false},
		{(uintptr_t)stage.data, 512, true},
		{(uintptr_t)&stage.in.status, 1, true},
	};
	uint16_t max, now;

	if (!scene_negotiate(scene))
		return;
	max = virtio_queue_size_max(scene->device, 0);
	vring_place(&scene->ring, stage.ring, 0, max < VRING_SIZE_MAX ? max : VRING_SIZE_MAX,
		scene->packed, false);
	vring_configure(&scene->ring, scene->device);
	scene->transport->set_queue_size(
		scene->device, (uint32_t)(self->b ? max * self->b + self->a : self->a));
	now = scene->transport->queue_size(scene->device);
	report_note(scene->report, "reads %u of %u", now, max);
	scene->transport->enable(scene->device, 1);
	virtio_driver_ok(scene->device);
	scene_fill();
	scene_send(scene, buffers, 3);
	report_expect(scene->report, now <= max || !scene->transport->enabled(scene->device),
		"enabled, and larger than the maximum");
	if (!scene->transport->enabled(scene->device))
		report_note(scene->report, "not enabled");
	else
		(void)scene_expect(scene, EXPECT_ANY);
}

/* Everything that a driver must not do with a queue once it is enabled; a: which. */
static void run_after_enable(struct scene *scene, const struct hostile_case *self)
{
	const struct virtio_transport *transport = scene->transport;

	if (!scene_up(scene))
		return;
	transport->select_queue(scene->device, 0);
	switch (self->a) {
	case 0:
		transport->set_queue_size(scene->device, 4);
		break;
	case 1:
		transport->set_queue_size(scene->device, 0);
		break;
	case 2:
		transport->set_queue_size(scene->device, 0x8000);
		break;
	case 3:
	case 4:
	case 5:
		transport->set_area(scene->device, (enum virtio_area)(self->a - 3),
			scene_place(scene, AT_HOLE));
		break;
	case 6:
		transport->enable(scene->device, 1);
		break;
	default:
		transport->enable(scene->device, (uint32_t)self->b);
		break;
	}
	(void)scene_expect_good(scene);
}

/* 4.1.4.3.2: nothing but 1 is ever written to queue_enable. */
static void run_enable_value(struct scene *scene, const struct hostile_case *self)
{
	if (!scene_negotiate(scene))
		return;
	vring_configure(&scene->ring, scene->device);
	scene->transport->enable(scene->device, (uint32_t)self->a);
	scene->transport->enable(scene->device, 1);
	virtio_driver_ok(scene->device);
	(void)scene_expect_good(scene);
}

/* Queues that are not there: size 0, never enabled, notifications without effect. */
static void run_absent(struct scene *scene, const struct hostile_case *self)
{
	const struct virtio_transport *transport = scene->transport;

	if (!scene_up(scene))
		return;
	transport->select_queue(scene->device, (uint16_t)self->a);
	report_expect(scene->report, transport->queue_size(scene->device) == 0, "has a size of %u",
		transport->queue_size(scene->device));
	transport->set_queue_size(scene->device, 16);
	for (unsigned int area = 0; area < 3; area++)
		transport->set_area(scene->device, (enum virtio_area)area, scene->ring.areas[area]);
	transport->enable(scene->device, 1);
	report_expect(scene->report, !transport->enabled(scene->device), "can be enabled");
	(void)scene_expect_good(scene);
}

/* Notifications of a queue that is absent, disabled, or not yet started. */
static void run_notify(struct scene *scene, const struct hostile_case *self)
{
	uint64_t address = scene->transport->notify_address(scene->device, 0);

	if (self->b)
		mmio_write(address, (unsigned int)self->c, self->a);
	if (!scene_up(scene))
		return;
	for (unsigned int i = 0; i < 16; i++)
		mmio_write(address, (unsigned int)self->c, self->a);
	(void)scene_expect_good(scene);
}

static void run_notify_flood(struct scene *scene, const struct hostile_case *self)
{
	if (!scene_up(scene))
		return;
	for (uint64_t i = 0; i < self->a; i++)
		virtio_notify(scene->device, 0);
	(void)scene_expect_good(scene);
}

static void run_not_enabled(struct scene *scene, const struct hostile_case *self)
{
	const struct vring_buffer buffers[] = {{(uintptr_t)&stage.in.status, 1, true}};

	(void)self;
	if (!scene_negotiate(scene))
		return;
	vring_configure(&scene->ring, scene->device);
	virtio_driver_ok(scene->device);
	scene_send(scene, buffers, 1);
	report_expect(scene->report,
		!(scene->transport->status(scene->device) & STATUS_NEEDS_RESET), "NEEDS_RESET");
	report_expect(scene->report, vring_device_area(&scene->ring)[1] == 0, "it was used");
}

/* 2.6.1 */
static void run_queue_reset(struct scene *scene, const struct hostile_case *self)
{
	uint64_t start = board_clock();

	scene->features = FEATURE_RING_RESET;
	for (uint64_t i = 0; i <= self->a; i++) {
		if (!scene_up(scene) || !scene_expect_good(scene))
			return;
		scene->transport->select_queue(scene->device, 0);
		scene->transport->reset_queue(scene->device);
		while (scene->transport->enabled(scene->device)) {
			if (virtio_is_late(start)) {
				report_expect(scene->report, false, "queue reset does not end");
				return;
			}
		}
		vring_place(&scene->ring, stage.ring, 0, scene->ring.size, scene->packed, false);
		vring_configure(&scene->ring, scene->device);
		scene->transport->enable(scene->device, 1);
		if (!scene_expect_good(scene))
			return;
	}
}

static void run_queue_reset_unasked(struct scene *scene, const struct hostile_case *self)
{
	(void)self;
	if (!scene_up(scene))
		return;
	scene->transport->select_queue(scene->device, 0);
	scene->transport->reset_queue(scene->device);
	(void)scene_expect_good(scene);
}

#define AREA(case_name, area, place, offset)                                               \
	{                                                                                  \
		.name = "area-" case_name, .needs = NEED_BOTH, .run = run_area, .a = area, \
		.b = offset, .c = place                                                    \
	}
/* In a packed ring these areas are a single aligned word and cannot cross anything. */
#define AREA_OF_SPLIT(case_name, area, place, offset)                                       \
	{                                                                                   \
		.name = "area-" case_name, .needs = NEED_SPLIT, .run = run_area, .a = area, \
		.b = offset, .c = place                                                     \
	}
#define MISALIGNED(case_name, need, area, by)                                                     \
	{                                                                                         \
		.name = "misaligned-" case_name, .needs = need, .run = run_misaligned, .a = area, \
		.b = by                                                                           \
	}
#define SIZE(case_name, need, add, times)                                                       \
	{                                                                                       \
		.name = "size-" case_name, .needs = need, .run = run_size, .a = add, .b = times \
	}
#define AFTER(case_name, which, value)                                                        \
	{                                                                                     \
		.name = "enabled-" case_name, .run = run_after_enable, .a = which, .b = value \
	}
#define NOTIFY(case_name, need, number, early, width)                                       \
	{                                                                                   \
		.name = "notify-" case_name, .needs = need, .run = run_notify, .a = number, \
		.b = early, .c = width                                                      \
	}

static const struct hostile_case cases[] = {
	AREA("descriptors-in-hole", AREA_DESCRIPTOR, AT_HOLE, 0),
	AREA("descriptors-in-own-registers", AREA_DESCRIPTOR, AT_DEVICE, 0),
	AREA("descriptors-at-ram-end", AREA_DESCRIPTOR, AT_RAM_END, 0),
	AREA("descriptors-across-ram-end", AREA_DESCRIPTOR, AT_RAM_END, UINT64_MAX - 255),
	AREA("descriptors-wrap", AREA_DESCRIPTOR, AT_TOP, UINT64_MAX - 15),
	AREA("descriptors-at-2-to-63", AREA_DESCRIPTOR, AT_ADDRESS, UINT64_C(1) << 63),
	AREA("available-in-hole", AREA_DRIVER, AT_HOLE, 0),
	AREA("available-at-ram-end", AREA_DRIVER, AT_RAM_END, 0),
	AREA_OF_SPLIT("available-across-ram-end", AREA_DRIVER, AT_RAM_END, UINT64_MAX - 1 - 2),
	AREA("available-wraps", AREA_DRIVER, AT_TOP, UINT64_MAX - 3),
	AREA("used-in-hole", AREA_DEVICE, AT_HOLE, 0),
	AREA("used-in-own-interrupts", AREA_DEVICE, AT_OWN_INTERRUPTS, 0),
	AREA("used-at-ram-end", AREA_DEVICE, AT_RAM_END, 0),
	AREA_OF_SPLIT("used-across-ram-end", AREA_DEVICE, AT_RAM_END, UINT64_MAX - 3),
	AREA("used-wraps", AREA_DEVICE, AT_TOP, UINT64_MAX - 3),
	MISALIGNED("descriptors-by-1", NEED_BOTH, AREA_DESCRIPTOR, 1),
	MISALIGNED("descriptors-by-8", NEED_BOTH, AREA_DESCRIPTOR, 8),
	MISALIGNED("available-by-1", NEED_BOTH, AREA_DRIVER, 1),
	MISALIGNED("driver-events-by-2", NEED_PACKED, AREA_DRIVER, 2),
	MISALIGNED("used-by-1", NEED_BOTH, AREA_DEVICE, 1),
	MISALIGNED("used-by-2", NEED_BOTH, AREA_DEVICE, 2),
	SIZE("0", NEED_BOTH, 0, 0),
	SIZE("3", NEED_SPLIT, 3, 0),
	SIZE("max-minus-1", NEED_SPLIT, (uint64_t)-1, 1),
	SIZE("max-plus-1", NEED_BOTH, 1, 1),
	SIZE("twice-max", NEED_BOTH, 0, 2),
	SIZE("0x8000", NEED_SPLIT, 0x8000, 0),
	SIZE("0xffff", NEED_BOTH, 0xffff, 0),
	SIZE("0x10000", NEED_SPLIT | NEED_MMIO, 0x10000, 0),
	SIZE("0x80000010", NEED_SPLIT | NEED_MMIO, 0x80000010, 0),
	AFTER("size-4", 0, 0),
	AFTER("size-0", 1, 0),
	AFTER("size-0x8000", 2, 0),
	AFTER("descriptors-moved", 3, 0),
	AFTER("available-moved", 4, 0),
	AFTER("used-moved", 5, 0),
	AFTER("again", 6, 0),
	{.name = "enabled-0-pci", .needs = NEED_PCI, .run = run_after_enable, .a = 7, .b = 0},
	{.name = "enabled-0xffff-pci",
		.needs = NEED_PCI,
		.run = run_after_enable,
		.a = 7,
		.b = 0xffff},
	{.name = "enable-with-0", .run = run_enable_value, .a = 0},
	{.name = "enable-with-2", .run = run_enable_value, .a = 2},
	{.name = "absent-queue-32", .run = run_absent, .a = 32},
	{.name = "absent-queue-64", .run = run_absent, .a = 64},
	{.name = "absent-queue-0x8000", .run = run_absent, .a = 0x8000},
	{.name = "absent-queue-0xffff", .run = run_absent, .a = 0xffff},
	NOTIFY("absent-64", 0, 64, 0, 4),
	NOTIFY("absent-0xffff", 0, 0xffff, 0, 4),
	NOTIFY("absent-0xffffffff", 0, 0xffffffff, 0, 4),
	NOTIFY("high-half-set", NEED_MMIO, 0x7fff0000, 0, 4),
	NOTIFY("1-byte", 0, 0, 0, 1),
	NOTIFY("2-bytes", 0, 0, 0, 2),
	NOTIFY("4-bytes", 0, 0, 0, 4),
	NOTIFY("8-bytes", 0, 0, 0, 8),
	NOTIFY("before-status", 0, 0, 1, 2),
	NOTIFY("before-status-absent", 0, 0xffff, 1, 4),
	{.name = "notify-flood", .run = run_notify_flood, .a = 500},
	{.name = "queue-not-enabled", .run = run_not_enabled},
	{.name = "queue-reset", .needs = NEED_BOTH | NEED_QUEUE_RESET, .run = run_queue_reset},
	{.name = "queue-reset-again", .needs = NEED_QUEUE_RESET, .run = run_queue_reset, .a = 8},
	{.name = "queue-reset-not-negotiated", .run = run_queue_reset_unasked},
};

GROUP(queue_group, cases);
