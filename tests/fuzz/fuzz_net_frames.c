/*
 * What the network's process reads from a hostile VM: a stream of any bytes, in parts of any size,
 * and every frame in it through the filter, both as if from and as if to the guest.
 *
 * The first byte: bit 0 restrict; the rest of it how the stream is split.
 */
#include "frame_stream.h"
#include "fuzz.h"
#include "host_filter.h"

#include "compiler.h"
#include "fd.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* Every second address is the host's. */
static bool is_own(void *owner, const struct ip_address *address)
{
	(void)owner;
	fuzz_require(address->length == IPV4_BYTES || address->length == IPV6_BYTES);
	return address->bytes[address->length - 1] & 1;
}

/* The filter's promise in its simplest words, about what a frame says at its fixed places. */
static void check_promise(const uint8_t *frame, size_t length, bool passed)
{
	static const uint8_t ipv4[] = {8, 0};
	const uint8_t *address = frame + 14 + 16;

	if (!passed || length < 14 || memcmp(frame + 12, ipv4, sizeof(ipv4)) != 0)
		return;
	fuzz_require(length >= 34);
	fuzz_require(address[0] != 127 && address[0] != 0);
	if (address[0] == 255)
		fuzz_require(memcmp(address, "\xff\xff\xff\xff", 4) == 0);
	else
		fuzz_require(address[0] < 224);
}

static int take_frames(
	struct frame_reader *reader, struct frame_writer *writer, struct host_filter *filter)
{
	const uint8_t *frame;
	size_t length;
	int r;

	while ((r = frame_reader_next(reader, &frame, &length)) > 0) {
		bool passed = host_filter_passes(filter, frame, length);

		fuzz_require(length <= FRAME_STREAM_FRAME_MAX);
		if (filter->restrict_host)
			check_promise(frame, length, passed);
		host_filter_note(filter, frame, length);
		fuzz_require(filter->peer_count <= HOST_FILTER_PEERS);
		if (!frame_writer_put(writer, frame, length))
			frame_writer_init(writer);
	}
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint16_t ports[] = {53, 0x4141};
	struct host_filter filter = {.is_own = is_own, .udp_ports = ports, .udp_port_count = 2};
	/* Large; what an input left in them the next one does not see. */
	static struct frame_reader reader;
	static struct frame_writer writer;
	int fds[2];
	cleanup_fd int ours = -1;
	cleanup_fd int theirs = -1;
	size_t part;

	frame_reader_init(&reader);
	frame_writer_init(&writer);
	fuzz_require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
	ours = fds[0];
	theirs = fds[1];
	if (size > 0) {
		filter.restrict_host = data[0] & 1;
		part = data[0] >> 1 ? data[0] >> 1 : size;
		for (size_t at = 1; at < size; at += part) {
			size_t length = size - at < part ? size - at : part;

			if (send(theirs, data + at, length, MSG_DONTWAIT | MSG_NOSIGNAL) !=
				(ssize_t)length)
				break;
			if (frame_reader_fill(&reader, ours) < 0 ||
				take_frames(&reader, &writer, &filter) < 0)
				break;
		}
	}
	return 0;
}
