/*
 * A NIC that answers to whatever address it is called by, and moves blocks with checksums: what the
 * other side sends in order is digested, and what it asks for is made from its number. Each packet
 * of UDP is a question and has one answer; the other side asks again what was lost. Runs in ring 3
 * (see user.h) and polls.
 *
 *     'P' number data    a block is put: 'P' and the number of the next one that is wanted
 *     'G' number bytes   a block is got: 'G', its number, its data
 *     'p' count          the digest of the count blocks that were put: 'p', count, 32 bytes
 *     'g' count bytes    the digest of the first count blocks to be got, likewise
 *     'E'                ends the guest
 *
 * Numbers have 32 bits and, as the words of the data, the guest's byte order. Block n is a sequence
 * of xorshift64 from n + 1 times a constant.
 */
#include "board.h"
#include "check.h"
#include "console.h"
#include "devices.h"
#include "inet.h"
#include "lane.h"
#include "memory.h"
#include "mmio.h"
#include "sha256.h"
#include "user.h"

#define RX 0
#define TX 1

#define F_MRG_RXBUF FEATURE(15)

#define BUFFERS      256
#define BUFFER_BYTES 9216
#define HEADER_BYTES 12
#define UDP_AT       (HEADER_BYTES + ETHERNET_BYTES + IP_BYTES)
#define DATA_AT      (UDP_AT + UDP_BYTES)
#define QUESTION     8 /* bytes of it in front of data */
#define DATA_MAX     (BUFFER_BYTES - DATA_AT - QUESTION)
#define STEP         UINT64_C(0x9e3779b97f4a7c15)

const char check_guest_name[] = "net-digest";

_Noreturn void guest_main(uint32_t entry, uint64_t information);

struct node {
	struct lane rx, tx;
	uint16_t free_slots[BUFFERS], free_count;
	uint8_t mac[6];
	struct sha256 put;
	uint32_t next_put;
	struct sha256 got;
	uint32_t got_count, got_bytes; /* that it is of */
	uint64_t questions, bytes;
	bool ends;
};

static struct node node;

static void make_block(uint32_t number, uint8_t *data, uint32_t bytes)
{
	uint64_t state = (number + UINT64_C(1)) * STEP;

	for (uint32_t i = 0; i + 8 <= bytes; i += 8) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		memcpy(data + i, &state, sizeof(state));
	}
}

/* --- Answers: each writes behind the question's eight bytes and returns how many. --- */

static uint32_t take_block(
	struct node *n, const uint8_t *question, uint32_t length, uint8_t *answer)
{
	if (load32(question + 4) == n->next_put) {
		sha256_add(&n->put, question + QUESTION, length - QUESTION);
		n->bytes += length - QUESTION;
		n->next_put++;
	}
	memcpy(answer + 4, &n->next_put, sizeof(n->next_put));
	return 0;
}

static uint32_t give_block(
	struct node *n, const uint8_t *question, uint32_t length, uint8_t *answer)
{
	uint32_t bytes = length >= QUESTION + 4 ? load32(question + QUESTION) & ~7U : 0;

	if (bytes > DATA_MAX)
		return 0;
	make_block(load32(question + 4), answer + QUESTION, bytes);
	n->bytes += bytes;
	return bytes;
}

static uint32_t digest_put(struct node *n, uint8_t *answer)
{
	memcpy(answer + 4, &n->next_put, sizeof(n->next_put));
	sha256_digest(&n->put, answer + QUESTION);
	return SHA256_BYTES;
}

static uint32_t digest_got(
	struct node *n, const uint8_t *question, uint32_t length, uint8_t *answer)
{
	static uint8_t block[DATA_MAX];
	uint32_t count = load32(question + 4),
		 bytes = length >= QUESTION + 4 ? load32(question + QUESTION) & ~7U : 0;

	if (bytes > sizeof(block))
		return 0;
	if (n->got_bytes != bytes || count < n->got_count) {
		sha256_init(&n->got);
		n->got_count = 0;
		n->got_bytes = bytes;
	}
	for (; n->got_count < count; n->got_count++) {
		make_block(n->got_count, block, bytes);
		sha256_add(&n->got, block, bytes);
	}
	sha256_digest(&n->got, answer + QUESTION);
	return SHA256_BYTES;
}

static uint32_t answer_question(
	struct node *n, const uint8_t *question, uint32_t length, uint8_t *answer)
{
	memcpy(answer, question, QUESTION);
	n->questions++;
	switch (question[0]) {
	case 'P':
		return take_block(n, question, length, answer);
	case 'G':
		return give_block(n, question, length, answer);
	case 'p':
		return digest_put(n, answer);
	case 'g':
		return digest_got(n, question, length, answer);
	case 'E':
		n->ends = true;
		return 0;
	default:
		return 0;
	}
}

/* --- Frames: each makes an answer to a frame and returns its bytes, 0: none. --- */

static void put_ethernet(const struct node *n, const uint8_t *in, uint8_t *out)
{
	memset(out, 0, HEADER_BYTES);
	memcpy(out + HEADER_BYTES, in + HEADER_BYTES + 6, 6);
	memcpy(out + HEADER_BYTES + 6, n->mac, 6);
	memcpy(out + HEADER_BYTES + 12, in + HEADER_BYTES + 12, 2);
}

/* RFC 826. An address that somebody asks about and has himself is not ours. */
static uint32_t answer_arp(const struct node *n, const uint8_t *in, uint32_t length, uint8_t *out)
{
	const uint8_t *arp = in + HEADER_BYTES + ETHERNET_BYTES;
	uint8_t *reply = out + HEADER_BYTES + ETHERNET_BYTES;

	if (length < HEADER_BYTES + ETHERNET_BYTES + ARP_BYTES || get16(arp + 6) != 1 ||
		memcmp(arp + 14, arp + 24, 4) == 0)
		return 0;
	put_ethernet(n, in, out);
	memcpy(reply, arp, 8);
	put16(reply + 6, 2);
	memcpy(reply + 8, n->mac, 6);
	memcpy(reply + 14, arp + 24, 4);
	memcpy(reply + 18, arp + 8, 10);
	return HEADER_BYTES + ETHERNET_BYTES + ARP_BYTES;
}

static uint32_t answer_ip(struct node *n, const uint8_t *in, uint32_t length, uint8_t *out)
{
	const uint8_t *ip = in + HEADER_BYTES + ETHERNET_BYTES, *udp = in + UDP_AT;
	uint32_t bytes;

	if (length < DATA_AT + QUESTION || ip[0] != 0x45 || ip[9] != IP_UDP ||
		get16(udp + 4) < UDP_BYTES + QUESTION || get16(udp + 4) > length - UDP_AT)
		return 0;
	bytes = QUESTION +
	        answer_question(n, in + DATA_AT, get16(udp + 4) - UDP_BYTES, out + DATA_AT);
	put_ethernet(n, in, out);
	inet_put_ip(out + HEADER_BYTES + ETHERNET_BYTES, IP_BYTES + UDP_BYTES + bytes, IP_UDP,
		ip + 16, ip + 12);
	memcpy(out + UDP_AT, udp + 2, 2);
	memcpy(out + UDP_AT + 2, udp, 2);
	put16(out + UDP_AT + 4, UDP_BYTES + bytes);
	put16(out + UDP_AT + 6, 0); /* no checksum */
	return DATA_AT + bytes;
}

static uint32_t answer_frame(struct node *n, const uint8_t *in, uint32_t length, uint8_t *out)
{
	if (length < HEADER_BYTES + ETHERNET_BYTES)
		return 0;
	switch (get16(in + HEADER_BYTES + 12)) {
	case ETHERTYPE_ARP:
		return answer_arp(n, in, length, out);
	case ETHERTYPE_IP:
		return answer_ip(n, in, length, out);
	default:
		return 0;
	}
}

static void send(struct node *n, uint16_t slot, uint32_t length)
{
	vring_descriptors(&n->tx.ring)[slot].length = length;
	vring_publish(&n->tx.ring, slot);
	n->free_count--;
}

/* Without a free slot nothing is taken: the device holds what comes. */
static void take_frames(struct node *n)
{
	uint16_t old_rx = n->rx.ring.next_available, old_tx = n->tx.ring.next_available, id;
	uint32_t length;

	while (n->free_count && vring_take_used(&n->rx.ring, &id, &length)) {
		uint16_t slot = n->free_slots[n->free_count - 1];
		uint32_t bytes = answer_frame(
			n, lane_buffer(&n->rx, id), length, lane_buffer(&n->tx, slot));

		if (bytes)
			send(n, slot, bytes);
		vring_publish(&n->rx.ring, id);
	}
	lane_notify(&n->rx, old_rx);
	lane_notify(&n->tx, old_tx);
}

static void take_sent(struct node *n)
{
	uint32_t length;
	uint16_t id;

	while (vring_take_used(&n->tx.ring, &id, &length))
		n->free_slots[n->free_count++] = id;
}

static void run(void *argument)
{
	struct node *n = argument;

	lane_notify(&n->rx, (uint16_t)(n->rx.ring.next_available - n->rx.ring.size));
	while (!n->ends) {
		take_sent(n);
		take_frames(n);
	}
	while (n->free_count < n->tx.ring.size) /* the answer to it has left */
		take_sent(n);
}

static const char *bring_up(struct node *n, struct virtio *device)
{
	if (!device || !virtio_negotiate(device, FEATURE_EVENT_INDEX | F_MRG_RXBUF))
		return "there is no NIC";
	for (uint32_t i = 0; i < sizeof(n->mac); i++)
		n->mac[i] = mmio_read8(device->config + i);
	sha256_init(&n->put);
	if (!lane_prepare(&n->rx, device, RX, BUFFERS, 1) ||
		!lane_prepare(&n->tx, device, TX, BUFFERS, 1) ||
		!lane_add_buffers(&n->rx, n->rx.ring.size, BUFFER_BYTES, true) ||
		!lane_add_buffers(&n->tx, n->tx.ring.size, BUFFER_BYTES, false))
		return "there is not enough memory";
	for (uint16_t slot = 0; slot < n->rx.ring.size; slot++)
		vring_publish(&n->rx.ring, slot);
	for (uint16_t slot = 0; slot < n->tx.ring.size; slot++)
		n->free_slots[n->free_count++] = slot;
	if (!lane_open(&n->rx) || !lane_open(&n->tx))
		return "a queue is missing";
	virtio_driver_ok(device);
	return NULL;
}

_Noreturn void guest_main(uint32_t entry, uint64_t information)
{
	struct virtio *device = devices_first(board_start(entry, information), VIRTIO_NETWORK);
	const char *problem = bring_up(&node, device);

	if (problem) {
		console_print("net-digest: %s\n", problem);
		board_end(false);
	}
	console_print("net-digest: ready\n");
	user_run(run, &node);
	console_print("net-digest: result questions=%lu bytes=%lu notifications=%lu\n",
		node.questions, node.bytes, node.rx.notifications + node.tx.notifications);
	(void)virtio_reset(device);
	board_end(true);
}
