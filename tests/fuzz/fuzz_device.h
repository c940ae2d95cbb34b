/*
 * A device under a driver and a host that do anything, on one thread: queues are lists of chains.
 * Takes the place of virtqueues, the virtio core and the I/O thread; chains and the device are the
 * real ones. Included once a program.
 */
#pragma once

#include "fuzz.h"
#include "io_thread.h"
#include "virtio_device.h"

#include <errno.h>
#include <string.h>

#define FUZZ_CHAINS_MAX 64
#define FUZZ_SPANS_MAX  16
#define FUZZ_QUEUES     5

struct fuzz_input {
	const uint8_t *bytes;
	size_t left;
};

static inline uint8_t fuzz_byte(struct fuzz_input *input)
{
	if (!input->left)
		return 0;
	input->left--;
	return *input->bytes++;
}

static inline uint32_t fuzz_word(struct fuzz_input *input)
{
	uint32_t high = fuzz_byte(input);

	return high << 8 | fuzz_byte(input);
}

struct fuzz_chain {
	struct chain chain;
	struct gmem_span spans[2][FUZZ_SPANS_MAX]; /* readable, writable */
	bool popped, pushed;
};

struct virtq {
	struct fuzz_chain chains[FUZZ_CHAINS_MAX];
	unsigned int count, popped, pushed;
	bool running, notifications;
};

struct io_thread {
	unsigned int unused;
};

static struct virtq fuzz_queues[FUZZ_QUEUES];
static struct io_thread fuzz_thread;
static bool fuzz_broken;

/* --- Chains --- */

static inline void fuzz_add_span(
	struct fuzz_chain *chain, bool writable, const uint8_t *bytes, uint32_t length)
{
	struct chain_cursor *cursor = writable ? &chain->chain.writer : &chain->chain.reader;
	void *host;

	if (!length || cursor->span_count == FUZZ_SPANS_MAX)
		return;
	host = malloc(length); /* exactly as large as it is, for the sanitizer */
	fuzz_require(host);
	if (bytes)
		memcpy(host, bytes, length);
	else
		memset(host, 0, length);
	chain->spans[writable][cursor->span_count++] = (struct gmem_span){host, length};
	cursor->left_bytes += length;
	if (writable)
		chain->chain.writable_bytes += length;
	else
		chain->chain.readable_bytes += length;
}

/* NULL: the queue is full. */
static inline struct fuzz_chain *fuzz_add_chain(unsigned int queue)
{
	struct virtq *q = &fuzz_queues[queue];
	struct fuzz_chain *chain;

	if (q->count == FUZZ_CHAINS_MAX)
		return NULL;
	chain = &q->chains[q->count++];
	*chain = (struct fuzz_chain){.chain = {.head = (uint16_t)(q->count - 1)}};
	chain->chain.reader.spans = chain->spans[0];
	chain->chain.writer.spans = chain->spans[1];
	return chain;
}

/* As many pieces as the input says, of its own bytes. */
static inline void fuzz_add_readable(
	struct fuzz_chain *chain, struct fuzz_input *input, size_t length)
{
	while (length) {
		size_t part = 1 + fuzz_byte(input) * 16U;

		if (part > length || chain->chain.reader.span_count + 1 == FUZZ_SPANS_MAX)
			part = length;
		length -= part;
		if (part <= input->left) {
			fuzz_add_span(chain, false, input->bytes, (uint32_t)part);
			input->bytes += part;
			input->left -= part;
		} else {
			fuzz_add_span(chain, false, NULL, (uint32_t)part);
		}
	}
}

int virtq_pop(struct virtq *queue, struct chain **ret_chain)
{
	if (queue->popped == queue->count)
		return 0;
	queue->chains[queue->popped].popped = true;
	*ret_chain = &queue->chains[queue->popped++].chain;
	return 1;
}

void virtq_push(struct virtq *queue, struct chain *chain)
{
	struct fuzz_chain *fuzz = container_of(chain, struct fuzz_chain, chain);

	fuzz_require(fuzz->popped && !fuzz->pushed);
	fuzz_require(chain->written_bytes <= chain->writable_bytes);
	fuzz->pushed = true;
	queue->pushed++;
}

bool virtq_is_running(const struct virtq *queue)
{
	return queue->running;
}

bool virtq_has_available(const struct virtq *queue)
{
	return queue->popped != queue->count;
}

bool virtq_enable_notifications(struct virtq *queue)
{
	queue->notifications = true;
	return virtq_has_available(queue);
}

void virtq_disable_notifications(struct virtq *queue)
{
	queue->notifications = false;
}

/* --- The core and the I/O thread --- */

int virtio_device_init(struct virtio_device *device, struct err *err)
{
	(void)err;
	for (unsigned int i = 0; i < device->queue_count; i++) {
		fuzz_queues[i] = (struct virtq){.running = true};
		device->queues[i].run = &fuzz_queues[i];
		device->queues[i].config.size = FUZZ_CHAINS_MAX;
	}
	atomic_store(&device->active, true);
	fuzz_broken = false;
	return 0;
}

void virtio_device_reset(struct virtio_device *device)
{
	device->ops->quiesce(device, VIRTIO_QUEUES_MAX);
}

/* Everything that was popped has been pushed. */
void virtio_device_quiesced(struct virtio_device *device, unsigned int queue)
{
	(void)queue;
	for (unsigned int i = 0; i < device->queue_count; i++) {
		fuzz_require(fuzz_queues[i].pushed == fuzz_queues[i].popped);
		fuzz_queues[i].running = false;
	}
}

void virtio_device_fini(struct virtio_device *device)
{
	for (unsigned int i = 0; i < device->queue_count; i++)
		for (unsigned int j = 0; j < fuzz_queues[i].count; j++)
			for (unsigned int k = 0; k < FUZZ_SPANS_MAX; k++) {
				free(fuzz_queues[i].chains[j].spans[0][k].host);
				free(fuzz_queues[i].chains[j].spans[1][k].host);
			}
}

/* No fuzzed device hands a queue over. */
void virtio_device_take_queue(struct virtio_device *device, unsigned int queue, uint16_t position)
{
	(void)device;
	(void)queue;
	(void)position;
	fuzz_require(false);
}

int virtio_device_used_buffer_fd(struct virtio_device *device, unsigned int queue)
{
	(void)device;
	(void)queue;
	return -1;
}

void virtio_device_notify_driver(struct virtio_device *device, unsigned int queue)
{
	(void)device;
	(void)queue;
	fuzz_require(false);
}

void virtio_device_flush_queue(struct virtio_device *device, unsigned int queue)
{
	(void)device;
	(void)queue;
}

void virtio_device_break(struct virtio_device *device, unsigned int queue, const char *why)
{
	(void)queue;
	fuzz_require(why);
	atomic_store(&device->broken, true);
	fuzz_broken = true;
}

void virtio_device_notify(struct virtio_device *device, unsigned int queue)
{
	(void)device;
	(void)queue;
}

void virtio_device_change_config(struct virtio_device *device,
	void (*change)(struct virtio_device *device, void *context), void *context)
{
	change(device, context);
}

void io_thread_call(struct io_thread *thread, void (*function)(void *context), void *context)
{
	(void)thread;
	function(context);
}

int io_thread_post(struct io_thread *thread, void (*function)(void *context), void *context)
{
	(void)thread;
	(void)function;
	(void)context;
	return -EAGAIN;
}

int io_event_attach(struct io_thread *thread, struct io_event *event)
{
	(void)thread;
	(void)event;
	return 0;
}

void io_event_detach(struct io_thread *thread, struct io_event *event)
{
	(void)thread;
	(void)event;
}

bool io_thread_is_current(const struct io_thread *thread)
{
	return thread == &fuzz_thread;
}

void io_timer_arm(struct io_thread *thread, struct io_timer *timer, uint64_t deadline_ns)
{
	(void)thread;
	timer->deadline_ns = deadline_ns;
}

void io_timer_cancel(struct io_thread *thread, struct io_timer *timer)
{
	(void)thread;
	timer->deadline_ns = 0;
}

static inline void fuzz_expire(struct io_timer *timer)
{
	if (!timer->deadline_ns)
		return;
	timer->deadline_ns = 0;
	timer->expired(timer);
}
