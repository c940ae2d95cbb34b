/*
 * Requests of libhull's, as they come, see init.h and serve.h. Each is a process of its own; this
 * one, the first, does nothing that could fail or wait.
 */
#include "session.h"

#include "control.h"
#include "linux.h"
#include "words.h"

#define FAMILY       40 /* AF_VSOCK */
#define STREAM       1  /* SOCK_STREAM */
#define BACKLOG      128
#define ANY_CID      UINT32_MAX
#define HOST_CID     2
#define CHILD_SIGNAL (UINT64_C(1) << (SIGCHLD - 1))
#define SIGNAL_BYTES 128 /* struct signalfd_siginfo */
#define PAUSE_MS     10

/* struct sockaddr_vm; <linux/vm_sockets.h> wants the C library's headers. */
struct vsock_address {
	uint16_t family, reserved;
	uint32_t port, cid;
	uint8_t rest[4];
};

struct server {
	int listener, control, children;
	char line[CONTROL_LINE_BYTES];
	size_t line_length;
};

int serve_listen(void)
{
	const struct vsock_address address = {.family = FAMILY, .port = SERVE_PORT, .cid = ANY_CID};
	int fd = (int)sys_socket(FAMILY, STREAM | O_CLOEXEC | O_NONBLOCK, 0);
	long r;

	if (fd < 0)
		fail("there are no virtio sockets: has the kernel, or --modules, no "
		     "vmw_vsock_virtio_transport? error %d",
			-fd);
	r = sys_bind(fd, &address, sizeof(address));
	if (r == 0)
		r = sys_listen(fd, BACKLOG);
	if (r < 0)
		fail("no virtio socket can listen: error %d", (int)-r);
	return fd;
}

/* Processes of the guest's own may call, too, and would be answered as root. */
static void accept_one(struct server *server, struct run *run)
{
	struct vsock_address address = {0};
	uint32_t length = sizeof(address);
	int connection = (int)sys_accept4(server->listener, &address, &length, O_CLOEXEC);

	if (connection < 0) {
		if (connection != -EAGAIN)
			sleep_ms(PAUSE_MS);
		return;
	}
	if (address.cid == HOST_CID && sys_fork() == 0) {
		(void)sys_close(server->listener);
		(void)sys_close(server->control);
		(void)sys_close(server->children);
		session_run(run, connection);
	}
	(void)sys_close(connection);
}

/* True: Hull wants an end. */
static bool read_control(struct server *server)
{
	char bytes[CONTROL_LINE_BYTES];
	long count = sys_read(server->control, bytes, sizeof(bytes));
	bool is_over = false;

	for (long i = 0; i < count; i++) {
		if (bytes[i] == '\n') {
			server->line[server->line_length] = '\0';
			is_over = is_over || text_after(server->line, "signal ");
			server->line_length = 0;
		} else if (server->line_length < sizeof(server->line) - 1) {
			server->line[server->line_length++] = bytes[i];
		}
	}
	return is_over;
}

static void collect(struct server *server)
{
	char signals[SIGNAL_BYTES * 8];
	int status;

	while (sys_read(server->children, signals, sizeof(signals)) > 0)
		;
	while (sys_wait4(-1, &status, WNOHANG | __WALL) > 0)
		;
}

void serve(struct run *run, int listener, int control)
{
	static struct server server;

	server = (struct server){.listener = listener, .control = control};
	server.children = (int)sys_signalfd(CHILD_SIGNAL, O_NONBLOCK | O_CLOEXEC);
	if (server.children < 0)
		fail("no signalfd: error %d", -server.children);
	for (;;) {
		struct pollfd polls[] = {
			{server.listener, POLLIN, 0},
			{server.control, POLLIN, 0},
			{server.children, POLLIN, 0},
		};

		(void)sys_poll(polls, sizeof(polls) / sizeof(polls[0]), -1);
		if (polls[1].revents & POLLIN && read_control(&server))
			return;
		if (polls[1].revents & POLLHUP)
			sleep_ms(PAUSE_MS); /* while Hull is not there */
		collect(&server);
		if (polls[0].revents)
			accept_one(&server, run);
	}
}
