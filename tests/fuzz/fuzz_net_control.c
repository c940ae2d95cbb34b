/*
 * The network device's control queue. Whatever the command, there is an answer if there is room for
 * one, and what the device then believes is within bounds.
 *
 * Input: a byte of features; then commands: length, bytes, room for the answer.
 */
#include "fuzz_net.h"

static ssize_t fuzz_receive(struct iovec *iov, unsigned int iov_count)
{
	(void)iov;
	(void)iov_count;
	return -EAGAIN;
}

static int fuzz_send(struct iovec *iov, unsigned int iov_count)
{
	(void)iov;
	(void)iov_count;
	return 0;
}

static uint64_t fuzz_limit(void)
{
	return 0;
}

static void check_state(const struct virtio_net *net)
{
	const struct net_filter *filter = &net->filter;
	static const uint8_t frame[NET_FILTER_BYTES] = {0x33, 0x33};

	fuzz_require(net->pairs_used >= 1 && net->pairs_used <= FUZZ_PAIRS);
	fuzz_require(filter->unicast.count <= NET_FILTER_ADDRESSES);
	fuzz_require(filter->multicast.count <= NET_FILTER_ADDRESSES);
	fuzz_require(!(net->mac[0] & 1));
	(void)net_filter_wants(filter, net->mac, frame, sizeof(frame));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {data, size};
	uint8_t features = fuzz_byte(&input);
	struct virtio_net *net = fuzz_start(
		features & 1 ? UINT64_MAX : ~((uint64_t)features << 16), features & 2);
	unsigned int queue = net->device.accepted_features >> 22 & 1 ? 2 * FUZZ_PAIRS : 2;

	while (input.left) {
		struct fuzz_chain *chain = fuzz_add_chain(queue);
		size_t length = fuzz_word(&input) % 1024;
		uint32_t room = fuzz_byte(&input) % 4;

		if (!chain)
			break;
		fuzz_add_readable(chain, &input, length);
		fuzz_add_span(chain, true, NULL, room);
		if (room)
			*(uint8_t *)chain->spans[1][0].host = 0xee;
		net->device.ops->queue_notify(&net->device, queue);
		fuzz_require(chain->pushed && chain->chain.written_bytes == (room ? 1 : 0));
		fuzz_require(!room || *(uint8_t *)chain->spans[1][0].host <= 1);
		check_state(net);
	}
	net->device.ops->destroy(&net->device);
	return 0;
}
