/* Commands in a guest that serves, see hull.h. */
#include "channel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define OUTPUT_BYTES_MAX   (64u << 20)
#define STATUS_NOT_FOUND   127
#define STATUS_NO_COMMAND  126
#define STATUS_SIGNAL_BASE 128

struct exec {
	struct channel *channel;
	const char *input; /* what is left of it */
	size_t input_length;
	bool input_is_over;
	uint32_t not_taken;
	struct buffer output, errors;
	bool has_ended;
	int status, signal;
};

/* Before anything is said: a guest that gets too much would have to refuse it in the midst. */
static int check_words(const char *name, const char *const words[], struct hull_error *error)
{
	size_t bytes = 0;

	for (size_t i = 0; words && words[i]; i++) {
		size_t length = strlen(words[i]);

		bytes += length + 1;
		if (i == SERVE_WORDS_MAX || length > SERVE_PAYLOAD_BYTES_MAX ||
			bytes > SERVE_WORDS_BYTES_MAX)
			return client_fail(error, E2BIG,
				"%.200s: there are more than %d words, or %u KiB, or %u KiB in one "
				"of them",
				name, SERVE_WORDS_MAX, SERVE_WORDS_BYTES_MAX >> 10,
				SERVE_PAYLOAD_BYTES_MAX >> 10);
	}
	return 0;
}

static int check_request(const char *const command[], const struct hull_exec_options *options,
	struct hull_error *error)
{
	const char *const directory[] = {options->directory, NULL};
	int r;

	if (!command || !command[0])
		return client_fail(error, EINVAL, "there is no command");
	r = check_words(command[0], command, error);
	if (r == 0)
		r = check_words(command[0], options->environment, error);
	for (size_t i = 0; r == 0 && options->environment && options->environment[i]; i++)
		if (!strchr(options->environment[i], '=') || *options->environment[i] == '=')
			r = client_fail(error, EINVAL, "'%.200s' is not NAME=VALUE",
				options->environment[i]);
	return r < 0 ? r : check_words(command[0], directory, error);
}

static int send_words(struct channel *channel, enum serve_type type, const char *const words[])
{
	int r = 0;

	for (size_t i = 0; r == 0 && words && words[i]; i++)
		r = channel_send(channel, type, words[i], strlen(words[i]));
	return r;
}

static int send_options(struct channel *channel, const struct hull_exec_options *options)
{
	uint8_t user[8];
	int r = send_words(channel, SERVE_VARIABLE, options->environment);

	if (r == 0 && options->directory)
		r = channel_send(
			channel, SERVE_DIRECTORY, options->directory, strlen(options->directory));
	if (r == 0 && options->has_user) {
		serve_put_number(user, options->user);
		serve_put_number(user + 4, options->group);
		r = channel_send(channel, SERVE_USER, user, sizeof(user));
	}
	return r;
}

static int send_request(struct channel *channel, const char *const command[],
	const struct hull_exec_options *options)
{
	int r = send_words(channel, SERVE_ARGUMENT, command);

	if (r == 0)
		r = send_options(channel, options);
	return r < 0 ? r : channel_send(channel, SERVE_EXECUTE, NULL, 0);
}

/* As far as the guest has room; a command may end without having read it all. */
static int send_input(struct exec *exec)
{
	int r;

	while (exec->input_length && exec->not_taken < SERVE_WINDOW_BYTES) {
		size_t length = SERVE_WINDOW_BYTES - exec->not_taken;

		if (length > exec->input_length)
			length = exec->input_length;
		r = channel_offer(exec->channel, SERVE_INPUT, exec->input, length);
		if (r != 0) {
			exec->input_length = 0;
			exec->input_is_over = true;
			return r < 0 ? r : 0;
		}
		exec->input += length;
		exec->input_length -= length;
		exec->not_taken += (uint32_t)length;
	}
	if (exec->input_length || exec->input_is_over)
		return 0;
	exec->input_is_over = true;
	r = channel_offer(exec->channel, SERVE_INPUT_END, NULL, 0);
	return r < 0 ? r : 0;
}

static int add_output(struct exec *exec, struct buffer *buffer)
{
	struct channel *channel = exec->channel;
	int r = buffer_add(
		buffer, (const char *)channel_payload(channel), channel->payload_length, false);

	if (r == -EFBIG)
		return client_fail(channel->error, EFBIG,
			"%.200s: its output is larger than %zu bytes", channel->what,
			buffer->maximum);
	return r < 0 ? client_fail(channel->error, ENOMEM, "no memory for a command's output") : 0;
}

static int take_status(struct exec *exec)
{
	uint32_t number;
	int status;

	if (!channel_number(exec->channel, &number) || number > 0xffff)
		return channel_refuse(exec->channel);
	status = (int)number;
	if (WIFEXITED(status)) {
		exec->status = WEXITSTATUS(status);
	} else if (WIFSIGNALED(status)) {
		exec->signal = WTERMSIG(status);
		exec->status = STATUS_SIGNAL_BASE + exec->signal;
	} else {
		return channel_refuse(exec->channel);
	}
	exec->has_ended = true;
	return 0;
}

static int take_not_executed(struct exec *exec)
{
	const char *reason;
	char sentence[400];
	uint32_t code;
	int length;

	if (!channel_number(exec->channel, &code) || !code || code > INT16_MAX)
		return channel_refuse(exec->channel);
	reason = strerrordesc_np((int)code);
	exec->status = code == ENOENT || code == ENOTDIR ? STATUS_NOT_FOUND : STATUS_NO_COMMAND;
	exec->has_ended = true;
	length = snprintf(sentence, sizeof(sentence), "hull: %.200s: %s, in the guest\n",
		exec->channel->what,
		code == ENOENT ? "not found"
		: reason       ? reason
			       : "it cannot be executed");
	return buffer_add(&exec->errors, sentence, (size_t)length, true) < 0
	               ? client_fail(exec->channel->error, ENOMEM, "no memory for a sentence")
	               : 0;
}

static int take_frame(struct exec *exec)
{
	uint32_t taken;

	switch (channel_type(exec->channel)) {
	case SERVE_OUTPUT:
		return add_output(exec, &exec->output);
	case SERVE_ERRORS:
		return add_output(exec, &exec->errors);
	case SERVE_TAKEN:
		if (!channel_number(exec->channel, &taken) || taken > exec->not_taken)
			return channel_refuse(exec->channel);
		exec->not_taken -= taken;
		return send_input(exec);
	case SERVE_STATUS:
		return take_status(exec);
	case SERVE_NOT_EXECUTED:
		return take_not_executed(exec);
	default:
		return channel_refuse(exec->channel);
	}
}

/* A result's texts are never NULL. */
static int hand_over(
	struct exec *exec, struct hull_exec_result *ret_result, struct hull_error *error)
{
	if (buffer_add(&exec->output, "", 0, false) < 0 ||
		buffer_add(&exec->errors, "", 0, false) < 0)
		return client_fail(error, ENOMEM, "no memory for a result");
	*ret_result = (struct hull_exec_result){
		.status = exec->status,
		.signal = exec->signal,
		.output = take_ptr(exec->output.bytes),
		.output_length = exec->output.length,
		.errors = take_ptr(exec->errors.bytes),
		.errors_length = exec->errors.length,
	};
	return 0;
}

exported int hull_vm_exec(struct hull_vm *vm, const char *const command[],
	const struct hull_exec_options *options, int timeout_ms,
	struct hull_exec_result *ret_result, struct hull_error *error)
{
	static const struct hull_exec_options none = {0};
	struct exec exec = {0};
	int r;

	options = options ? options : &none;
	r = check_request(command, options, error);
	if (r < 0)
		return r;
	exec.input = options->input;
	exec.input_length = options->input ? options->input_length : 0;
	exec.output.maximum = options->output_max ? options->output_max : OUTPUT_BYTES_MAX;
	exec.errors.maximum = exec.output.maximum;
	r = channel_open(vm, command[0], timeout_ms, &exec.channel, error);
	if (r < 0)
		return r;
	r = send_request(exec.channel, command, options);
	if (r == 0)
		r = send_input(&exec);
	while (r == 0 && !exec.has_ended) {
		r = channel_receive(exec.channel);
		if (r == 0)
			r = take_frame(&exec);
	}
	if (r == 0)
		r = hand_over(&exec, ret_result, error);
	channel_close(exec.channel);
	buffer_fini(&exec.output);
	buffer_fini(&exec.errors);
	return r;
}

exported void hull_exec_result_clear(struct hull_exec_result *result)
{
	free(result->output);
	free(result->errors);
	*result = (struct hull_exec_result){0};
}
