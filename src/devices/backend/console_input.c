/* See console_input.h. */
#include "console_input.h"

#include "fd.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define ESCAPE_PREFIX 0x01 /* Ctrl-a */

int escape_take(struct escape *escape, uint8_t byte, enum escape_action *ret_action)
{
	*ret_action = ESCAPE_NONE;
	if (!escape->prefix_seen) {
		escape->prefix_seen = byte == ESCAPE_PREFIX;
		return escape->prefix_seen ? -1 : byte;
	}
	escape->prefix_seen = false;
	switch (byte) {
	case ESCAPE_PREFIX:
	case 'a':
		return ESCAPE_PREFIX;
	case 'x':
		*ret_action = ESCAPE_QUIT;
		return -1;
	case 'h':
	case '?':
		*ret_action = ESCAPE_HELP;
		return -1;
	default:
		return -1;
	}
}

static void update_events(struct console_input *input)
{
	if (input->is_held)
		input->source.events = 0;
	else if (input->at_end || input->end - input->begin == sizeof(input->buffer))
		input->source.events = input->idle_events;
	else
		input->source.events = POLLIN;
}

static void deliver(struct console_input *input)
{
	size_t length = input->end - input->begin;

	if (!input->events->receive)
		input->begin = input->end;
	else if (length)
		input->begin += input->events->receive(
			input->events->device, input->buffer + input->begin, length);
	if (input->begin == input->end) {
		input->begin = input->end = 0;
		input->emptied(input->owner);
	}
	update_events(input);
}

void console_input_discard(struct console_input *input)
{
	input->begin = input->end = 0;
	update_events(input);
}

/* Never blocks on a terminal that nobody looks at. */
static void print_help(int fd)
{
	static const char help[] = "\r\nCtrl-a x  end the VM\r\n"
				   "Ctrl-a a  send Ctrl-a to the guest\r\n"
				   "Ctrl-a h  this help\r\n";
	struct pollfd fds = {.fd = fd, .events = POLLOUT};

	if (poll(&fds, 1, 0) <= 0 || write(fd, help, sizeof(help) - 1) < 0)
		return;
}

/* Takes count bytes behind the end into the buffer, without the escapes among them. */
static void filter_escapes(struct console_input *input, size_t count)
{
	const uint8_t *bytes = input->buffer + input->end;

	for (size_t i = 0; i < count; i++) {
		enum escape_action action;
		int byte = escape_take(&input->escape, bytes[i], &action);

		if (byte >= 0) /* never ahead of what is still to be looked at */
			input->buffer[input->end++] = (uint8_t)byte;
		if (action == ESCAPE_HELP)
			print_help(input->source.fd);
		if (action == ESCAPE_QUIT && input->events->quit)
			input->events->quit(input->events->owner);
	}
}

static void input_ready(void *owner, short revents)
{
	struct console_input *input = owner;
	size_t room;
	ssize_t count;

	if (input->begin) {
		memmove(input->buffer, input->buffer + input->begin, input->end - input->begin);
		input->end -= input->begin;
		input->begin = 0;
	}
	room = sizeof(input->buffer) - input->end;
	if (!room) {
		if (revents & POLLHUP)
			input->hung_up(input->owner);
		return;
	}
	if (input->is_socket)
		count = recv(input->source.fd, input->buffer + input->end, room, MSG_DONTWAIT);
	else
		count = read(input->source.fd, input->buffer + input->end, room);
	if (count > 0) {
		if (input->has_escapes)
			filter_escapes(input, (size_t)count);
		else
			input->end += (size_t)count;
		deliver(input);
	} else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
		input->at_end = true;
		update_events(input);
		input->ended(input->owner, count < 0 || (revents & POLLHUP));
	}
}

static void resume_ready(void *owner, short revents)
{
	struct console_input *input = owner;
	uint64_t count;

	(void)revents;
	if (read(input->resume_fd, &count, sizeof(count)) > 0)
		deliver(input);
}

void console_input_resume(const struct console_input *input)
{
	static const uint64_t one = 1;

	if (write(input->resume_fd, &one, sizeof(one)) < 0)
		return; /* the counter is full, and wakes the loop all the same */
}

void console_input_set_fd(struct console_input *input, int fd)
{
	struct stat status;

	input->source.fd = fd;
	input->at_end = false;
	input->is_socket = fd >= 0 && fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
	update_events(input);
}

void console_input_hold(struct console_input *input, bool held)
{
	input->is_held = held;
	update_events(input);
}

int console_input_init(struct console_input *input, struct err *err)
{
	input->source = (struct loop_source){.fd = -1, .ready = input_ready, .owner = input};
	input->resume_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (input->resume_fd < 0)
		return err_set_errno(err, errno, "console: no eventfd");
	input->resume_source = (struct loop_source){
		.fd = input->resume_fd, .events = POLLIN, .ready = resume_ready, .owner = input};
	return 0;
}

int console_input_start(struct console_input *input, struct loop *loop,
	const struct console_events *events, struct err *err)
{
	input->events = events;
	input->loop = loop;
	if (loop_attach(loop, &input->resume_source) < 0 || loop_attach(loop, &input->source) < 0)
		return err_set(err, ENOSPC, "console: the event loop is full");
	return 0;
}

void console_input_fini(struct console_input *input)
{
	if (input->loop) {
		loop_detach(input->loop, &input->source);
		loop_detach(input->loop, &input->resume_source);
	}
	fd_close(&input->resume_fd);
}
