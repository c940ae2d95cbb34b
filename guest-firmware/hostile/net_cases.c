/*
 * A network device (VIRTIO 1.2 5.1) whose frames come back to it: headers that lie, frames of any
 * length, buffers that cannot hold one, commands that are cut or unknown. After each attack a frame
 * must make its round.
 */
#include "cases.h"
#include "trio.h"

#include "board.h"
#include "mmio.h"

#define NET_RECEIVE  0
#define NET_TRANSMIT 1
#define NET_CONTROL  2
#define HEADER_BYTES 12
#define FRAME_BYTES  60
#define BUFFER_BYTES 2048

#define F_CSUM      FEATURE(0)
#define F_HOST_TSO4 FEATURE(11)
#define F_MRG_RXBUF FEATURE(15)
#define F_CTRL_VQ   FEATURE(17)
#define F_CTRL_RX   FEATURE(18)
#define F_CTRL_VLAN FEATURE(19)
#define F_MQ        FEATURE(22)
#define F_MAC_ADDR  FEATURE(23)
#define F_CONTROL   (F_CTRL_VQ | F_CTRL_RX | F_CTRL_VLAN | F_MAC_ADDR | F_MQ)

static struct trio nic;
static volatile uint8_t frame[HEADER_BYTES + FRAME_BYTES];
static volatile uint8_t buffer[BUFFER_BYTES];

static bool nic_up(struct scene *scene, struct virtio *device, uint64_t features)
{
	return trio_up(&nic, scene, device, features, "NIC");
}

static void send(
	struct virtio *device, uint16_t queue, const struct vring_buffer *buffers, uint16_t count)
{
	trio_send(&nic, device, queue, 0, buffers, count);
}

static enum scene_result wait(
	struct scene *scene, const struct virtio *device, uint16_t queue, uint32_t *ret_length)
{
	return trio_wait(&nic, scene, device, queue, ret_length);
}

static void fill_frame(void)
{
	for (unsigned int i = 0; i < sizeof(frame); i++)
		frame[i] = i < HEADER_BYTES ? 0 : (uint8_t)(i * 3);
}

/* A frame leaves and comes back as it was. */
static void check_round(struct scene *scene, struct virtio *device)
{
	const struct vring_buffer in = {(uintptr_t)buffer, sizeof(buffer), true};
	const struct vring_buffer out = {(uintptr_t)frame, sizeof(frame), false};
	uint32_t length = 0;

	if (!report_expect(scene->report, virtio_reset(device), "the NIC does not reset") ||
		!nic_up(scene, device, F_MRG_RXBUF))
		return;
	fill_frame();
	/* What an earlier attack has sent may still be on its way. */
	do {
		send(device, NET_RECEIVE, &in, 1);
		send(device, NET_TRANSMIT, &out, 1);
		if (wait(scene, device, NET_TRANSMIT, &length) != RESULT_USED ||
			wait(scene, device, NET_RECEIVE, &length) != RESULT_USED)
			return;
	} while (length != sizeof(frame) || buffer[HEADER_BYTES] != frame[HEADER_BYTES]);
	for (unsigned int i = HEADER_BYTES; i < sizeof(frame); i++) {
		if (!report_expect(scene->report, buffer[i] == frame[i],
			    "the frame has changed at byte %u", i))
			break;
	}
	report_expect(scene->report, buffer[10] == 1 && buffer[11] == 0, "num_buffers is not 1");
}

struct transmission {
	uint8_t header[HEADER_BYTES];
	uint32_t bytes; /* of all, header included */
	uint32_t piece; /* the most in one descriptor */
	enum place at;
	bool writable; /* the last piece */
};

static void run_transmit(struct scene *scene, const struct hostile_case *self)
{
	const struct transmission *wanted = self->data;
	struct virtio *device = bystander_find(VIRTIO_NETWORK, false)->device;
	struct vring_buffer buffers[TRIO_RING_SIZE];
	uint64_t at = scene_place(scene, wanted->at);
	uint32_t left = wanted->bytes, length = 0;
	uint16_t count = 0;

	if (!nic_up(scene, device, self->a))
		return;
	for (unsigned int i = 0; wanted->at == AT_DATA && i < HEADER_BYTES; i++)
		stage.data[i] = wanted->header[i];
	do {
		uint32_t part = left < wanted->piece ? left : wanted->piece;

		/* Long frames go over the same memory again. */
		buffers[count++] = (struct vring_buffer){
			at + (wanted->bytes - left) % DATA_BYTES, part, false};
		left -= part;
	} while (left && count < TRIO_RING_SIZE);
	buffers[count - 1].writable = wanted->writable;
	send(device, NET_TRANSMIT, buffers, count);
	if (wait(scene, device, NET_TRANSMIT, &length) == RESULT_USED)
		report_expect(scene->report, length == 0, "%u bytes written", length);
	check_round(scene, device);
}

/* Buffers of a bytes (the last of b) to receive into, c of them, then a frame. */
static void run_receive(struct scene *scene, const struct hostile_case *self)
{
	struct virtio *device = bystander_find(VIRTIO_NETWORK, false)->device;
	const struct vring_buffer out = {(uintptr_t)frame, sizeof(frame), false};
	uint64_t features = self->data ? F_MRG_RXBUF : 0;
	uint32_t length = 0;

	if (!nic_up(scene, device, features))
		return;
	nic.rings[NET_RECEIVE].stride = 1;
	for (uint16_t i = 0; i < self->c; i++) {
		const struct vring_buffer in = {
			(uintptr_t)buffer, (uint32_t)(i + 1U == self->c ? self->b : self->a), true};

		vring_add(&nic.rings[NET_RECEIVE], i, &in, 1);
	}
	virtio_notify(device, NET_RECEIVE);
	fill_frame();
	send(device, NET_TRANSMIT, &out, 1);
	(void)wait(scene, device, NET_TRANSMIT, &length);
	/* It is dropped, or arrives, or waits; a used length is never more than there was. */
	for (uint16_t id; vring_take_used(&nic.rings[NET_RECEIVE], &id, &length);)
		report_expect(scene->report, length <= (self->a > self->b ? self->a : self->b),
			"%u bytes in a buffer of %lu", length, self->a);
	check_round(scene, device);
}

/* A buffer that must not be, to the receive queue. */
static void run_receive_bad(struct scene *scene, const struct hostile_case *self)
{
	struct virtio *device = bystander_find(VIRTIO_NETWORK, false)->device;
	const struct vring_buffer in = {
		scene_place(scene, (enum place)self->a), (uint32_t)self->b, self->c != 0};
	const struct vring_buffer out = {(uintptr_t)frame, sizeof(frame), false};
	uint32_t length;

	if (!nic_up(scene, device, F_MRG_RXBUF))
		return;
	send(device, NET_RECEIVE, &in, 1);
	fill_frame();
	send(device, NET_TRANSMIT, &out, 1);
	report_expect(
		scene->report, virtio_wait_status(device, STATUS_NEEDS_RESET), "no NEEDS_RESET");
	(void)vring_take_used(&nic.rings[NET_RECEIVE], &(uint16_t){0}, &length);
	check_round(scene, device);
}

struct command {
	uint8_t bytes[16];
	uint32_t length;
	uint8_t ack;
};

/* A command in one piece and in two, cut everywhere; a: how many bytes there are for the answer. */
static void run_command(struct scene *scene, const struct hostile_case *self)
{
	const struct command *wanted = self->data;
	struct virtio *device = bystander_find(VIRTIO_NETWORK, false)->device;
	volatile uint8_t *data = stage.data;
	uint32_t length;

	if (!nic_up(scene, device, F_CONTROL))
		return;
	for (uint32_t cut = 0; cut < wanted->length || cut == 0; cut++) {
		const uint64_t at = (uintptr_t)data;
		const struct vring_buffer buffers[] = {
			{at, cut, false},
			{at + cut, wanted->length - cut, false},
			{at + 64, (uint32_t)self->a, true},
		};

		for (uint32_t i = 0; i < wanted->length; i++)
			data[i] = wanted->bytes[i];
		data[64] = 0xee;
		send(device, NET_CONTROL, buffers + !cut, (uint16_t)(2 + (cut != 0)));
		if (wait(scene, device, NET_CONTROL, &length) != RESULT_USED)
			break;
		report_expect(scene->report, data[64] == (self->a ? wanted->ack : 0xee),
			"answer 0x%x, cut at %u", data[64], cut);
	}
	check_round(scene, device);
}

#define TRANSMIT(name, features, ...)                                             \
	{                                                                         \
		"net-transmit-" name, NEED_NET, run_transmit,                     \
			&(const struct transmission){__VA_ARGS__}, features, 0, 0 \
	}
#define HEADER(...)         \
	{                   \
		__VA_ARGS__ \
	}
#define RECEIVE(name, mergeable, bytes, last_bytes, count)                                    \
	{                                                                                     \
		"net-receive-" name, NEED_NET, run_receive, (mergeable) ? "mergeable" : NULL, \
			bytes, last_bytes, count                                              \
	}
#define COMMAND(name, ack, room, length, ...)                                           \
	{                                                                               \
		"net-command-" name, NEED_NET, run_command,                             \
			&(const struct command){{__VA_ARGS__}, length, ack}, room, 0, 0 \
	}
#define OK    0
#define ERROR 1

static const struct hostile_case cases[] = {
	TRANSMIT("good", 0, HEADER(0), 72, 72, AT_DATA, false),
	TRANSMIT("nothing", 0, HEADER(0), 0, 1, AT_DATA, false),
	TRANSMIT("one-byte", 0, HEADER(0), 1, 1, AT_DATA, false),
	TRANSMIT("half-a-header", 0, HEADER(0), 6, 6, AT_DATA, false),
	TRANSMIT("header-alone", 0, HEADER(0), 12, 12, AT_DATA, false),
	TRANSMIT("no-source", 0, HEADER(0), 12 + 11, 12, AT_DATA, false),
	TRANSMIT("13-bytes", 0, HEADER(0), 12 + 13, 12, AT_DATA, false),
	TRANSMIT("14-bytes", 0, HEADER(0), 12 + 14, 2, AT_DATA, false),
	TRANSMIT("pieces", 0, HEADER(0), 72, 5, AT_DATA, false),
	TRANSMIT("64-kib", 0, HEADER(0), 12 + 65536, 32768, AT_DATA, false),
	TRANSMIT("64-kib-and-one", 0, HEADER(0), 12 + 65537, 32768, AT_DATA, false),
	TRANSMIT("longest", 0, HEADER(0), 12 + 65557, 32768, AT_DATA, false),
	TRANSMIT("too-long", 0, HEADER(0), 12 + 65558, 32768, AT_DATA, false),
	TRANSMIT("half-a-mib", 0, HEADER(0), 512 << 10, 65536, AT_DATA, false),
	TRANSMIT("writable", 0, HEADER(0), 72, 72, AT_DATA, true),
	TRANSMIT("writable-tail", 0, HEADER(0), 72, 36, AT_DATA, true),
	TRANSMIT("in-hole", 0, HEADER(0), 72, 72, AT_HOLE, false),
	TRANSMIT("of-its-registers", 0, HEADER(0), 72, 72, AT_DEVICE, false),
	TRANSMIT("of-its-ring", 0, HEADER(0), 72, 72, AT_RING_DESCRIPTOR, false),
	TRANSMIT("checksum-unagreed", 0, HEADER(1, 0, 0, 0, 0, 0, 34), 72, 72, AT_DATA, false),
	TRANSMIT("checksum", F_CSUM, HEADER(1, 0, 0, 0, 0, 0, 34, 0, 16), 72, 72, AT_DATA, false),
	TRANSMIT("checksum-at-end", F_CSUM, HEADER(1, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff), 72,
		72, AT_DATA, false),
	TRANSMIT("segments-unagreed", F_CSUM, HEADER(1, 1, 54, 0, 100), 72, 72, AT_DATA, false),
	TRANSMIT("segments-of-0", F_CSUM | F_HOST_TSO4, HEADER(1, 1, 54, 0, 0, 0, 34, 0, 16), 2000,
		2000, AT_DATA, false),
	TRANSMIT("segments-of-1", F_CSUM | F_HOST_TSO4, HEADER(1, 1, 54, 0, 1, 0, 34, 0, 16), 60000,
		60000, AT_DATA, false),
	TRANSMIT("segments-of-64-kib", F_CSUM | F_HOST_TSO4,
		HEADER(1, 1, 0xff, 0xff, 0xff, 0xff, 34, 0, 16), 2000, 2000, AT_DATA, false),
	TRANSMIT("segments-unknown", F_CSUM | F_HOST_TSO4, HEADER(1, 0x7f, 54, 0, 100), 2000, 2000,
		AT_DATA, false),
	TRANSMIT("all-ones", F_CSUM | F_HOST_TSO4,
		HEADER(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), 72,
		72, AT_DATA, false),
	TRANSMIT("unknown-flags", 0, HEADER(0xfe), 72, 72, AT_DATA, false),

	RECEIVE("never", false, 0, 0, 0),
	RECEIVE("small", false, 64, 64, 4),
	RECEIVE("of-one-byte", false, 1, 1, 16),
	RECEIVE("of-a-header", true, 12, 12, 16),
	RECEIVE("merged-bytes", true, 1, 1, 16),
	RECEIVE("merged-7-bytes", true, 7, 7, 16),
	RECEIVE("exact", true, 72, 72, 1),
	RECEIVE("one-short", true, 71, 1, 1),
	RECEIVE("last-enough", true, 71, 1, 2),
	{"net-receive-readable", NEED_NET, run_receive_bad, NULL, AT_DATA, 2048, 0},
	{"net-receive-empty", NEED_NET, run_receive_bad, NULL, AT_DATA, 0, 1},
	{"net-receive-in-hole", NEED_NET, run_receive_bad, NULL, AT_HOLE, 2048, 1},
	{"net-receive-of-4-gib", NEED_NET, run_receive_bad, NULL, AT_DATA, 0xffffffff, 1},
	{"net-receive-in-registers", NEED_NET, run_receive_bad, NULL, AT_DEVICE, 2048, 1},

	COMMAND("mode", OK, 1, 3, 0, 0, 1),
	COMMAND("mode-cut", ERROR, 1, 2, 0, 0),
	COMMAND("class-alone", ERROR, 1, 1, 0),
	COMMAND("mode-long", ERROR, 1, 4, 0, 0, 1, 1),
	COMMAND("mode-2", ERROR, 1, 3, 0, 0, 2),
	COMMAND("mode-unknown", ERROR, 1, 3, 0, 99, 1),
	COMMAND("mac", OK, 1, 8, 1, 1, 0x02, 0, 0, 0, 0, 1),
	COMMAND("mac-of-a-group", ERROR, 1, 8, 1, 1, 0x01, 0, 0x5e, 0, 0, 1),
	COMMAND("mac-cut", ERROR, 1, 7, 1, 1, 0x02, 0, 0, 0, 0),
	COMMAND("table-of-none", OK, 1, 10, 1, 0),
	COMMAND("table-cut", ERROR, 1, 9, 1, 0),
	COMMAND("table-too-long", ERROR, 1, 10, 1, 0, 1),
	COMMAND("table-of-all-ones", ERROR, 1, 10, 1, 0, 0xff, 0xff, 0xff, 0xff),
	COMMAND("table-wraps", ERROR, 1, 10, 1, 0, 0xab, 0xaa, 0xaa, 0x2a),
	COMMAND("vlan", OK, 1, 4, 2, 0, 0xff, 0x0f),
	COMMAND("vlan-4096", ERROR, 1, 4, 2, 0, 0, 0x10),
	COMMAND("vlan-cut", ERROR, 1, 3, 2, 0, 1),
	COMMAND("announce-unagreed", ERROR, 1, 2, 3, 0),
	COMMAND("pairs-0", ERROR, 1, 4, 4, 0, 0, 0),
	COMMAND("pairs-2", ERROR, 1, 4, 4, 0, 2, 0),
	COMMAND("pairs-32769", ERROR, 1, 4, 4, 0, 1, 0x80),
	COMMAND("pairs-rss", ERROR, 1, 4, 4, 1, 1, 0),
	COMMAND("offloads-unagreed", ERROR, 1, 10, 5, 0),
	COMMAND("class-unknown", ERROR, 1, 3, 77, 0, 0),
	COMMAND("without-answer", OK, 0, 3, 0, 0, 1),
	COMMAND("answer-of-64-bytes", OK, 64, 3, 0, 0, 1),
};

GROUP(net_group, cases);
