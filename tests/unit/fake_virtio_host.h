/*
 * What a virtio device stands on, faked on one thread: queues are lists of buffers that the test
 * offers and gets back, messages and timers of the I/O thread wait until the test runs them. To be
 * included by one source of a program; it takes the place of the virtio core and the I/O thread.
 */
#pragma once

#include "chain.h"
#include "cmocka_all.h"
#include "io_thread.h"
#include "virtio_device.h"
#include "virtq.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FAKE_CHAINS_MAX 8192
#define FAKE_POSTS_MAX  64

struct fake_chain {
	struct chain chain;
	uint8_t *readable;
	uint8_t *writable;
};

struct virtq {
	bool running;
	bool corrupt;
	bool notifications;
	struct fake_chain *available[FAKE_CHAINS_MAX];
	unsigned int available_count, popped_count;
	struct fake_chain *used[FAKE_CHAINS_MAX];
	unsigned int pushed_count, flushed_count, taken_count;
};

struct io_thread {
	struct {
		void (*function)(void *context);
		void *context;
	} posts[FAKE_POSTS_MAX];
	unsigned int post_count;
	unsigned int room; /* posts that are still accepted */
	struct io_timer *timer;
	unsigned int timer_arms;
	unsigned int broken;
	unsigned int quiesced;
	unsigned int config_changes;
	unsigned int interrupts;
};

/* --- The core, as devices call it. --- */

int virtq_pop(struct virtq *queue, struct chain **ret_chain)
{
	if (queue->corrupt)
		return -EPROTO;
	if (queue->popped_count == queue->available_count)
		return 0;
	*ret_chain = &queue->available[queue->popped_count++]->chain;
	return 1;
}

void virtq_push(struct virtq *queue, struct chain *chain)
{
	assert_true(queue->pushed_count < queue->popped_count);
	queue->used[queue->pushed_count++] = container_of(chain, struct fake_chain, chain);
}

bool virtq_is_running(const struct virtq *queue)
{
	return queue->running;
}

bool virtq_has_available(const struct virtq *queue)
{
	return queue->popped_count != queue->available_count;
}

bool virtq_enable_notifications(struct virtq *queue)
{
	queue->notifications = true;
	return queue->popped_count != queue->available_count;
}

void virtq_disable_notifications(struct virtq *queue)
{
	queue->notifications = false;
}

int chain_read(struct chain *chain, void *buffer, uint32_t length)
{
	struct fake_chain *fake = container_of(chain, struct fake_chain, chain);

	if (length > chain->reader.left_bytes)
		return -ENODATA;
	memcpy(buffer, fake->readable + chain->readable_bytes - chain->reader.left_bytes, length);
	chain->reader.left_bytes -= length;
	return 0;
}

int chain_write(struct chain *chain, const void *buffer, uint32_t length)
{
	struct fake_chain *fake = container_of(chain, struct fake_chain, chain);

	if (length > chain->writer.left_bytes)
		return -ENODATA;
	memcpy(fake->writable + chain->writable_bytes - chain->writer.left_bytes, buffer, length);
	chain->writer.left_bytes -= length;
	chain->written_bytes += length;
	return 0;
}

int virtio_device_init(struct virtio_device *device, struct err *err)
{
	(void)err;
	for (unsigned int i = 0; i < device->queue_count; i++) {
		device->queues[i].run = calloc(1, sizeof(struct virtq));
		assert_non_null(device->queues[i].run);
	}
	return 0;
}

static void fake_free_chain(struct fake_chain *fake)
{
	free(fake->readable);
	free(fake->writable);
	free(fake);
}

void virtio_device_fini(struct virtio_device *device)
{
	for (unsigned int i = 0; i < device->queue_count; i++) {
		struct virtq *queue = device->queues[i].run;

		for (unsigned int j = 0; j < queue->available_count; j++)
			fake_free_chain(queue->available[j]);
		free(queue);
	}
}

void virtio_device_flush_queue(struct virtio_device *device, unsigned int queue)
{
	struct virtq *run = device->queues[queue].run;

	device->io_thread->interrupts += run->flushed_count != run->pushed_count;
	run->flushed_count = run->pushed_count;
}

void virtio_device_break(struct virtio_device *device, unsigned int queue, const char *why)
{
	(void)queue;
	assert_non_null(why);
	device->io_thread->broken++;
	atomic_store(&device->broken, true);
}

void virtio_device_quiesced(struct virtio_device *device, unsigned int queue)
{
	for (unsigned int i = 0; i < device->queue_count; i++) {
		struct virtq *run = device->queues[i].run;

		if (queue != VIRTIO_QUEUES_MAX && queue != i)
			continue;
		assert_int_equal(run->popped_count, run->flushed_count);
		run->running = false;
	}
	device->io_thread->quiesced++;
}

void virtio_device_change_config(struct virtio_device *device,
	void (*change)(struct virtio_device *device, void *context), void *context)
{
	change(device, context);
	device->io_thread->config_changes++;
}

int io_thread_post(struct io_thread *thread, void (*function)(void *context), void *context)
{
	if (!thread->room || thread->post_count == FAKE_POSTS_MAX)
		return -EAGAIN;
	thread->room--;
	thread->posts[thread->post_count].function = function;
	thread->posts[thread->post_count++].context = context;
	return 0;
}

static void fake_run_posts(struct io_thread *thread)
{
	for (unsigned int i = 0; i < thread->post_count; i++)
		thread->posts[i].function(thread->posts[i].context);
	thread->post_count = 0;
}

void io_thread_call(struct io_thread *thread, void (*function)(void *context), void *context)
{
	fake_run_posts(thread);
	function(context);
}

void io_timer_arm(struct io_thread *thread, struct io_timer *timer, uint64_t deadline_ns)
{
	assert_null(thread->timer);
	timer->deadline_ns = deadline_ns;
	thread->timer = timer;
	thread->timer_arms++;
}

void io_timer_cancel(struct io_thread *thread, struct io_timer *timer)
{
	if (timer->deadline_ns) {
		assert_ptr_equal(thread->timer, timer);
		thread->timer = NULL;
		timer->deadline_ns = 0;
	}
}

/* --- The test's side. --- */

static inline void fake_expire(struct io_thread *thread)
{
	struct io_timer *timer = thread->timer;

	assert_non_null(timer);
	thread->timer = NULL;
	timer->deadline_ns = 0;
	timer->expired(timer);
}

/* Everything that is due, until nothing is. */
static inline void fake_settle(struct io_thread *thread)
{
	while (thread->post_count || thread->timer) {
		fake_run_posts(thread);
		if (thread->timer)
			fake_expire(thread);
	}
}

static inline struct virtq *fake_queue(struct virtio_device *device, unsigned int queue)
{
	assert_true(queue < device->queue_count);
	return device->queues[queue].run;
}

/* Makes a buffer available; the device is not told. */
static inline void fake_offer(struct virtio_device *device, unsigned int queue,
	const void *readable, size_t readable_bytes, size_t writable_bytes)
{
	struct virtq *run = fake_queue(device, queue);
	struct fake_chain *fake = calloc(1, sizeof(*fake));

	assert_non_null(fake);
	assert_true(run->available_count < FAKE_CHAINS_MAX);
	/* Exactly as large as they are, for the sanitizer. */
	fake->readable = malloc(readable_bytes);
	fake->writable = malloc(writable_bytes);
	if (readable_bytes)
		memcpy(fake->readable, readable, readable_bytes);
	fake->chain.readable_bytes = fake->chain.reader.left_bytes = readable_bytes;
	fake->chain.writable_bytes = fake->chain.writer.left_bytes = writable_bytes;
	run->available[run->available_count++] = fake;
}

static inline void fake_notify(struct virtio_device *device, unsigned int queue)
{
	device->ops->queue_notify(device, queue);
}

/* Used buffers that the driver has not looked at yet. */
static inline unsigned int fake_used_count(struct virtio_device *device, unsigned int queue)
{
	const struct virtq *run = fake_queue(device, queue);

	return run->flushed_count - run->taken_count;
}

/* The next used buffer; it stays the device's. */
static inline const struct fake_chain *fake_take(struct virtio_device *device, unsigned int queue)
{
	struct virtq *run = fake_queue(device, queue);

	assert_true(run->taken_count < run->flushed_count);
	return run->used[run->taken_count++];
}

static inline void fake_activate(struct virtio_device *device, uint64_t features)
{
	device->accepted_features = features;
	atomic_store(&device->broken, false);
	for (unsigned int i = 0; i < device->queue_count; i++)
		fake_queue(device, i)->running = true;
	if (device->ops->activate)
		assert_int_equal(device->ops->activate(device), 0);
}

/* As the driver sees it: nothing of what it had offered is touched again. */
static inline void fake_reset(struct virtio_device *device)
{
	unsigned int before = device->io_thread->quiesced;

	device->ops->quiesce(device, VIRTIO_QUEUES_MAX);
	assert_int_equal(device->io_thread->quiesced, before + 1);
	for (unsigned int i = 0; i < device->queue_count; i++) {
		struct virtq *run = fake_queue(device, i);

		for (unsigned int j = 0; j < run->available_count; j++)
			fake_free_chain(run->available[j]);
		*run = (struct virtq){0};
	}
}
