/* A command in a VM of its own, see hull.h. */
#include "client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define OUTPUT_BYTES_MAX (256u << 20)
#define READ_BYTES       65536
#define LOOK_MS          10 /* where no pidfd tells of the end */

struct run {
	struct process process;
	const char *input;
	size_t input_length;
	bool input_open, output_open, errors_open;
	struct buffer output, errors;
	int status;
	bool has_ended;
};

static void send_input(struct run *run)
{
	ssize_t count = 0;

	if (run->input_length)
		count = send(run->process.input, run->input, run->input_length,
			MSG_NOSIGNAL | MSG_DONTWAIT);
	if (count < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (count > 0) {
		run->input += count;
		run->input_length -= (size_t)count;
	}
	if (count < 0 || !run->input_length) {
		run->input_open = false;
		(void)shutdown(run->process.input, SHUT_WR);
	}
}

/* 1: there may be more. */
static int receive(int fd, bool *is_open, struct buffer *buffer)
{
	char bytes[READ_BYTES];
	size_t length = process_receive(fd, is_open, bytes, sizeof(bytes));

	if (!length)
		return 0;
	return buffer_add(buffer, bytes, length, false) < 0 ? -EFBIG : 1;
}

static int receive_all(struct run *run)
{
	int more;

	do {
		int errors;

		more = receive(run->process.output, &run->output_open, &run->output);
		errors = receive(run->process.messages, &run->errors_open, &run->errors);
		if (more < 0 || errors < 0)
			return -EFBIG;
		more |= errors;
	} while (more);
	return 0;
}

static void wait_for_something(const struct run *run, int rest_ms)
{
	const struct process *process = &run->process;
	struct pollfd polls[] = {
		{.fd = run->output_open ? process->output : -1, .events = POLLIN},
		{.fd = run->errors_open ? process->messages : -1, .events = POLLIN},
		{.fd = run->input_open ? process->input : -1, .events = POLLOUT},
		{.fd = process->pidfd, .events = POLLIN},
	};

	if (process->pidfd < 0 && (rest_ms < 0 || rest_ms > LOOK_MS))
		rest_ms = LOOK_MS;
	(void)poll(polls, array_size(polls), rest_ms);
}

static int collect(struct run *run, int timeout_ms, struct hull_error *error)
{
	uint64_t deadline_ns = deadline_after(timeout_ms);

	while (!run->has_ended) {
		int rest_ms = deadline_rest_ms(deadline_ns);

		if (rest_ms == 0)
			return client_fail(error, ETIMEDOUT, "the command did not end within %d ms",
				timeout_ms);
		wait_for_something(run, rest_ms);
		/* Before the last look at the output, so that it is the last. */
		run->has_ended = process_reap(&run->process, &run->status);
		if (run->input_open)
			send_input(run);
		if (receive_all(run) < 0)
			return client_fail(error, EFBIG,
				"the command's output is larger than %u MiB, or than the memory",
				OUTPUT_BYTES_MAX >> 20);
	}
	if (run->status < 0)
		return client_fail(error, ECHILD, "the status was taken by somebody else's wait");
	return 0;
}

/* A result's texts are never NULL. */
static int hand_over(struct run *run, struct hull_result *ret_result, struct hull_error *error)
{
	if (buffer_add(&run->output, "", 0, false) < 0 ||
		buffer_add(&run->errors, "", 0, false) < 0)
		return client_fail(error, ENOMEM, "no memory for a result");
	*ret_result = (struct hull_result){
		.status = run->status,
		.output = take_ptr(run->output.bytes),
		.output_length = run->output.length,
		.errors = take_ptr(run->errors.bytes),
		.errors_length = run->errors.length,
	};
	return 0;
}

exported int hull_run(const char *const options[], const char *const command[], const void *input,
	size_t input_length, int timeout_ms, struct hull_result *ret_result,
	struct hull_error *error)
{
	struct run run = {
		.input = input,
		.input_length = input ? input_length : 0,
		.input_open = true,
		.output_open = true,
		.errors_open = true,
		.output.maximum = OUTPUT_BYTES_MAX,
		.errors.maximum = OUTPUT_BYTES_MAX,
	};
	int r = command && command[0] ? process_start(options, command, &run.process, error)
	                              : client_fail(error, EINVAL, "there is no command");

	if (r < 0)
		return r;
	r = collect(&run, timeout_ms, error);
	if (!run.has_ended) {
		process_kill(&run.process);
		while (!process_reap(&run.process, &run.status))
			(void)poll(&(struct pollfd){.fd = run.process.pidfd, .events = POLLIN}, 1,
				LOOK_MS);
	}
	if (r == 0)
		r = hand_over(&run, ret_result, error);
	process_fini(&run.process);
	buffer_fini(&run.output);
	buffer_fini(&run.errors);
	return r;
}

exported void hull_result_clear(struct hull_result *result)
{
	free(result->output);
	free(result->errors);
	*result = (struct hull_result){0};
}
