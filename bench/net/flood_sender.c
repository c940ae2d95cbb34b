/*
 * Sends small frames on an interface as fast as it takes them, until it is killed. For benchmarks.
 *
 * usage: flood_sender INTERFACE
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define BATCH       64
#define FRAME_BYTES 60

int main(int argc, char **argv)
{
	static char frame[FRAME_BYTES] = "\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x01\x88\xb5";
	struct iovec iov = {frame, sizeof(frame)};
	struct mmsghdr messages[BATCH];
	struct sockaddr_ll address = {.sll_family = AF_PACKET};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (argc != 2) {
		(void)fprintf(stderr, "usage: flood_sender INTERFACE\n");
		return EXIT_FAILURE;
	}
	address.sll_ifindex = (int)if_nametoindex(argv[1]);
	if (fd < 0 || !address.sll_ifindex ||
		bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
		perror(argv[1]);
		return EXIT_FAILURE;
	}
	memset(messages, 0, sizeof(messages));
	for (unsigned int i = 0; i < BATCH; i++) {
		messages[i].msg_hdr.msg_iov = &iov;
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	while (sendmmsg(fd, messages, BATCH, 0) > 0 || errno == ENOBUFS || errno == EAGAIN)
		;
	perror(argv[1]);
	return EXIT_FAILURE;
}
