/*
 * A command between its connection and its pipes, see session.h. Frames are read whatever else is
 * stuck, so that the end of the connection is noticed at once: the window bounds what they bring.
 */
#include "session.h"

#include "linux.h"

#define CHILD_SIGNAL (UINT64_C(1) << (SIGCHLD - 1))
#define SIGNAL_BYTES 128 /* struct signalfd_siginfo */
#define OUTPUTS      2

struct output {
	int fd; /* -1: over */
	enum serve_type type;
	int left; /* to be read once the command has ended */
};

struct command {
	struct frames *frames;
	int process, children;
	int input; /* -1: closed */
	uint8_t input_bytes[SERVE_WINDOW_BYTES];
	size_t input_begin, input_end;
	bool input_is_over;
	uint32_t taken; /* and not told */
	struct output outputs[OUTPUTS];
	unsigned int next_output;
	uint8_t frame[SERVE_HEADER_BYTES + SERVE_PAYLOAD_BYTES_MAX]; /* on its way */
	size_t frame_begin, frame_end;
	bool has_ended, has_said_status;
	int status;
};

static void close_one(int *fd)
{
	if (*fd >= 0)
		(void)sys_close(*fd);
	*fd = -1;
}

static int add_input(struct command *command)
{
	const uint8_t *payload = frames_payload(command->frames);
	uint32_t length = command->frames->payload_length;
	size_t held = command->input_end - command->input_begin;

	if (command->input_is_over || length > SERVE_WINDOW_BYTES - held)
		return -EPROTO;
	if (length > SERVE_WINDOW_BYTES - command->input_end) {
		for (size_t i = 0; i < held; i++)
			command->input_bytes[i] = command->input_bytes[command->input_begin + i];
		command->input_begin = 0;
		command->input_end = held;
	}
	for (uint32_t i = 0; i < length; i++)
		command->input_bytes[command->input_end++] = payload[i];
	return 0;
}

static int take_frames(struct command *command)
{
	int r;

	while ((r = frames_read(command->frames)) > 0) {
		if (frames_type(command->frames) == SERVE_INPUT)
			r = add_input(command);
		else if (frames_type(command->frames) == SERVE_INPUT_END)
			command->input_is_over = true;
		else
			r = -EPROTO;
		if (r < 0)
			return r;
		frames_next(command->frames);
	}
	return r;
}

static void feed(struct command *command)
{
	while (command->input_begin != command->input_end && command->input >= 0) {
		long count = sys_write(command->input, command->input_bytes + command->input_begin,
			command->input_end - command->input_begin);

		if (count == -EAGAIN)
			return;
		if (count < 0) {
			close_one(&command->input);
			break;
		}
		command->input_begin += (size_t)count;
		command->taken += (uint32_t)count;
	}
	/* What nobody reads any more is taken, too. */
	command->taken += (uint32_t)(command->input_end - command->input_begin);
	command->input_begin = command->input_end = 0;
	if (command->input_is_over)
		close_one(&command->input);
}

static void put_frame(struct command *command, enum serve_type type, size_t length)
{
	serve_put_header(command->frame, type, (uint32_t)length);
	command->frame_begin = 0;
	command->frame_end = SERVE_HEADER_BYTES + length;
}

static void put_number(struct command *command, enum serve_type type, uint32_t number)
{
	serve_put_number(command->frame + SERVE_HEADER_BYTES, number);
	put_frame(command, type, sizeof(number));
}

/* False: it says nothing now. */
static bool put_output(struct command *command, struct output *output)
{
	size_t wanted = SERVE_PAYLOAD_BYTES_MAX;
	long count;

	if (command->has_ended && output->left <= 0)
		close_one(&output->fd);
	if (output->fd < 0)
		return false;
	if (command->has_ended && wanted > (size_t)output->left)
		wanted = (size_t)output->left;
	count = sys_read(output->fd, command->frame + SERVE_HEADER_BYTES, wanted);
	if (count == -EAGAIN)
		return false;
	if (count <= 0) {
		close_one(&output->fd);
		return false;
	}
	output->left -= command->has_ended ? (int)count : 0;
	put_frame(command, output->type, (size_t)count);
	return true;
}

/* False: there is nothing to say now. */
static bool compose(struct command *command)
{
	if (command->taken) {
		put_number(command, SERVE_TAKEN, command->taken);
		command->taken = 0;
		return true;
	}
	for (unsigned int i = 0; i < OUTPUTS; i++) {
		unsigned int index = command->next_output;

		command->next_output = (index + 1) % OUTPUTS;
		if (put_output(command, &command->outputs[index]))
			return true;
	}
	if (!command->has_ended || command->has_said_status)
		return false;
	put_number(command, SERVE_STATUS, (uint32_t)command->status);
	command->has_said_status = true;
	return true;
}

static int speak(struct command *command)
{
	while (command->frame_begin != command->frame_end || compose(command)) {
		long count = sys_write(command->frames->fd, command->frame + command->frame_begin,
			command->frame_end - command->frame_begin);

		if (count == -EAGAIN)
			return 0;
		if (count < 0)
			return (int)count;
		command->frame_begin += (size_t)count;
	}
	return 0;
}

/* What the command has written is in the pipes; its own children may go on for ever. */
static void end(struct command *command, int status)
{
	command->has_ended = true;
	command->status = status;
	for (unsigned int i = 0; i < OUTPUTS; i++) {
		struct output *output = &command->outputs[i];

		if (output->fd >= 0 && sys_ioctl(output->fd, FIONREAD, &output->left) < 0)
			output->left = 0;
	}
}

static void collect(struct command *command)
{
	char signals[SIGNAL_BYTES * 4];
	int status;
	long process;

	while (sys_read(command->children, signals, sizeof(signals)) > 0)
		;
	while ((process = sys_wait4(-1, &status, WNOHANG | __WALL)) > 0)
		if (process == command->process)
			end(command, status);
}

static void wait(const struct command *command)
{
	bool is_full = command->frame_begin != command->frame_end;
	bool is_fed = command->input_begin == command->input_end;
	const struct pollfd all[] = {
		{command->frames->fd, (short)(POLLIN | (is_full ? POLLOUT : 0)), 0},
		{command->children, POLLIN, 0},
		{is_fed ? -1 : command->input, POLLOUT, 0},
		{is_full ? -1 : command->outputs[0].fd, POLLIN, 0},
		{is_full ? -1 : command->outputs[1].fd, POLLIN, 0},
	};
	struct pollfd polls[sizeof(all) / sizeof(all[0])];
	unsigned int count = 0;

	for (unsigned int i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i].fd >= 0)
			polls[count++] = all[i];
	(void)sys_poll(polls, count, -1);
}

static int relay_frames(struct command *command)
{
	for (;;) {
		int r = take_frames(command);

		if (r < 0)
			return r;
		feed(command);
		r = speak(command);
		if (r < 0)
			return r;
		if (command->has_said_status && command->frame_begin == command->frame_end)
			return 0;
		wait(command);
		collect(command);
	}
}

void session_command(const struct run *run, struct frames *frames)
{
	static struct command command;
	struct child child;
	int error;

	descendants_keep();
	command.frames = frames;
	command.children = (int)sys_signalfd(CHILD_SIGNAL, O_NONBLOCK | O_CLOEXEC);
	error = command.children < 0 ? command.children : child_start(run, &child);
	if (error < 0)
		frame_send_failure(frames->fd, error, "there is no process for it");
	if (error > 0)
		(void)frame_send_number(frames->fd, SERVE_NOT_EXECUTED, (uint32_t)error);
	if (error)
		return;
	command.process = child.process;
	command.input = child.input;
	command.outputs[0] = (struct output){child.output, SERVE_OUTPUT, 0};
	command.outputs[1] = (struct output){child.error, SERVE_ERRORS, 0};
	(void)sys_fcntl(frames->fd, F_SETFL, O_NONBLOCK);
	if (relay_frames(&command) < 0)
		descendants_kill(command.process);
}
