/*
 * A socket device (VIRTIO 1.2 5.10): packets that are cut, from somebody else, for nobody, of
 * unknown kinds and of any length. After each attack a connection to a port that nobody serves must
 * be refused, which is what a device does that works.
 */
#include "cases.h"
#include "trio.h"

#include "board.h"
#include "mmio.h"

#define SOCKET_RECEIVE  0
#define SOCKET_TRANSMIT 1
#define SOCKET_EVENT    2
#define HEADER_BYTES    44
#define BUFFER_BYTES    4096
#define HOST_CID        2
#define GUEST_PORT      1234
#define HOST_PORT       4321 /* the test's directory has no socket of it */

#define TYPE_STREAM       1
#define OP_REQUEST        1
#define OP_RESPONSE       2
#define OP_RST            3
#define OP_SHUTDOWN       4
#define OP_RW             5
#define OP_CREDIT_UPDATE  6
#define OP_CREDIT_REQUEST 7

struct packet { /* 5.10.6 */
	uint64_t source_cid, destination_cid;
	uint32_t source_port, destination_port, length;
	uint16_t type, op;
	uint32_t flags, buf_alloc, fwd_cnt;
} __attribute__((packed));

static struct trio sockets;
static volatile uint8_t buffer[BUFFER_BYTES];
static volatile uint8_t outgoing[DATA_BYTES];

static bool socket_up(struct scene *scene, struct virtio *device)
{
	return trio_up(&sockets, scene, device, 0, "socket device");
}

static void give(struct virtio *device, uint16_t queue, uint16_t slot, uint64_t address,
	uint32_t length, bool writable)
{
	const struct vring_buffer piece = {address, length, writable};

	trio_send(&sockets, device, queue, slot, &piece, 1);
}

static bool wait(
	struct scene *scene, const struct virtio *device, uint16_t queue, uint32_t *ret_length)
{
	return trio_wait(&sockets, scene, device, queue, ret_length) == RESULT_USED;
}

static struct packet make_packet(const struct virtio *device, uint16_t op)
{
	return (struct packet){
		.source_cid = mmio_read32(device->config),
		.destination_cid = HOST_CID,
		.source_port = GUEST_PORT,
		.destination_port = HOST_PORT,
		.type = TYPE_STREAM,
		.op = op,
		.buf_alloc = BUFFER_BYTES,
	};
}

static void put_packet(const struct packet *packet)
{
	for (unsigned int i = 0; i < sizeof(*packet); i++)
		outgoing[i] = ((const uint8_t *)packet)[i];
}

/* A request that nobody serves is answered by RST. */
static void check_refusal(struct scene *scene, struct virtio *device)
{
	const volatile struct packet *answer = (const volatile void *)buffer;
	struct packet request;
	uint32_t length = 0;

	if (!report_expect(scene->report, virtio_reset(device), "it does not reset") ||
		!socket_up(scene, device))
		return;
	request = make_packet(device, OP_REQUEST);
	put_packet(&request);
	give(device, SOCKET_RECEIVE, 0, (uintptr_t)buffer, sizeof(buffer), true);
	give(device, SOCKET_TRANSMIT, 0, (uintptr_t)outgoing, HEADER_BYTES, false);
	if (!wait(scene, device, SOCKET_TRANSMIT, &length) ||
		!wait(scene, device, SOCKET_RECEIVE, &length))
		return;
	report_expect(scene->report,
		length == HEADER_BYTES && answer->op == OP_RST &&
			answer->source_port == HOST_PORT && answer->destination_port == GUEST_PORT,
		"no RST, but op %u and %u bytes", answer->op, length);
}

/* What is changed in a packet that would otherwise be fine. */
struct attack {
	uint16_t op, type;                    /* type 0: a stream */
	uint64_t source_cid, destination_cid; /* 0: as it should be */
	uint32_t length;
	uint32_t bytes; /* of the buffer; 0: the header */
	bool writable;
	bool hears; /* there is a receive buffer */
};

static void run_packet(struct scene *scene, const struct hostile_case *self)
{
	const struct attack *attack = self->data;
	struct virtio *device = bystander_find(VIRTIO_SOCKET, false)->device;
	struct packet packet;
	uint32_t length;

	if (!socket_up(scene, device))
		return;
	packet = make_packet(device, attack->op);
	packet.type = attack->type ? attack->type : TYPE_STREAM;
	packet.source_cid = attack->source_cid ? attack->source_cid : packet.source_cid;
	packet.destination_cid = attack->destination_cid ? attack->destination_cid
	                                                 : packet.destination_cid;
	packet.length = attack->length;
	packet.flags = packet.fwd_cnt = UINT32_MAX;
	put_packet(&packet);
	if (attack->hears)
		give(device, SOCKET_RECEIVE, 0, (uintptr_t)buffer, sizeof(buffer), true);
	for (uint16_t i = 0; i < TRIO_RING_SIZE; i++) {
		give(device, SOCKET_TRANSMIT, i, (uintptr_t)outgoing,
			attack->bytes ? attack->bytes : HEADER_BYTES, attack->writable);
		if (!wait(scene, device, SOCKET_TRANSMIT, &length))
			break;
		report_expect(scene->report, length == 0, "%u bytes written", length);
	}
	check_refusal(scene, device);
}

/* Receive buffers of a bytes at place b, readable only if c. */
static void run_buffer(struct scene *scene, const struct hostile_case *self)
{
	struct virtio *device = bystander_find(VIRTIO_SOCKET, false)->device;
	struct packet packet;
	uint64_t at = self->b == AT_DATA ? (uintptr_t)buffer
	                                 : scene_place(scene, (enum place)self->b);
	uint32_t length;

	if (!socket_up(scene, device))
		return;
	give(device, SOCKET_RECEIVE, 0, at, (uint32_t)self->a, self->c == 0);
	packet = make_packet(device, OP_REQUEST);
	put_packet(&packet);
	give(device, SOCKET_TRANSMIT, 0, (uintptr_t)outgoing, HEADER_BYTES, false);
	(void)wait(scene, device, SOCKET_TRANSMIT, &length);
	check_refusal(scene, device);
}

/* More refusals than the device can remember, and nowhere to put them. */
static void run_flood(struct scene *scene, const struct hostile_case *self)
{
	struct virtio *device = bystander_find(VIRTIO_SOCKET, false)->device;
	struct packet packet;
	uint64_t start = board_clock(), taken = 0;
	uint32_t length;
	uint16_t id;

	if (!socket_up(scene, device))
		return;
	packet = make_packet(device, OP_REQUEST);
	put_packet(&packet);
	while (taken < self->a && !virtio_is_late(start)) {
		give(device, SOCKET_TRANSMIT, 0, (uintptr_t)outgoing, HEADER_BYTES, false);
		/* The device stops taking packets at some point (5.10.6.1). */
		for (unsigned int i = 0; i < 100000; i++) {
			if (vring_take_used(&sockets.rings[SOCKET_TRANSMIT], &id, &length)) {
				taken++;
				break;
			}
			if (i == 99999)
				start = 0;
		}
		if (!start)
			break;
	}
	report_note(scene->report, "%lu taken", taken);
	report_expect(scene->report, taken < self->a, "it remembers without end");
	check_refusal(scene, device);
}

#define PACKET(name, ...)                                                                        \
	{                                                                                        \
		"socket-" name, NEED_SOCKET, run_packet, &(const struct attack){__VA_ARGS__}, 0, \
			0, 0                                                                     \
	}
#define BUFFER(name, bytes, place, readable)                                                 \
	{                                                                                    \
		"socket-buffer-" name, NEED_SOCKET, run_buffer, NULL, bytes, place, readable \
	}

static const struct hostile_case cases[] = {
	PACKET("request-unheard", .op = OP_REQUEST),
	PACKET("header-of-43-bytes", .op = OP_REQUEST, .bytes = 43, .hears = true),
	PACKET("header-of-1-byte", .op = OP_REQUEST, .bytes = 1),
	PACKET("header-writable", .op = OP_REQUEST, .writable = true),
	PACKET("from-host", .op = OP_REQUEST, .source_cid = HOST_CID, .hears = true),
	PACKET("from-another", .op = OP_REQUEST, .source_cid = UINT64_MAX, .hears = true),
	PACKET("from-high-bits", .op = OP_REQUEST, .source_cid = UINT64_C(3) << 32 | 3),
	PACKET("to-another", .op = OP_REQUEST, .destination_cid = 4, .hears = true),
	PACKET("to-everybody", .op = OP_REQUEST, .destination_cid = UINT32_MAX),
	PACKET("type-0x7fff", .op = OP_REQUEST, .type = 0x7fff, .hears = true),
	PACKET("type-seqpacket", .op = OP_REQUEST, .type = 2),
	PACKET("op-0", .op = 0, .hears = true),
	PACKET("op-8", .op = 8),
	PACKET("op-65535", .op = 0xffff),
	PACKET("response-to-nothing", .op = OP_RESPONSE, .hears = true),
	PACKET("reset-of-nothing", .op = OP_RST, .hears = true),
	PACKET("shutdown-of-nothing", .op = OP_SHUTDOWN),
	PACKET("data-for-nothing", .op = OP_RW, .length = 16, .bytes = HEADER_BYTES + 16),
	PACKET("data-that-is-missing", .op = OP_RW, .length = UINT32_MAX),
	PACKET("data-of-60-kib", .op = OP_RW, .length = 61440, .bytes = HEADER_BYTES + 61440),
	PACKET("credit-for-nothing", .op = OP_CREDIT_UPDATE),
	PACKET("credit-asked-for-nothing", .op = OP_CREDIT_REQUEST, .hears = true),
	PACKET("request-with-length", .op = OP_REQUEST, .length = UINT32_MAX, .hears = true),
	BUFFER("of-43-bytes", 43, AT_DATA, 0),
	BUFFER("of-44-bytes", 44, AT_DATA, 0),
	BUFFER("of-1-byte", 1, AT_DATA, 0),
	BUFFER("empty", 0, AT_DATA, 0),
	BUFFER("readable", BUFFER_BYTES, AT_DATA, 1),
	BUFFER("in-hole", BUFFER_BYTES, AT_HOLE, 0),
	BUFFER("past-ram", BUFFER_BYTES, AT_RAM_END, 0),
	{"socket-flood", NEED_SOCKET, run_flood, NULL, 100000, 0, 0},
};

GROUP(socket_group, cases);
