/*
 * Devices other than the disk under attack: entropy (VIRTIO 1.2 5.4), console (5.3), a read-only
 * disk. The attack goes to them here; that the disk still works is checked after it.
 */
#include "cases.h"

#include "board.h"
#include "mmio.h"

#define CONSOLE_TRANSMIT     1
#define CONSOLE_CONTROL_IN   2
#define CONSOLE_CONTROL_OUT  3
#define CONSOLE_F_MULTIPORT  FEATURE(1)
#define CONSOLE_CONFIG_BYTES 12
#define LENGTH               64

/* A buffer of a bytes (b: writable) at place c on the entropy device: it comes back, empty or not,
 * or the device wants a reset; then it works again. */
static void run_entropy(struct scene *scene, const struct hostile_case *self)
{
	struct bystander *entropy = bystander_find(VIRTIO_ENTROPY, false);
	const struct vring_buffer buffer = {
		scene_place(scene, (enum place)self->c), (uint32_t)self->a, self->b != 0};
	uint64_t start = board_clock();
	uint32_t length = 0;
	uint16_t id;

	entropy->ring.stride = 1;
	vring_add(&entropy->ring, 0, &buffer, 1);
	virtio_notify(entropy->device, 0);
	while (!vring_take_used(&entropy->ring, &id, &length) &&
		!(entropy->device->transport->status(entropy->device) & STATUS_NEEDS_RESET)) {
		if (virtio_is_late(start)) {
			report_expect(scene->report, false, "neither completed nor NEEDS_RESET");
			break;
		}
	}
	report_note(scene->report, "used %u", length);
	report_expect(scene->report, self->b || length == 0, "wrote to a readable buffer");
	report_expect(scene->report, length <= self->a, "wrote more than there was room");
	report_expect(scene->report, bystander_up(entropy), "entropy does not come up again");
}

/* VIRTIO 1.2 2.7.9: with VIRTIO_F_IN_ORDER buffers are used in the order in which they were made
 * available, and a used element may stand for those before it as well, if they are full. a buffers
 * of b bytes, the last of them not writable if c is set. */
static void run_entropy_in_order(struct scene *scene, const struct hostile_case *self)
{
	struct bystander *entropy = bystander_find(VIRTIO_ENTROPY, false);
	struct vring *ring = &entropy->ring;
	uint16_t count = (uint16_t)self->a, expected = 0, id = 0;
	uint64_t start = board_clock();
	uint32_t length;

	if (!virtio_negotiate(entropy->device, FEATURE_IN_ORDER) ||
		!report_expect(scene->report, entropy->device->accepted & FEATURE_IN_ORDER,
			"the feature is not there"))
		return;
	vring_place(ring, ring->areas[AREA_DESCRIPTOR], 0, ring->size, false, false);
	vring_configure(ring, entropy->device);
	entropy->device->transport->enable(entropy->device, 1);
	virtio_driver_ok(entropy->device);
	for (uint16_t i = 0; i < count; i++) {
		const struct vring_buffer buffer = {(uintptr_t)stage.data + i * self->b,
			(uint32_t)self->b, !(self->c && i + 1 == count)};

		vring_add(ring, i, &buffer, 1);
	}
	virtio_notify(entropy->device, 0);
	while (expected < count) {
		if (virtio_is_late(start)) {
			report_expect(scene->report, false, "%u of %u are used", expected, count);
			break;
		}
		if (!vring_take_used(ring, &id, &length))
			continue;
		if (!report_expect(scene->report, id >= expected && id < count,
			    "buffer %u is used before buffer %u", id, expected))
			break;
		/* The element of a batch lies at its first place, and the index passes them all. */
		ring->next_used = (uint16_t)(id + 1);
		expected = ring->next_used;
	}
	report_expect(scene->report, bystander_up(entropy), "entropy does not come up again");
}

/* Raw bytes of a control message to the console's control queue. */
struct control {
	uint32_t id;
	uint16_t event, value;
	uint32_t bytes; /* of it that are sent */
};

/* The queue of the console that a names gets the buffer; it comes back or is kept. */
static void run_console(struct scene *scene, const struct hostile_case *self)
{
	const struct control *control = self->data;
	struct bystander *console = bystander_find(VIRTIO_CONSOLE, false);
	uint16_t queue = (uint16_t)self->a;
	struct virtio *device = console->device;
	struct vring ring;
	uint64_t start;
	uint32_t length;
	uint16_t id;

	if (!virtio_negotiate(device, CONSOLE_F_MULTIPORT))
		return;
	if (queue < CONSOLE_CONTROL_IN || (device->accepted & CONSOLE_F_MULTIPORT)) {
		const struct vring_buffer buffer = {
			(uintptr_t)stage.data, control->bytes, self->b != 0};

		*(struct control *)(uintptr_t)stage.data = *control;
		vring_place(&ring, stage.ring, queue, 16, false, false);
		vring_configure(&ring, device);
		device->transport->enable(device, 1);
		virtio_driver_ok(device);
		vring_add(&ring, 0, &buffer, 1);
		virtio_notify(device, queue);
		start = board_clock();
		while (!vring_take_used(&ring, &id, &length) &&
			!(device->transport->status(device) & STATUS_NEEDS_RESET)) {
			if (!virtio_is_late(start))
				continue;
			report_expect(scene->report, false, "neither completed nor NEEDS_RESET");
			break;
		}
	}
	report_expect(scene->report, bystander_up(console), "console does not come up again");
}

/* 5.3.4: emergency writes come in any state; nothing else of the configuration space is the
 * driver's. a status to be in, b writes of each width to each offset. */
static void run_console_config(struct scene *scene, const struct hostile_case *self)
{
	struct virtio *device = bystander_find(VIRTIO_CONSOLE, false)->device;
	uint64_t before;

	report_expect(scene->report, virtio_reset(device), "no reset");
	virtio_add_status(device, (uint8_t)self->a);
	before = mmio_read64(device->config);
	for (uint64_t i = 0; i < self->b; i++)
		for (uint64_t offset = 0; offset < CONSOLE_CONFIG_BYTES + 8; offset++)
			for (unsigned int width = 1; width <= 8; width *= 2)
				mmio_write(device->config + offset, width, UINT64_MAX);
	report_expect(scene->report, mmio_read64(device->config) == before,
		"the size or the number of ports was overwritten");
	report_expect(scene->report, bystander_up(bystander_find(VIRTIO_CONSOLE, false)),
		"it does not come up again");
}

/* Writes to a read-only disk fail whether its driver took VIRTIO_BLK_F_RO or not. */
static void run_read_only(struct scene *scene, const struct hostile_case *self)
{
	struct bystander *disk = bystander_find(VIRTIO_BLOCK, true);
	uint8_t status;

	if (!virtio_negotiate(disk->device, self->a))
		return;
	vring_place(&disk->ring, disk->ring.areas[0], 0, disk->ring.size, false, false);
	vring_configure(&disk->ring, disk->device);
	disk->device->transport->enable(disk->device, 1);
	virtio_driver_ok(disk->device);
	status = blk_request(disk->device, &disk->ring, &stage.other, (uint32_t)self->b, 0,
		(uintptr_t)stage.data, (uint32_t)self->c);
	report_expect(scene->report, status == BLK_IOERR || status == BLK_UNSUPPORTED,
		"status 0x%x", status);
	report_expect(scene->report, bystander_up(disk), "it does not come up again");
}

#define ENTROPY(name, bytes, writable, place)                                            \
	{                                                                                \
		"entropy-" name, NEED_ENTROPY, run_entropy, NULL, bytes, writable, place \
	}
#define CONSOLE(name, queue, writable, ...)                                                       \
	{                                                                                         \
		"console-" name, NEED_CONSOLE, run_console, &(const struct control){__VA_ARGS__}, \
			queue, writable, 0                                                        \
	}
#define CONSOLE_CONFIG(name, status, count)                                                      \
	{                                                                                        \
		"console-config-" name, NEED_CONSOLE, run_console_config, NULL, status, count, 0 \
	}
#define READ_ONLY(name, features, type, bytes)                                                \
	{                                                                                     \
		"read-only-" name, NEED_READ_ONLY, run_read_only, NULL, features, type, bytes \
	}

static const struct hostile_case cases[] = {
	ENTROPY("good", LENGTH, 1, AT_DATA),
	ENTROPY("readable-buffer", LENGTH, 0, AT_DATA),
	ENTROPY("empty-buffer", 0, 1, AT_DATA),
	ENTROPY("of-64-kib", DATA_BYTES, 1, AT_DATA),
	ENTROPY("in-hole", LENGTH, 1, AT_HOLE),
	{"entropy-in-order", NEED_ENTROPY, run_entropy_in_order, NULL, 16, LENGTH, 0},
	{"entropy-in-order-readable", NEED_ENTROPY, run_entropy_in_order, NULL, 16, LENGTH, 1},
	ENTROPY("of-4-gib", 0xffffffff, 1, AT_DATA),
	CONSOLE("transmit-writable", CONSOLE_TRANSMIT, 1, 0, 0, 0, 12),
	CONSOLE("transmit-empty", CONSOLE_TRANSMIT, 0, 0, 0, 0, 0),
	CONSOLE("control-short", CONSOLE_CONTROL_OUT, 0, 0, 0, 1, 7),
	CONSOLE("control-empty", CONSOLE_CONTROL_OUT, 0, 0, 0, 1, 0),
	CONSOLE("control-absent-port", CONSOLE_CONTROL_OUT, 0, 0x7fffffff, 3, 1, 8),
	CONSOLE("control-port-all-ones", CONSOLE_CONTROL_OUT, 0, 0xffffffff, 6, 1, 8),
	CONSOLE("control-unknown-event", CONSOLE_CONTROL_OUT, 0, 0, 0xffff, 1, 8),
	CONSOLE("control-writable", CONSOLE_CONTROL_OUT, 1, 0, 0, 1, 8),
	CONSOLE_CONFIG("written-after-reset", 0, 1),
	CONSOLE_CONFIG("written-by-driver", STATUS_ACKNOWLEDGE | STATUS_DRIVER, 1),
	CONSOLE_CONFIG("written-after-failure", STATUS_FAILED, 1),
	CONSOLE_CONFIG("flooded", 0, 100),
	READ_ONLY("write", 0, BLK_OUT, 512),
	READ_ONLY("write-negotiated", BLK_F_RO, BLK_OUT, 512),
	READ_ONLY("discard", BLK_F_DISCARD, BLK_DISCARD, 16),
	READ_ONLY("zeroes", BLK_F_WRITE_ZEROES, BLK_WRITE_ZEROES, 16),
};

GROUP(other_group, cases);
