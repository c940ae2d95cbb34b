/*
 * See console.h. This file joins the two directions and knows who the reader is; console_output.c
 * and console_input.c move the bytes, console_host.c opens things, terminal.c does the modes.
 */
#include "console.h"

#include "console_host.h"
#include "console_input.h"
#include "console_output.h"
#include "fd.h"
#include "loop.h"
#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

struct console {
	enum console_kind kind;
	char *path;
	struct loop *loop;
	struct console_events events;
	struct console_output output;
	struct console_input input;
	struct terminal terminal;
	/* [main] where input comes from: stdin, a pty's master side, a socket's client; -1: nothing
	 */
	int input_fd;
	bool client_left;    /* what it sent is still being read */
	bool end_unreported; /* the other end has gone, but the device has not had all it sent */
	/* [main] who tells that a reader came: inotify or the listening socket */
	struct loop_source arrival;
	int pty_slave_fd;
	struct host_socket socket;
};

static size_t port_write(void *host, const void *bytes, size_t length)
{
	struct console *console = host;

	return console->kind == CONSOLE_NULL
	               ? length
	               : console_output_write(&console->output, bytes, length);
}

static bool port_is_congested(void *host)
{
	struct console *console = host;

	return console->kind != CONSOLE_NULL && console_output_is_congested(&console->output);
}

static void port_resume_input(void *host)
{
	const struct console *console = host;

	if (console->kind != CONSOLE_NULL)
		console_input_resume(&console->input);
}

struct console_port console_port(struct console *console)
{
	static const struct console_port_ops ops = {
		port_write, port_is_congested, port_resume_input};

	return (struct console_port){&ops, console};
}

static void report_connected(const struct console *console, bool connected)
{
	if (console->events.connected)
		console->events.connected(console->events.device, connected);
}

/* The end comes behind what was sent. */
static void report_end(struct console *console)
{
	console->end_unreported = console->input.begin != console->input.end;
	if (!console->end_unreported)
		report_connected(console, false);
}

static void input_emptied(void *owner)
{
	struct console *console = owner;

	if (console->end_unreported)
		report_end(console);
}

static void drop_client(struct console *console)
{
	console_input_set_fd(&console->input, -1);
	fd_close(&console->input_fd);
	console->client_left = false;
	console->arrival.events = POLLIN;
	report_end(console);
}

/* No input any more, or not from this reader. */
static void input_ended(void *owner, bool hung_up)
{
	struct console *console = owner;

	switch (console->kind) {
	case CONSOLE_PTY:
		console_input_hold(&console->input, true); /* until somebody opens it again */
		break;
	case CONSOLE_SOCKET:
		if (hung_up)
			drop_client(console);
		break;
	case CONSOLE_INPUT:
		if (console->input.at_end) {
			console_input_set_fd(&console->input, -1);
			report_end(console);
		}
		break;
	case CONSOLE_FD:
		/* The other end of a socket that is half closed may still read. */
		if (hung_up) {
			console_input_set_fd(&console->input, -1);
			report_end(console);
		}
		break;
	default:
		/* Reading from the background fails as well, and is no end. */
		if (console->terminal.open && !terminal_is_ours(&console->terminal)) {
			console->input.at_end = false;
			console_input_hold(&console->input, true);
		} else {
			console_input_set_fd(&console->input, -1);
		}
		break;
	}
}

/* The client left while the device takes nothing: what it sent stays readable until the device
 * wakes up, or until a new client needs the place. */
static void client_hung_up(void *owner)
{
	struct console *console = owner;

	console->input.idle_events = 0;
	console->input.source.events = 0;
	if (console->kind != CONSOLE_SOCKET)
		return;
	console->client_left = true;
	console->arrival.events = POLLIN;
}

static void client_arrived(void *owner, short revents)
{
	struct console *console = owner;
	cleanup_fd int fd = accept4(console->arrival.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	cleanup_fd int output_fd = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;

	(void)revents;
	if (output_fd < 0)
		return;
	if (console->client_left)
		drop_client(console);
	if (console->end_unreported && console->events.connected) {
		/* It would be taken for what the new client sends. */
		console_input_discard(&console->input);
		report_end(console);
	}
	console->input_fd = take_fd(&fd);
	console->arrival.events = 0;
	console->input.idle_events = POLLERR; /* and with it POLLHUP, but not POLLIN */
	console_input_set_fd(&console->input, console->input_fd);
	console_output_offer(&console->output, take_fd(&output_fd));
	report_connected(console, true);
}

static void pty_opened(void *owner, short revents)
{
	struct console *console = owner;
	char events[256];

	(void)revents;
	if (read(console->arrival.fd, events, sizeof(events)) <= 0)
		return;
	console_input_set_fd(&console->input, console->input_fd);
	console_input_hold(&console->input, false);
	console_output_offer(&console->output, console->input_fd);
}

static int open_stdio(struct console *console, const struct console_options *options,
	int *ret_output_fd, struct err *err)
{
	int r = 0;

	/* Not open is no error: nothing to read, nowhere to write. */
	console->input_fd = console_host_adopt(options->input_fd);
	*ret_output_fd = console_host_adopt(options->output_fd);
	if (console->input_fd < 0)
		console->input_fd = -1;
	if (*ret_output_fd < 0)
		*ret_output_fd = -1;
	if (console->input_fd >= 0 && isatty(console->input_fd)) {
		r = terminal_open(&console->terminal, console->input_fd, err);
		console->input.has_escapes = r == 0;
	}
	return r;
}

/* A regular file has one position, and what was written to it is no input. */
static bool is_file(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

static int open_fd(struct console *console, int fd, int *ret_output_fd, struct err *err)
{
	int mode = fcntl(fd, F_GETFL);
	int r = 0;

	if (mode < 0)
		return err_set_errno(err, errno, "console fd %d: was not inherited", fd);
	mode &= O_ACCMODE;
	if (mode != O_RDONLY)
		r = *ret_output_fd = console_host_adopt(fd);
	if (r >= 0 && (mode == O_RDONLY || (mode == O_RDWR && !is_file(fd))))
		r = console->input_fd = console_host_adopt(fd);
	return r < 0 ? err_set_errno(err, -r, "console fd %d: cannot be used", fd) : 0;
}

static int open_host(struct console *console, const struct console_options *options,
	int *ret_output_fd, struct err *err)
{
	struct console_host_pty pty;
	int r;

	switch (console->kind) {
	case CONSOLE_STDIO:
		return open_stdio(console, options, ret_output_fd, err);
	case CONSOLE_FILE:
		r = console_host_open_file(options->path, err);
		*ret_output_fd = r < 0 ? -1 : r;
		return r < 0 ? r : 0;
	case CONSOLE_PTY:
		r = console_host_open_pty(&pty, err);
		if (r < 0)
			return r;
		console->path = pty.path;
		console->input_fd = pty.master_fd;
		console->pty_slave_fd = pty.slave_fd;
		console->arrival.fd = pty.watch_fd;
		console->arrival.ready = pty_opened;
		*ret_output_fd = pty.slave_fd >= 0 ? pty.master_fd : -1;
		return 0;
	case CONSOLE_SOCKET:
		console->path = strdup(options->path);
		if (!console->path)
			return err_set(err, ENOMEM, "console: out of memory");
		r = console_host_listen(options->path, &console->socket, err);
		if (r < 0)
			return r;
		console->arrival.fd = console->socket.fd;
		console->arrival.ready = client_arrived;
		return 0;
	case CONSOLE_FD:
		console->input.idle_events = POLLERR; /* and with it POLLHUP, but not POLLIN */
		return open_fd(console, options->input_fd, ret_output_fd, err);
	case CONSOLE_INPUT:
		r = console_host_adopt(options->input_fd);
		console->input_fd = r < 0 ? -1 : r;
		return 0;
	case CONSOLE_OUTPUT:
		r = console_host_adopt(options->output_fd);
		*ret_output_fd = r < 0 ? -1 : r;
		return 0;
	case CONSOLE_NULL:
		return 0;
	}
	return err_set(err, EINVAL, "console: unknown kind");
}

int console_create(
	const struct console_options *options, struct console **ret_console, struct err *err)
{
	cleanup_console struct console *console = calloc(1, sizeof(*console));
	enum output_reader reader = options->kind == CONSOLE_PTY      ? OUTPUT_READER_PTY
	                            : options->kind == CONSOLE_SOCKET ? OUTPUT_READER_SOCKET
	                                                              : OUTPUT_READER_LASTING;
	int output_fd = -1;
	int r;

	if (!console)
		return err_set(err, ENOMEM, "console: out of memory");
	console->kind = options->kind;
	console->input_fd = -1;
	console->pty_slave_fd = -1;
	console->socket.fd = -1;
	console->input.resume_fd = -1;
	console->arrival = (struct loop_source){.fd = -1, .events = POLLIN, .owner = console};
	console->input.ended = input_ended;
	console->input.hung_up = client_hung_up;
	console->input.emptied = input_emptied;
	console->input.owner = console;
	if (console->kind == CONSOLE_NULL) {
		*ret_console = take_ptr(console);
		return 0;
	}
	r = open_host(console, options, &output_fd, err);
	if (r < 0) {
		fd_close(&output_fd);
		return r;
	}
	r = console_output_init(&console->output, reader, output_fd, err);
	if (r < 0)
		return r;
	r = console_input_init(&console->input, err);
	if (r < 0)
		return r;
	*ret_console = take_ptr(console);
	return 0;
}

/* Closed when the program was started. */
static bool is_absent(const struct console *console)
{
	return (console->kind == CONSOLE_INPUT && console->input_fd < 0) ||
	       (console->kind == CONSOLE_OUTPUT && console->output.fd < 0);
}

int console_start(struct console *console, struct loop *loop, const struct console_events *events,
	struct err *err)
{
	int r;

	console->events = *events;
	if (console->kind != CONSOLE_SOCKET && !is_absent(console))
		report_connected(console, true);
	if (console->kind == CONSOLE_NULL)
		return 0;
	console->loop = loop;
	if (console->arrival.fd >= 0 && loop_attach(loop, &console->arrival) < 0)
		return err_set(err, ENOSPC, "console: the event loop is full");
	r = console_input_start(&console->input, loop, &console->events, err);
	if (r < 0)
		return r;
	console_input_set_fd(&console->input, console->input_fd);
	/* Nobody has opened the pty yet: the kernel would report that all the time. */
	if (console->kind == CONSOLE_PTY && console->arrival.fd >= 0)
		console_input_hold(&console->input, true);
	if (console->terminal.open)
		console_continue(console);
	return console_output_start(&console->output, &console->events, err);
}

const char *console_path(const struct console *console)
{
	return console->path;
}

int console_window_size(const struct console *console, uint16_t *ret_columns, uint16_t *ret_rows)
{
	struct winsize size;

	if (console->input_fd < 0 || ioctl(console->input_fd, TIOCGWINSZ, &size) != 0 ||
		!size.ws_col || !size.ws_row)
		return -ENOTTY;
	*ret_columns = size.ws_col;
	*ret_rows = size.ws_row;
	return 0;
}

uint64_t console_dropped_bytes(const struct console *console)
{
	return atomic_load_explicit(&console->output.dropped_bytes, memory_order_relaxed);
}

void console_suspend(struct console *console)
{
	if (!console->terminal.open)
		return;
	terminal_leave_raw(&console->terminal);
	console_input_hold(&console->input, true);
}

void console_continue(struct console *console)
{
	if (console->terminal.open)
		console_input_hold(&console->input, !terminal_enter_raw(&console->terminal));
}

int console_flush(struct console *console, uint64_t timeout_ns)
{
	return console->kind == CONSOLE_NULL ? 0
	                                     : console_output_flush(&console->output, timeout_ns);
}

void console_destroy(struct console *console)
{
	if (!console)
		return;
	console_output_fini(&console->output); /* its thread may be writing to input_fd */
	console_input_fini(&console->input);
	if (console->loop)
		loop_detach(console->loop, &console->arrival);
	terminal_close(&console->terminal);
	if (console->socket.fd >= 0)
		host_socket_unlink(console->path, &console->socket);
	fd_close(&console->arrival.fd);
	fd_close(&console->pty_slave_fd);
	fd_close(&console->input_fd);
	free(console->path);
	free(console);
}
