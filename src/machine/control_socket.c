/* See control_socket.h. */
#include "control_socket.h"

#include "fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>

static void leave(struct control_socket *control)
{
	if (control->is_gone)
		return;
	control->is_gone = true;
	control->source.events = 0;
	control->peer.events = 0;
	control->events.gone(control->events.owner);
}

/* The descriptor goes with the first byte. */
static ssize_t send_bytes(struct control_socket *control, const struct text *line)
{
	_Alignas(struct cmsghdr) char control_bytes[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec iov = {line->data, line->length};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};

	if (control->passed >= 0) {
		struct cmsghdr *header;

		message.msg_control = control_bytes;
		message.msg_controllen = sizeof(control_bytes);
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(header), &control->passed, sizeof(int));
	}
	return sendmsg(control->source.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Whole lines or none; a peer that has let the socket's buffer fill up is not there. O_NONBLOCK
 * would be the other side's as well, were the socket a duplicate. */
static void send_line(struct control_socket *control, struct text *line)
{
	ssize_t count;

	for (size_t i = 0; i < line->length; i++)
		if (line->data[i] == '\n')
			line->data[i] = ' ';
	text_add(line, "\n");
	if (control->is_gone)
		return;
	if (line->failed) {
		leave(control);
		return;
	}
	count = send_bytes(control, line);
	if (count != (ssize_t)line->length)
		leave(control);
}

static void answer(struct control_socket *control, size_t length)
{
	cleanup_text struct text text = {0};

	if (memchr(control->line, '\0', length))
		control_refuse(&text, EINVAL, "a line with a NUL");
	else
		control->events.request(control->events.owner, control->line, &text);
	send_line(control, &text);
	fd_close(&control->passed);
}

static void take_lines(struct control_socket *control)
{
	char *end;

	while (!control->is_gone && (end = memchr(control->line, '\n', control->length))) {
		size_t length = (size_t)(end - control->line);

		*end = '\0';
		answer(control, length);
		control->length -= length + 1;
		memmove(control->line, end + 1, control->length);
	}
	if (control->length == sizeof(control->line))
		leave(control);
}

static void readable(void *owner, short revents)
{
	struct control_socket *control = owner;
	ssize_t count = recv(control->source.fd, control->line + control->length,
		sizeof(control->line) - control->length, MSG_DONTWAIT);

	(void)revents;
	if (count < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (count <= 0) {
		leave(control);
		return;
	}
	control->length += (size_t)count;
	take_lines(control);
}

static void peer_ended(void *owner, short revents)
{
	(void)revents;
	leave(owner);
}

static int check(int fd, struct err *err)
{
	int type;
	socklen_t length = sizeof(type);

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) < 0)
		return err_set_errno(err, errno, "--control %d", fd);
	if (type != SOCK_STREAM)
		return err_set(err, EPROTOTYPE, "--control %d: it is no stream socket", fd);
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return err_set_errno(err, errno, "--control %d", fd);
	return 0;
}

/* Where the kernel cannot say who that is (another PID namespace, Linux before 5.3), the end of the
 * connection has to do. */
static int open_peer(int fd)
{
	struct ucred credentials;
	socklen_t length = sizeof(credentials);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) < 0 ||
		credentials.pid <= 0)
		return -1;
	return pidfd_open(credentials.pid, 0);
}

int control_socket_init(struct control_socket *control, struct loop *loop, int fd,
	const struct control_events *events, struct err *err)
{
	int r = check(fd, err);

	if (r < 0)
		return r;
	*control = (struct control_socket){
		.loop = loop,
		.source = {.fd = fd, .events = POLLIN, .ready = readable, .owner = control},
		.peer = {.fd = open_peer(fd),
			.events = POLLIN,
			.ready = peer_ended,
			.owner = control},
		.events = *events,
		.passed = -1,
	};
	r = loop_attach(loop, &control->source);
	if (r == 0 && control->peer.fd >= 0)
		r = loop_attach(loop, &control->peer);
	if (r < 0) {
		control_socket_fini(control);
		return err_set(err, ENOSPC, "too many event sources");
	}
	return 0;
}

void control_socket_fini(struct control_socket *control)
{
	if (!control->loop)
		return;
	loop_detach(control->loop, &control->source);
	loop_detach(control->loop, &control->peer);
	fd_close(&control->peer.fd);
	fd_close(&control->source.fd);
	control->loop = NULL;
}

void control_socket_say(struct control_socket *control, const char *line)
{
	cleanup_text struct text text = {0};

	if (!control->loop)
		return;
	text_add(&text, line);
	send_line(control, &text);
}

void control_socket_pass(struct control_socket *control, int fd)
{
	control->passed = fd;
}

void control_refuse(struct text *ret_answer, int code, const char *sentence)
{
	text_addf(ret_answer, "error %d %s", code < 0 ? -code : code, sentence);
}
