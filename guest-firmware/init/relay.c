/*
 * Bytes between the command and its ports, see init.h. Nothing here waits for one of them alone: a
 * reader that is slow holds up what it reads, no more.
 */
#include "init.h"

#include "control.h"
#include "linux.h"
#include "words.h"

#define BUFFER_BYTES (64u << 10)
#define SIGNAL_BYTES 128 /* struct signalfd_siginfo */
#define CHILD_SIGNAL (UINT64_C(1) << (SIGCHLD - 1))
#define GONE         (POLLHUP | POLLERR | POLLNVAL)
#define STREAMS      3
#define POLLS        (2 * STREAMS + 2)

struct stream {
	int from, to; /* -1: closed */
	bool from_is_port;
	char *bytes; /* BUFFER_BYTES */
	size_t begin, end;
};

struct relay {
	const struct run *run;
	struct stream streams[STREAMS]; /* input, output, error */
	int control, children, process;
	bool ended;
	int status;
	char line[CONTROL_LINE_BYTES];
	size_t line_length;
};

static char buffers[STREAMS][BUFFER_BYTES];

static void close_end(int *fd)
{
	if (*fd >= 0)
		(void)sys_close(*fd);
	*fd = -1;
}

/* A terminal is one descriptor for both directions. */
static bool is_shared(const struct relay *relay, int fd)
{
	return relay->run->tty && (fd == relay->streams[1].from || fd == relay->streams[0].to) &&
	       relay->streams[0].to == relay->streams[1].from;
}

static void close_from(struct relay *relay, struct stream *stream)
{
	if (is_shared(relay, stream->from) || stream->from_is_port)
		stream->from = -1;
	else
		close_end(&stream->from);
}

static void close_to(struct relay *relay, struct stream *stream)
{
	if (is_shared(relay, stream->to) || !stream->from_is_port)
		stream->to = -1;
	else
		close_end(&stream->to);
	stream->begin = stream->end = 0;
}

static bool is_passing(long r)
{
	return r == -EAGAIN || r == -EINTR;
}

/* False: nothing could be moved now. */
static bool fill(struct relay *relay, struct stream *stream)
{
	long count;

	if (stream->from < 0 || stream->begin != stream->end)
		return false;
	count = sys_read(stream->from, stream->bytes, BUFFER_BYTES);
	if (is_passing(count))
		return false;
	stream->begin = 0;
	stream->end = count > 0 ? (size_t)count : 0;
	/* A terminal nobody has open gives EIO. */
	if (count <= 0)
		close_from(relay, stream);
	return true;
}

static bool empty(struct relay *relay, struct stream *stream)
{
	long count;

	if (stream->begin == stream->end || stream->to < 0)
		return false;
	count = sys_write(stream->to, stream->bytes + stream->begin, stream->end - stream->begin);
	if (is_passing(count))
		return false;
	if (count < 0) {
		/* Nobody reads it any more, and whoever writes it is to know. */
		close_to(relay, stream);
		close_from(relay, stream);
		return true;
	}
	stream->begin += (size_t)count;
	return true;
}

static void move(struct relay *relay, struct stream *stream)
{
	while (fill(relay, stream) || empty(relay, stream))
		;
	/* The end of the input comes behind all of it. */
	if (stream->from < 0 && stream->begin == stream->end && stream->from_is_port &&
		!relay->run->tty)
		close_to(relay, stream);
}

static void obey(struct relay *relay)
{
	const char *value;

	relay->line[relay->line_length] = '\0';
	if ((value = text_after(relay->line, "signal "))) {
		(void)sys_kill(-relay->process, (int)text_number(&value));
	} else if ((value = text_after(relay->line, "size ")) && relay->run->tty) {
		struct winsize size = {.ws_col = (uint16_t)text_number(&value)};

		if (*value)
			value++;
		size.ws_row = (uint16_t)text_number(&value);
		(void)sys_ioctl(relay->streams[1].from, TIOCSWINSZ, &size);
	}
	relay->line_length = 0;
}

static void read_control(struct relay *relay)
{
	char bytes[CONTROL_LINE_BYTES];
	long count = sys_read(relay->control, bytes, sizeof(bytes));

	for (long i = 0; i < count; i++) {
		if (bytes[i] == '\n')
			obey(relay);
		else if (relay->line_length < sizeof(relay->line) - 1)
			relay->line[relay->line_length++] = bytes[i];
	}
}

/* All that have ended: the first process inherits everybody's orphans. */
static void collect_children(struct relay *relay)
{
	char signals[SIGNAL_BYTES * 8];
	int process, status;

	while (sys_read(relay->children, signals, sizeof(signals)) > 0)
		;
	while ((process = (int)sys_wait4(-1, &status, WNOHANG | __WALL)) > 0) {
		if (process == relay->process) {
			relay->ended = true;
			relay->status = status;
		}
	}
}

/* What the command has written before it ended has gone. */
static bool is_done(struct relay *relay)
{
	if (!relay->ended)
		return false;
	for (int i = 1; i < STREAMS; i++) {
		move(relay, &relay->streams[i]);
		if (relay->streams[i].begin != relay->streams[i].end)
			return false;
	}
	return true;
}

static void add_poll(struct pollfd *polls, unsigned int *count, int fd, short events)
{
	if (fd >= 0)
		polls[(*count)++] = (struct pollfd){.fd = fd, .events = events};
}

static void wait(struct relay *relay)
{
	struct pollfd polls[POLLS];
	unsigned int count = 0;

	add_poll(polls, &count, relay->control, POLLIN);
	add_poll(polls, &count, relay->children, POLLIN);
	for (int i = 0; i < STREAMS; i++) {
		struct stream *stream = &relay->streams[i];

		if (stream->begin == stream->end)
			add_poll(polls, &count, stream->from, POLLIN);
		/* Without events: whether the reader goes. */
		if (i > 0 || stream->begin != stream->end)
			add_poll(polls, &count, stream->to,
				stream->begin != stream->end ? POLLOUT : 0);
	}
	if (sys_poll(polls, count, -1) < 0)
		return;
	for (unsigned int i = 0; i < count; i++) {
		if (polls[i].fd == relay->control && polls[i].revents & GONE)
			relay->control = -1; /* nobody will say anything any more */
		for (int j = 1; j < STREAMS && !relay->run->tty; j++) {
			struct stream *stream = &relay->streams[j];

			if (polls[i].fd != stream->to || stream->to < 0 ||
				!(polls[i].revents & GONE))
				continue;
			close_to(relay, stream);
			close_from(relay, stream);
		}
	}
}

static int open_or_fail(const char *name)
{
	int fd = port_open(name);

	if (fd < 0)
		fail("the port %s cannot be opened: error %d", name, -fd);
	return fd;
}

static void open_streams(struct relay *relay, const struct child *child)
{
	int input, output, error = -1;

	if (relay->run->tty) {
		input = output = open_or_fail("hull.tty");
	} else {
		input = open_or_fail("hull.stdin");
		output = open_or_fail("hull.stdout");
		error = open_or_fail("hull.stderr");
	}
	relay->streams[0] = (struct stream){
		.from = input, .to = child->input, .from_is_port = true};
	relay->streams[1] = (struct stream){.from = child->output, .to = output};
	relay->streams[2] = (struct stream){.from = child->error, .to = error};
	for (int i = 0; i < STREAMS; i++)
		relay->streams[i].bytes = buffers[i];
}

int relay(const struct run *run, struct child *child, int control)
{
	static struct relay relay;

	relay = (struct relay){.run = run, .control = control, .process = child->process};
	relay.children = (int)sys_signalfd(CHILD_SIGNAL, O_NONBLOCK | O_CLOEXEC);
	if (relay.children < 0)
		fail("no signalfd: error %d", -relay.children);
	open_streams(&relay, child);
	collect_children(&relay); /* one that was faster than this */
	while (!is_done(&relay)) {
		wait(&relay);
		read_control(&relay);
		collect_children(&relay);
		for (int i = 0; i < STREAMS; i++)
			move(&relay, &relay.streams[i]);
	}
	return relay.status;
}
