/* See channel.h. */
#include "channel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ERRNO_MAX      4095
#define SENTENCE_BYTES 128
#define GREETING_BYTES 32
/* In which the end of a VM is known after that of its connections. */
#define END_MS 2000

static int fail_late(struct channel *channel)
{
	return client_fail(channel->error, ETIMEDOUT, "%.200s: it was not done within %d ms",
		channel->what, channel->timeout_ms);
}

static int fail_ended(struct hull_vm *vm, struct hull_error *error)
{
	return client_fail_status(
		error, ESRCH, vm->status, "the VM has ended: %s", vm_sentence(vm));
}

/* The other end is closed, for one reason or another. */
static int fail_gone(struct channel *channel)
{
	uint64_t deadline_ns = deadline_after(END_MS);
	struct hull_vm *vm = channel->vm;
	int r;

	if (deadline_ns > channel->deadline_ns)
		deadline_ns = channel->deadline_ns;
	(void)pthread_mutex_lock(&vm->lock);
	while (!vm->has_ended && vm_wait_change(vm, deadline_ns))
		;
	r = vm->has_ended ? fail_ended(vm, channel->error)
	                  : client_fail(channel->error, EPROTO,
				    "%.200s: the guest closed the connection in the midst of it",
				    channel->what);
	(void)pthread_mutex_unlock(&vm->lock);
	return r;
}

int channel_refuse(struct channel *channel)
{
	return client_fail(channel->error, EPROTO, "%.200s: what the guest answers makes no sense",
		channel->what);
}

/* 0: try again. */
static int wait_for(struct channel *channel, short events)
{
	struct pollfd polled = {.fd = channel->fd, .events = events};
	int rest_ms = deadline_rest_ms(channel->deadline_ns);

	if (rest_ms == 0)
		return fail_late(channel);
	(void)poll(&polled, 1, rest_ms);
	return 0;
}

/* Whole, or an error. */
static int receive_bytes(struct channel *channel, uint8_t *bytes, size_t length)
{
	while (length) {
		ssize_t count = recv(channel->fd, bytes, length, MSG_DONTWAIT);
		int r = 0;

		if (count > 0) {
			bytes += count;
			length -= (size_t)count;
		} else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
			return fail_gone(channel);
		} else {
			r = wait_for(channel, POLLIN);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

static int fail_by_guest(struct channel *channel)
{
	const uint8_t *payload = channel_payload(channel);
	char sentence[SENTENCE_BYTES];
	size_t length = 0;
	uint32_t code;

	if (channel->payload_length < 4)
		return channel_refuse(channel);
	code = serve_number(payload);
	if (code == 0 || code > ERRNO_MAX)
		return channel_refuse(channel);
	for (size_t i = 4; i < channel->payload_length && length < sizeof(sentence) - 1; i++)
		sentence[length++] = payload[i] >= ' ' && payload[i] <= '~' ? (char)payload[i]
		                                                            : '?';
	sentence[length] = '\0';
	return client_fail(channel->error, (int)code, "%.200s, in the guest: %s: %s", channel->what,
		sentence, strerrordesc_np((int)code) ? strerrordesc_np((int)code) : "an error");
}

int channel_receive(struct channel *channel)
{
	int r = receive_bytes(channel, channel->bytes, SERVE_HEADER_BYTES);

	if (r < 0)
		return r;
	channel->payload_length = serve_number(channel->bytes + 1);
	if (channel->payload_length > SERVE_PAYLOAD_BYTES_MAX)
		return channel_refuse(channel);
	r = receive_bytes(channel, channel->bytes + SERVE_HEADER_BYTES, channel->payload_length);
	if (r == 0 && channel_type(channel) == SERVE_FAILED)
		return fail_by_guest(channel);
	return r;
}

bool channel_number(const struct channel *channel, uint32_t *ret_number)
{
	if (channel->payload_length != 4)
		return false;
	*ret_number = serve_number(channel_payload(channel));
	return true;
}

int channel_offer(struct channel *channel, enum serve_type type, const void *payload, size_t length)
{
	const uint8_t *from = channel->sent;

	serve_put_header(channel->sent, type, (uint32_t)length);
	if (length)
		memcpy(channel->sent + SERVE_HEADER_BYTES, payload, length);
	length += SERVE_HEADER_BYTES;
	while (length) {
		ssize_t count = send(channel->fd, from, length, MSG_DONTWAIT | MSG_NOSIGNAL);
		int r = 0;

		if (count >= 0) {
			from += count;
			length -= (size_t)count;
		} else if (errno == EAGAIN || errno == EINTR) {
			r = wait_for(channel, POLLOUT);
		} else {
			return 1;
		}
		if (r < 0)
			return r;
	}
	return 0;
}

int channel_send(struct channel *channel, enum serve_type type, const void *payload, size_t length)
{
	int r = channel_offer(channel, type, payload, length);

	if (r <= 0)
		return r;
	/* It may have said why. */
	r = channel_receive(channel);
	return r < 0 ? r : channel_refuse(channel);
}

/* Hull's own line: "OK" and a number, once the guest has accepted. */
static int receive_greeting(struct channel *channel)
{
	uint8_t line[GREETING_BYTES];

	for (size_t length = 0; length < sizeof(line); length++) {
		int r = receive_bytes(channel, line + length, 1);

		if (r < 0)
			return r;
		if (line[length] == '\n')
			return memcmp(line, "OK ", 3) == 0 ? 0 : channel_refuse(channel);
	}
	return channel_refuse(channel);
}

static int wait_until_served(struct channel *channel)
{
	struct hull_vm *vm = channel->vm;
	int r = 0;

	(void)pthread_mutex_lock(&vm->lock);
	while (r == 0 && (vm->has_ended || !vm->is_serving)) {
		if (vm->has_ended)
			r = fail_ended(vm, channel->error);
		else if (!vm_wait_change(vm, channel->deadline_ns))
			r = client_fail(channel->error, ETIMEDOUT,
				"the guest did not get ready within %d ms; is the VM one with "
				"--serve?",
				channel->timeout_ms);
	}
	(void)pthread_mutex_unlock(&vm->lock);
	return r;
}

static struct channel *create(
	struct hull_vm *vm, const char *what, int timeout_ms, struct hull_error *error)
{
	struct channel *channel = calloc(1, sizeof(*channel));

	if (!channel)
		return NULL;
	channel->vm = vm;
	channel->what = what;
	channel->timeout_ms = timeout_ms;
	channel->deadline_ns = deadline_after(timeout_ms);
	channel->error = error;
	channel->fd = -1;
	return channel;
}

int channel_open(struct hull_vm *vm, const char *what, int timeout_ms, struct channel **ret_channel,
	struct hull_error *error)
{
	struct channel *channel = create(vm, what, timeout_ms, error);
	char request[32];
	int r;

	if (!channel)
		return client_fail(error, ENOMEM, "no memory for a connection");
	r = wait_until_served(channel);
	(void)snprintf(request, sizeof(request), "vsock %d", SERVE_PORT);
	if (r == 0)
		r = control_request_fd(vm, request, &channel->fd, error);
	if (r == 0)
		r = receive_greeting(channel);
	if (r < 0) {
		channel_close(channel);
		return r;
	}
	*ret_channel = channel;
	return 0;
}

void channel_close(struct channel *channel)
{
	if (!channel)
		return;
	if (channel->fd >= 0)
		(void)close(channel->fd);
	free(channel);
}

exported int hull_vm_wait_ready(struct hull_vm *vm, int timeout_ms, struct hull_error *error)
{
	struct channel *channel = create(vm, "", timeout_ms, error);
	int r;

	if (!channel)
		return client_fail(error, ENOMEM, "no memory for a connection");
	r = wait_until_served(channel);
	channel_close(channel);
	return r;
}
