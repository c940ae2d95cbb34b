/*
 * The network device's transmit queue. Only frames leave that are ones, with a header that was
 * agreed on; each chain comes back once.
 *
 * Input: two bytes of features and options; then operations: a chain of pieces, an answer of the
 * host's, a timer.
 */
#include "fuzz_net.h"

static struct virtio_net *sender;
static uint8_t answer; /* of the host's to the next frame */

static ssize_t fuzz_receive(struct iovec *iov, unsigned int iov_count)
{
	(void)iov;
	(void)iov_count;
	return -EAGAIN;
}

static uint64_t fuzz_limit(void)
{
	return answer & 0x80 ? 1 : 0;
}

static bool is_allowed(uint8_t gso_type)
{
	static const unsigned int features[8] = {0, 11, 64, 14, 12, 56, 64, 64};
	unsigned int kind = gso_type & 0x7f;

	if (gso_type == 0)
		return true;
	return kind < 8 && kind && features[kind] < 64 && net_accepted(sender, features[kind]) &&
	       (!(gso_type & 0x80) || net_accepted(sender, 13));
}

static int fuzz_send(struct iovec *iov, unsigned int iov_count)
{
	size_t bytes = net_iov_bytes(iov, iov_count);
	uint8_t header[12], ethernet[14];

	fuzz_require(iov_count >= 2 && iov[0].iov_len == 12 && iov[1].iov_len == 14);
	fuzz_require(bytes >= 26 && bytes <= 12 + NET_FRAME_MAX);
	memcpy(header, iov[0].iov_base, 12);
	memcpy(ethernet, iov[1].iov_base, 14);
	fuzz_require(header[0] <= 1 && (!header[0] || net_accepted(sender, 0)));
	fuzz_require(is_allowed(header[1]) && !header[10] && !header[11]);
	fuzz_require(!sender->antispoof || memcmp(ethernet + 6, fuzz_mac, 6) == 0);
	switch (answer & 3) {
	case 1:
		return -EAGAIN;
	case 2:
		return -EINVAL;
	case 3:
		return -ENOTCONN;
	default:
		return 0;
	}
}

static void add_frame(struct fuzz_input *input)
{
	struct fuzz_chain *chain = fuzz_add_chain(1);
	uint32_t length = fuzz_word(input);

	if (!chain)
		return;
	if (length & 0x8000) /* around the longest */
		length = 12 + NET_FRAME_MAX - 8 + length % 16;
	fuzz_add_readable(chain, input, length);
	if (length % 7 == 0)
		fuzz_add_span(chain, true, NULL, 1 + length % 100);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {data, size};
	uint8_t features = fuzz_byte(&input);
	const struct virtio_device_ops *ops;

	answer = 0;
	sender = fuzz_start(features & 1   ? UINT64_MAX
			    : features & 2 ? UINT64_MAX & ~UINT64_C(1)
					   : ~((uint64_t)fuzz_word(&input) << 8),
		features & 4);
	ops = sender->device.ops;
	while (input.left) {
		switch (fuzz_byte(&input) % 4) {
		case 0:
		case 1:
			add_frame(&input);
			break;
		case 2:
			answer = fuzz_byte(&input);
			break;
		case 3:
			fuzz_expire(&sender->tx[0].timer);
			break;
		}
		if (!fuzz_broken)
			ops->queue_notify(&sender->device, 1);
	}
	fuzz_require(!fuzz_broken); /* chains are well formed */
	ops->destroy(&sender->device);
	return 0;
}
