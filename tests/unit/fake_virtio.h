/*
 * What a virtio device stands on, faked: guest RAM, queues that only count, an I/O thread that is
 * either the caller or a real thread, and a device whose requests stay in flight until told.
 *
 * Included once a program: it defines functions of io_thread.h and virtq.h.
 */
#pragma once

#include "virtio_device.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Transcribed from VIRTIO 1.2, not from our headers. */
#define S_ACKNOWLEDGE 0x01
#define S_DRIVER      0x02
#define S_DRIVER_OK   0x04
#define S_FEATURES_OK 0x08
#define S_NEEDS_RESET 0x40
#define S_FAILED      0x80

#define F_VERSION_1         (UINT64_C(1) << 32)
#define F_RING_RESET        (UINT64_C(1) << 40)
#define F_NOTIFICATION_DATA (UINT64_C(1) << 38)

/* --- Guest RAM. --- */

#define FAKE_RAM_BASE  UINT64_C(0x100000)
#define FAKE_RAM_BYTES 0x10000

static _Alignas(4096) uint8_t fake_ram[FAKE_RAM_BYTES];
static const struct gmem fake_gmem = {
	.regions = {{.base = {FAKE_RAM_BASE},
		.size_bytes = FAKE_RAM_BYTES,
		.host = fake_ram,
		.fd = -1}},
	.region_count = 1,
};

/* --- Queues that only count. --- */

struct virtq {
	bool running;
	unsigned int outstanding;
	unsigned int starts;
	bool pushed;
	bool available;     /* by the driver */
	unsigned int asked; /* for notifications */
	struct virtq_config config;
	struct virtq_features features;
};

int virtq_config_check(const struct virtq_config *config, const struct gmem *gmem,
	const struct virtq_features *features)
{
	(void)features;
	if (!config->size || config->size > config->size_max || (config->size & (config->size - 1)))
		return -EINVAL;
	if (config->descriptor_area % 16 || config->driver_area % 2 || config->device_area % 4)
		return -EINVAL;
	if (!gmem_contains(gmem, gpa_at(config->descriptor_area), 16U * config->size) ||
		!gmem_contains(gmem, gpa_at(config->driver_area), 6 + 2U * config->size) ||
		!gmem_contains(gmem, gpa_at(config->device_area), 6 + 8U * config->size))
		return -EINVAL;
	return 0;
}

int virtq_create(
	const struct gmem *gmem, uint16_t size_max, uint16_t segments_max, struct virtq **ret_queue)
{
	struct virtq *queue = calloc(1, sizeof(*queue));

	assert(gmem == &fake_gmem && size_max && segments_max);
	if (!queue)
		return -ENOMEM;
	*ret_queue = queue;
	return 0;
}

static inline bool fake_config_is(const struct virtq_config *a, const struct virtq_config *b)
{
	return a->size_max == b->size_max && a->size == b->size && a->enabled == b->enabled &&
	       a->descriptor_area == b->descriptor_area && a->driver_area == b->driver_area &&
	       a->device_area == b->device_area;
}

void virtq_destroy(struct virtq *queue)
{
	assert(!queue->running);
	free(queue);
}

void virtq_start(struct virtq *queue, const struct virtq_config *config,
	const struct virtq_features *features)
{
	assert(!queue->running && config->enabled);
	assert(virtq_config_check(config, &fake_gmem, features) == 0);
	queue->running = true;
	queue->starts++;
	queue->config = *config;
	queue->features = *features;
}

void virtq_start_at(struct virtq *queue, const struct virtq_config *config,
	const struct virtq_features *features, const struct virtq_position *position)
{
	assert(position->next_available == position->next_used);
	virtq_start(queue, config, features);
}

void virtq_stop(struct virtq *queue)
{
	assert(queue->running && !queue->outstanding);
	queue->running = false;
}

bool virtq_is_running(const struct virtq *queue)
{
	return queue->running;
}

unsigned int virtq_outstanding(const struct virtq *queue)
{
	return queue->outstanding;
}

bool virtq_has_available(const struct virtq *queue)
{
	assert(queue->running);
	return queue->available;
}

bool virtq_enable_notifications(struct virtq *queue)
{
	assert(queue->running);
	queue->asked++;
	return queue->available;
}

bool virtq_flush(struct virtq *queue)
{
	bool pushed = queue->pushed;

	assert(queue->running);
	queue->pushed = false;
	return pushed;
}

/* --- An I/O thread. --- */

struct io_thread {
	struct io_event *events[VIRTIO_QUEUES_MAX]; /* by the I/O thread */
	bool attach_fails;
	bool polls;
	struct io_poller *awake; /* the last that was woken */
	/* Of the real thread only: */
	bool threaded;
	pthread_t thread;
	pthread_mutex_t call_lock; /* one caller at a time */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int wake_fd;
	void (*function)(void *context); /* [lock] */
	void *context;                   /* [lock] */
	bool stopping;                   /* [lock] */
	void (*idle)(void);
};

static struct io_thread fake_io = {.call_lock = PTHREAD_MUTEX_INITIALIZER,
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.changed = PTHREAD_COND_INITIALIZER,
	.wake_fd = -1};

static inline void fake_wake(int fd)
{
	static const uint64_t one = 1;
	ssize_t written = write(fd, &one, sizeof(one));

	assert(written == sizeof(one));
}

void io_thread_call(struct io_thread *thread, void (*function)(void *context), void *context)
{
	if (!thread->threaded) {
		function(context);
		return;
	}
	pthread_mutex_lock(&thread->call_lock);
	pthread_mutex_lock(&thread->lock);
	thread->function = function;
	thread->context = context;
	fake_wake(thread->wake_fd);
	while (thread->function)
		pthread_cond_wait(&thread->changed, &thread->lock);
	pthread_mutex_unlock(&thread->lock);
	pthread_mutex_unlock(&thread->call_lock);
}

/* There is one thread, and nothing else calls the device's core. */
bool io_thread_is_current(const struct io_thread *thread)
{
	return thread == &fake_io;
}

bool io_poller_wake(struct io_thread *thread, struct io_poller *poller)
{
	if (!thread->polls)
		return false;
	poller->awake = true;
	thread->awake = poller;
	return true;
}

void io_poller_stop(struct io_thread *thread, struct io_poller *poller)
{
	if (thread->awake == poller)
		thread->awake = NULL;
	poller->awake = false;
}

int io_event_attach(struct io_thread *thread, struct io_event *event)
{
	if (thread->attach_fails)
		return -ENOMEM;
	for (size_t i = 0; i < array_size(thread->events); i++) {
		assert(thread->events[i] != event);
		if (!thread->events[i]) {
			thread->events[i] = event;
			return 0;
		}
	}
	return -ENOSPC;
}

void io_event_detach(struct io_thread *thread, struct io_event *event)
{
	for (size_t i = 0; i < array_size(thread->events); i++) {
		if (thread->events[i] == event) {
			thread->events[i] = NULL;
			return;
		}
	}
	assert(false); /* nobody detaches what is not attached */
}

static inline unsigned int fake_io_attached(void)
{
	unsigned int count = 0;

	for (size_t i = 0; i < array_size(fake_io.events); i++)
		count += fake_io.events[i] != NULL;
	return count;
}

/* Runs what is ready; gives how many were. */
static inline unsigned int fake_io_run(void)
{
	unsigned int ready = 0;
	uint64_t count;

	for (size_t i = 0; i < array_size(fake_io.events); i++) {
		struct io_event *event = fake_io.events[i];

		if (event && read(event->fd, &count, sizeof(count)) == sizeof(count)) {
			ready++;
			event->ready(event);
		}
	}
	return ready;
}

static inline void *fake_io_main(void *unused)
{
	bool stopping = false;

	(void)unused;
	while (!stopping) {
		struct pollfd wake = {.fd = fake_io.wake_fd, .events = POLLIN};
		uint64_t count;

		if (poll(&wake, 1, 1) > 0 &&
			read(fake_io.wake_fd, &count, sizeof(count)) == sizeof(count)) {
			pthread_mutex_lock(&fake_io.lock);
			stopping = fake_io.stopping;
			if (fake_io.function) {
				void (*function)(void *) = fake_io.function;
				void *context = fake_io.context;

				pthread_mutex_unlock(&fake_io.lock);
				function(context);
				pthread_mutex_lock(&fake_io.lock);
				fake_io.function = NULL;
				pthread_cond_broadcast(&fake_io.changed);
			}
			pthread_mutex_unlock(&fake_io.lock);
		}
		(void)fake_io_run();
		if (fake_io.idle)
			fake_io.idle();
	}
	return NULL;
}

static inline void fake_io_start(void (*idle)(void))
{
	int r;

	fake_io.idle = idle;
	fake_io.stopping = false;
	fake_io.wake_fd = eventfd(0, EFD_CLOEXEC);
	assert(fake_io.wake_fd >= 0);
	fake_io.threaded = true;
	r = pthread_create(&fake_io.thread, NULL, fake_io_main, NULL);
	assert(r == 0);
}

static inline void fake_io_stop(void)
{
	pthread_mutex_lock(&fake_io.lock);
	fake_io.stopping = true;
	pthread_mutex_unlock(&fake_io.lock);
	fake_wake(fake_io.wake_fd);
	(void)pthread_join(fake_io.thread, NULL);
	fake_io.threaded = false;
	(void)close(fake_io.wake_fd);
}

/* --- A device. --- */

#define FAKE_QUEUES       3
#define FAKE_QUEUE_SIZE   64
#define FAKE_CONFIG_BYTES 24
#define FAKE_FEATURES     UINT64_C(0x21)

struct fake_device {
	struct virtio_device device;
	uint8_t config[FAKE_CONFIG_BYTES];
	unsigned int activations, notifies[FAKE_QUEUES], faults, takes;
	unsigned int fault_queue;
	int activate_result;
	unsigned int quiesce_asked; /* VIRTIO_QUEUES_MAX + 1: not */
	unsigned int config_writes;
	unsigned int notifier_changes;
	bool hands_over; /* its queues, to nobody */
};

static struct fake_device fake_device;

static inline void fake_read_config(
	struct virtio_device *device, uint32_t offset, void *bytes, uint32_t size)
{
	(void)device;
	assert(offset < FAKE_CONFIG_BYTES && size && size <= FAKE_CONFIG_BYTES - offset);
	memcpy(bytes, fake_device.config + offset, size);
}

static inline void fake_write_config(
	struct virtio_device *device, uint32_t offset, const void *bytes, uint32_t size)
{
	(void)device;
	assert(offset < FAKE_CONFIG_BYTES && size && size <= FAKE_CONFIG_BYTES - offset);
	fake_device.config_writes++;
	memcpy(fake_device.config + offset, bytes, size);
}

static inline bool fake_hand_over(struct virtio_device *device, unsigned int queue)
{
	(void)device;
	(void)queue;
	return fake_device.hands_over;
}

static inline void fake_notifier_changed(struct virtio_device *device)
{
	(void)device;
	fake_device.notifier_changes++;
}

static inline int fake_activate(struct virtio_device *device)
{
	(void)device;
	fake_device.activations++;
	return fake_device.activate_result;
}

static inline void fake_queue_notify(struct virtio_device *device, unsigned int queue)
{
	assert(queue < FAKE_QUEUES && device->queues[queue].run->running);
	assert(fake_device.quiesce_asked != queue &&
		fake_device.quiesce_asked != VIRTIO_QUEUES_MAX);
	fake_device.notifies[queue]++;
	device->queues[queue].run->outstanding += fake_device.takes;
}

static inline bool fake_is_at_rest(unsigned int asked)
{
	for (unsigned int i = 0; i < FAKE_QUEUES; i++)
		if ((asked == VIRTIO_QUEUES_MAX || asked == i) &&
			fake_device.device.queues[i].run->outstanding)
			return false;
	return true;
}

static inline void fake_answer_quiesce(void)
{
	unsigned int asked = fake_device.quiesce_asked;

	if (asked > VIRTIO_QUEUES_MAX || !fake_is_at_rest(asked))
		return;
	fake_device.quiesce_asked = VIRTIO_QUEUES_MAX + 1;
	virtio_device_quiesced(&fake_device.device, asked);
}

static inline void fake_quiesce(struct virtio_device *device, unsigned int queue)
{
	(void)device;
	fake_device.quiesce_asked = queue;
	fake_answer_quiesce();
}

/* One request of each queue completes, on the I/O thread. */
static inline void fake_complete(void)
{
	for (unsigned int i = 0; i < FAKE_QUEUES; i++) {
		struct virtq *run = fake_device.device.queues[i].run;

		if (!run->outstanding)
			continue;
		run->outstanding--;
		run->pushed = true;
		virtio_device_flush_queue(&fake_device.device, i);
	}
	fake_answer_quiesce();
}

static inline void fake_broken(
	void *owner, const struct virtio_device *device, unsigned int queue, const char *why)
{
	assert(owner == &fake_device && device == &fake_device.device && why);
	fake_device.faults++;
	fake_device.fault_queue = queue;
}

static inline void fake_change_nothing(struct virtio_device *device, void *context)
{
	(void)device;
	(void)context;
}

static inline void fake_change_config(void)
{
	virtio_device_change_config(&fake_device.device, fake_change_nothing, NULL);
}

static const struct virtio_device_ops fake_device_ops = {
	.read_config = fake_read_config,
	.write_config = fake_write_config,
	.hand_over = fake_hand_over,
	.notifier_changed = fake_notifier_changed,
	.activate = fake_activate,
	.queue_notify = fake_queue_notify,
	.quiesce = fake_quiesce,
};

static inline void fake_device_init(void)
{
	int r;

	fake_device = (struct fake_device){
		.device = {.ops = &fake_device_ops,
			.name = "fake",
			.device_id = VIRTIO_ID_BLOCK,
			.offered_features = FAKE_FEATURES,
			.config_bytes = FAKE_CONFIG_BYTES,
			.queue_count = FAKE_QUEUES,
			.queue_size_max = FAKE_QUEUE_SIZE,
			.gmem = &fake_gmem,
			.io_thread = &fake_io,
			.fault_sink = {fake_broken, &fake_device}},
		.quiesce_asked = VIRTIO_QUEUES_MAX + 1,
	};
	for (unsigned int i = 0; i < FAKE_CONFIG_BYTES; i++)
		fake_device.config[i] = (uint8_t)(0x10 + i);
	r = virtio_device_init(&fake_device.device, NULL);
	assert(r == 0);
}

/* Where a driver would put the areas of a queue. */
static inline uint64_t fake_area(unsigned int queue, enum virtio_queue_area area)
{
	return FAKE_RAM_BASE + 0x3000 * queue + 0x1000 * (uint64_t)area;
}
