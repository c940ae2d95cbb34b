/*
 * The network device's receive queue. A frame reaches the driver whole, unchanged and in buffers of
 * its own that its header counts, or not at all.
 *
 * Input: a byte of features; then operations: a buffer of pieces, a frame of a length, a timer.
 */
#include "fuzz_net.h"

static struct virtio_net *receiver;
static uint32_t frame_bytes; /* of the frame that the host has; 0: none */
static bool is_limited;
static uint8_t serial;

static int fuzz_send(struct iovec *iov, unsigned int iov_count)
{
	(void)iov;
	(void)iov_count;
	return 0;
}

static uint64_t fuzz_limit(void)
{
	return is_limited;
}

static uint8_t byte_at(uint32_t offset, uint8_t seed)
{
	return (uint8_t)(offset * 5 + seed);
}

static ssize_t fuzz_receive(struct iovec *iov, unsigned int iov_count)
{
	static uint8_t frame[12 + NET_FRAME_MAX];
	uint32_t length = frame_bytes;

	if (!length)
		return -EAGAIN;
	frame_bytes = 0;
	serial++;
	for (uint32_t i = 12; i < length; i++)
		frame[i] = byte_at(i, serial);
	frame[12] = serial; /* what it is told by, and of whoever it is for */
	if (net_iov_write(iov, iov_count, 0, frame, length) < length)
		return (ssize_t)net_iov_bytes(iov, iov_count);
	return length;
}

/* Looks at what has come back in order, and that it is a frame. */
static void check_used(unsigned int *looked_at)
{
	struct virtq *queue = &fuzz_queues[0];

	while (*looked_at < queue->pushed) {
		struct fuzz_chain *first = &queue->chains[*looked_at];
		uint8_t beginning[13] = {0};
		unsigned int count, offset = 0;

		if (!first->chain.written_bytes) {
			++*looked_at; /* given back unused */
			continue;
		}
		for (unsigned int i = *looked_at; i < queue->count && offset < 13; i++)
			for (unsigned int j = 0; j < FUZZ_SPANS_MAX && offset < 13; j++) {
				const struct gmem_span *span = &queue->chains[i].spans[1][j];

				for (uint32_t k = 0; k < span->length && offset < 13; k++)
					beginning[offset++] = ((uint8_t *)span->host)[k];
			}
		count = beginning[10] + 256U * beginning[11];
		fuzz_require(count >= 1 && *looked_at + count <= queue->pushed);
		fuzz_require(receiver->is_mergeable || count == 1);
		offset = 0;
		for (unsigned int i = 0; i < count; i++) {
			struct fuzz_chain *chain = &queue->chains[*looked_at + i];
			uint64_t left = chain->chain.written_bytes;

			/* All but the last are full. */
			fuzz_require(
				left && (i + 1 == count || left == chain->chain.writable_bytes));
			for (unsigned int j = 0; j < FUZZ_SPANS_MAX && left; j++) {
				const struct gmem_span *span = &chain->spans[1][j];

				for (uint32_t k = 0; k < span->length && left;
					k++, left--, offset++)
					fuzz_require(offset <= 12 ||
						     ((uint8_t *)span->host)[k] ==
							     byte_at(offset, beginning[12]));
			}
		}
		fuzz_require(offset >= 26);
		*looked_at += count;
	}
}

static void add_buffer(struct fuzz_input *input)
{
	struct fuzz_chain *chain = fuzz_add_chain(0);
	unsigned int pieces = fuzz_byte(input);

	if (!chain)
		return;
	for (unsigned int i = 0; i < pieces % 8; i++)
		fuzz_add_span(chain, true, NULL, fuzz_word(input) >> pieces / 32);
	if (pieces == 255)
		fuzz_add_span(chain, false, NULL, 10);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {data, size};
	uint8_t features = fuzz_byte(&input);
	unsigned int looked_at = 0;
	const struct virtio_device_ops *ops;

	frame_bytes = 0;
	is_limited = false;
	serial = 0;
	receiver = fuzz_start(
		features & 1 ? UINT64_MAX : ~(UINT64_C(1) << 15 | UINT64_C(0x780)), false);
	if (features & 2)
		receiver->filter.promiscuous = false;
	ops = receiver->device.ops;
	while (input.left && !fuzz_broken) {
		switch (fuzz_byte(&input) % 5) {
		case 0:
		case 1:
			add_buffer(&input);
			break;
		case 2:
			frame_bytes = fuzz_word(&input) + (fuzz_byte(&input) & 31);
			if (frame_bytes > 12 + NET_FRAME_MAX)
				frame_bytes = 12 + NET_FRAME_MAX;
			break;
		case 3:
			fuzz_expire(&receiver->rx[0].timer);
			break;
		case 4:
			is_limited = !is_limited;
			break;
		}
		if (!fuzz_broken)
			ops->queue_notify(&receiver->device, 0);
		check_used(&looked_at);
	}
	ops->destroy(&receiver->device);
	return 0;
}
