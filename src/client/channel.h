/*
 * A connection to the init of a guest that serves, for one request: frames, see serve.h. The guest
 * may say anything, and be silent: what it says is bounded and judged here, and every wait ends
 * with the deadline.
 */
#pragma once

#include "client.h"
#include "serve.h"

struct channel {
	struct hull_vm *vm;
	struct hull_error *error; /* filled in by whatever fails */
	const char *what;         /* for sentences: the command, the file */
	uint64_t deadline_ns;
	int timeout_ms;
	int fd;
	size_t length; /* of what is there of a frame */
	uint32_t payload_length;
	uint8_t bytes[SERVE_HEADER_BYTES + SERVE_PAYLOAD_BYTES_MAX];
	uint8_t sent[SERVE_HEADER_BYTES + SERVE_PAYLOAD_BYTES_MAX];
};

/* Waits until the guest serves. what: borrowed. */
must_check int channel_open(struct hull_vm *vm, const char *what, int timeout_ms,
	struct channel **ret_channel, struct hull_error *error);
void channel_close(struct channel *channel); /* NULL is accepted */

/* At most SERVE_PAYLOAD_BYTES_MAX bytes. An error when the guest does not take them. */
must_check int channel_send(
	struct channel *channel, enum serve_type type, const void *payload, size_t length);
/* The same, but 1 when the guest takes no more: what it has said is still to be received. */
must_check int channel_offer(
	struct channel *channel, enum serve_type type, const void *payload, size_t length);

/* The next frame, which stays until the next call. SERVE_FAILED is an error. */
must_check int channel_receive(struct channel *channel);
static inline enum serve_type channel_type(const struct channel *channel)
{
	return (enum serve_type)channel->bytes[0];
}
static inline const uint8_t *channel_payload(const struct channel *channel)
{
	return channel->bytes + SERVE_HEADER_BYTES;
}
/* The payload is a number. False: it is not. */
must_check bool channel_number(const struct channel *channel, uint32_t *ret_number);
/* What was received makes no sense: -EPROTO. */
int channel_refuse(struct channel *channel);
