/*
 * Joins an Ethernet tap and a stream of frames, each behind its length as 4 bytes in network order:
 * a guest's kernel for a network process, without a VM. For benchmarks; ends with the stream.
 *
 * usage: tap_stream STREAM_FD TAP. Prints a line when the tap is there.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define LENGTH_BYTES 4
#define FRAME_MAX    (4096 + 65536)
#define BUFFER_BYTES (512 << 10)

static uint8_t to_stream[BUFFER_BYTES];
static uint8_t from_stream[BUFFER_BYTES];
static size_t held; /* of from_stream */

static int open_tap(const char *name)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	(void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request) != 0) {
		perror(name);
		exit(EXIT_FAILURE);
	}
	return fd;
}

/* As many frames as there are and fit, in one write. */
static bool send_frames(int tap, int stream)
{
	size_t length = 0;

	while (sizeof(to_stream) - length >= LENGTH_BYTES + FRAME_MAX) {
		uint8_t *head = to_stream + length;
		ssize_t count = read(tap, head + LENGTH_BYTES, FRAME_MAX);

		if (count <= 0)
			break;
		head[0] = 0;
		head[1] = (uint8_t)(count >> 16);
		head[2] = (uint8_t)(count >> 8);
		head[3] = (uint8_t)count;
		length += LENGTH_BYTES + (size_t)count;
	}
	for (size_t sent = 0; sent < length;) {
		ssize_t count = send(stream, to_stream + sent, length - sent, MSG_NOSIGNAL);

		if (count < 0 && errno != EINTR)
			return false;
		sent += count > 0 ? (size_t)count : 0;
	}
	return true;
}

static bool take_frames(int tap, int stream)
{
	ssize_t count = recv(stream, from_stream + held, sizeof(from_stream) - held, MSG_DONTWAIT);
	size_t start = 0;

	if (count <= 0)
		return count < 0 && (errno == EAGAIN || errno == EINTR);
	held += (size_t)count;
	while (held - start >= LENGTH_BYTES) {
		const uint8_t *head = from_stream + start;
		size_t length = (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];

		if (length > FRAME_MAX)
			return false;
		if (held - start - LENGTH_BYTES < length)
			break;
		if (write(tap, head + LENGTH_BYTES, length) < 0 && errno == EBADFD)
			return false;
		start += LENGTH_BYTES + length;
	}
	memmove(from_stream, from_stream + start, held - start);
	held -= start;
	return true;
}

int main(int argc, char **argv)
{
	int stream, tap;

	if (argc != 3)
		return EXIT_FAILURE;
	stream = (int)strtol(argv[1], NULL, 10);
	tap = open_tap(argv[2]);
	puts("ready");
	(void)fflush(stdout);
	for (;;) {
		struct pollfd polls[] = {
			{.fd = stream, .events = POLLIN}, {.fd = tap, .events = POLLIN}};

		if (poll(polls, 2, -1) < 0 && errno != EINTR)
			return EXIT_FAILURE;
		if (polls[0].revents && !take_frames(tap, stream))
			return EXIT_SUCCESS;
		if (polls[1].revents && !send_frames(tap, stream))
			return EXIT_SUCCESS;
	}
}
