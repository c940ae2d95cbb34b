/*
 * One connection through a virtio socket device, from either end.
 *
 *     vsock_tool connect PORT       in the guest: to a port of the host (CID 2)
 *     vsock_tool send PORT          in the guest: the same, and waits for nothing
 *     vsock_tool echo PORT          in the guest: accepts one and sends back what comes
 *     vsock_tool dial PATH PORT     on the host: to a port of the guest
 *     vsock_tool serve PATH         on the host: accepts one and sends back what comes
 *     vsock_tool take PATH          on the host: accepts one and reads it slowly
 *
 * connect and dial send their standard input and then no more, and write to standard output what
 * comes back, to its end; so does take. 0: all of it; 1: something went wrong.
 *
 * Needs no library beyond the C library, for it also runs in minimal systems.
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#define BUFFER_BYTES 65536
#define TRIES        200 /* of a tenth of a second, until somebody listens */
#define TENTH_US     100000
#define SLOW_BYTES   4096 /* every SLOW_US */
#define SLOW_US      100000

static int fail(const char *what)
{
	(void)fprintf(stderr, "vsock_tool: %s: %s\n", what, strerror(errno));
	return 1;
}

static bool write_all(int fd, const char *bytes, ssize_t length)
{
	while (length > 0) {
		ssize_t count = write(fd, bytes, (size_t)length);

		if (count <= 0)
			return false;
		bytes += count;
		length -= count;
	}
	return true;
}

static int copy(int from, int to, size_t bytes, useconds_t pause_us)
{
	static char buffer[BUFFER_BYTES];
	ssize_t count;

	while ((count = read(from, buffer, bytes)) > 0) {
		if (!write_all(to, buffer, count))
			return fail("send");
		(void)usleep(pause_us);
	}
	return count < 0 ? fail("receive") : 0;
}

static int send_back(int fd)
{
	return copy(fd, fd, BUFFER_BYTES, 0);
}

static int send_input(int fd)
{
	return copy(STDIN_FILENO, fd, BUFFER_BYTES, 0);
}

static int take_slowly(int fd)
{
	return copy(fd, STDOUT_FILENO, SLOW_BYTES, SLOW_US);
}

/* Both directions at once: what comes back must not wait until all is sent. */
static int exchange(int fd)
{
	static char buffer[BUFFER_BYTES];
	struct pollfd polls[] = {
		{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
	ssize_t count;

	for (;;) {
		if (poll(polls, 2, -1) < 0)
			return fail("poll");
		if (polls[0].revents) {
			count = read(STDIN_FILENO, buffer, BUFFER_BYTES / 16);
			if (count < 0 || !write_all(fd, buffer, count))
				return fail("send");
			if (count == 0) {
				polls[0].fd = -1;
				if (shutdown(fd, SHUT_WR) < 0)
					return fail("shutdown");
			}
		}
		if (polls[1].revents) {
			count = read(fd, buffer, sizeof(buffer));
			if (count < 0 || !write_all(STDOUT_FILENO, buffer, count))
				return fail("receive");
			if (count == 0)
				return polls[0].fd < 0 ? 0 : fail("the other end has closed");
		}
	}
}

static struct sockaddr_vm guest_address(unsigned int cid, const char *port)
{
	return (struct sockaddr_vm){.svm_family = AF_VSOCK,
		.svm_cid = cid,
		.svm_port = (unsigned int)strtoul(port, NULL, 10)};
}

static int connect_to_host(const char *port, int (*use)(int fd))
{
	struct sockaddr_vm address = guest_address(VMADDR_CID_HOST, port);
	int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return fail("connect");
	return use(fd);
}

static int accept_one(int listener, int (*use)(int fd))
{
	int fd;

	if (listen(listener, 1) < 0)
		return fail("listen");
	fd = accept(listener, NULL, NULL);
	return fd < 0 ? fail("accept") : use(fd);
}

static int echo_in_guest(const char *port)
{
	struct sockaddr_vm address = guest_address(VMADDR_CID_ANY, port);
	int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return fail("bind");
	return accept_one(fd, send_back);
}

static struct sockaddr_un host_address(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	return address;
}

static int serve_on_host(const char *path, int (*use)(int fd))
{
	struct sockaddr_un address = host_address(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return fail("bind");
	return accept_one(fd, use);
}

/* The connection, once the guest has accepted it; -1: not yet. */
static int try_guest(const char *path, const char *port)
{
	struct sockaddr_un address = host_address(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char line[64];
	size_t length = 0;

	if (fd < 0)
		return -1;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
		dprintf(fd, "CONNECT %s\n", port) > 0)
		while (length < sizeof(line) - 1 && read(fd, line + length, 1) == 1)
			if (line[length++] == '\n' && strncmp(line, "OK ", 3) == 0)
				return fd;
	(void)close(fd);
	return -1;
}

static int dial_guest(const char *path, const char *port)
{
	for (unsigned int i = 0; i < TRIES; i++) {
		int fd = try_guest(path, port);

		if (fd >= 0)
			return exchange(fd);
		(void)usleep(TENTH_US);
	}
	return fail("nobody listens");
}

int main(int count, char **words)
{
	if (count == 3 && strcmp(words[1], "connect") == 0)
		return connect_to_host(words[2], exchange);
	if (count == 3 && strcmp(words[1], "send") == 0)
		return connect_to_host(words[2], send_input);
	if (count == 3 && strcmp(words[1], "echo") == 0)
		return echo_in_guest(words[2]);
	if (count == 4 && strcmp(words[1], "dial") == 0)
		return dial_guest(words[2], words[3]);
	if (count == 3 && strcmp(words[1], "serve") == 0)
		return serve_on_host(words[2], send_back);
	if (count == 3 && strcmp(words[1], "take") == 0)
		return serve_on_host(words[2], take_slowly);
	(void)fprintf(stderr,
		"vsock_tool: connect PORT, send PORT, echo PORT, dial PATH PORT, serve PATH, "
		"take PATH\n");
	return 1;
}
