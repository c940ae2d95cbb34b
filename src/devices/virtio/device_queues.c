/*
 * The queues of a virtio device: their configuration while the driver sets them up (VIRTIO 1.2
 * 3.1.1 step 7, 4.1.5.1.3), and their way to the I/O thread and back (2.6.1 for one alone).
 *
 * Handing over is a call on each I/O thread that has queues of the device. Taking back is a call
 * that asks the device to come to rest there, and a wait for its answer; completions run on the I/O
 * thread in between, without any lock that the waiting thread holds. See virtio_device.h.
 */
#include "device_private.h"
#include "fd.h"

#include <assert.h>
#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* A queue on its way to the I/O thread or back. */
struct queue_call {
	struct virtio_device *device;
	unsigned int queue;
};

/* --- On the I/O thread. --- */

static void notify_device(struct virtio_device *device, unsigned int queue)
{
	if (!atomic_load(&device->broken) && virtq_is_running(device->queues[queue].run) &&
		device->ops->queue_notify)
		device->ops->queue_notify(device, queue);
}

static void queue_event_ready(struct io_event *event)
{
	struct virtio_device *device = event->owner;
	struct virtio_queue *queue = container_of(event, struct virtio_queue, event);

	notify_device(device, (unsigned int)(queue - device->queues));
}

/* --- What its thread looks at while the queue's notifications are off. --- */

static bool queue_look(struct io_poller *poller)
{
	struct virtio_queue *queue = poller->owner;

	return !atomic_load(&queue->device->broken) && virtq_has_available(queue->run);
}

static void queue_found(struct io_poller *poller)
{
	struct virtio_queue *queue = poller->owner;

	notify_device(queue->device, (unsigned int)(queue - queue->device->queues));
}

static bool queue_rest(struct io_poller *poller)
{
	struct virtio_queue *queue = poller->owner;

	return virtq_enable_notifications(queue->run) && !atomic_load(&queue->device->broken);
}

bool virtio_device_rest_queue(struct virtio_device *device, unsigned int index)
{
	struct virtio_queue *queue = &device->queues[index];

	if (io_poller_wake(queue->io_thread, &queue->poller))
		return false;
	return virtq_enable_notifications(queue->run);
}

static struct virtq_features ring_features(const struct virtio_device *device)
{
	bool packed = virtio_device_accepted(device, VIRTIO_F_RING_PACKED);

	return (struct virtq_features){
		.format = packed ? VIRTQ_PACKED : VIRTQ_SPLIT,
		.indirect = virtio_device_accepted(device, VIRTIO_F_INDIRECT_DESC),
		.event_idx = virtio_device_accepted(device, VIRTIO_F_EVENT_IDX),
		.in_order = virtio_device_accepted(device, VIRTIO_F_IN_ORDER),
	};
}

static void watch_queue(struct virtio_device *device, unsigned int index)
{
	struct virtio_queue *queue = &device->queues[index];

	queue->event = (struct io_event){
		.fd = queue->notify_fd, .ready = queue_event_ready, .owner = device};
	queue->poller = (struct io_poller){
		.look = queue_look, .ready = queue_found, .rest = queue_rest, .owner = queue};
	if (io_event_attach(queue->io_thread, &queue->event) < 0)
		virtio_device_break(device, index, "its notifications cannot be watched");
	else
		queue->attached = true;
}

static void start_queue(struct virtio_device *device, unsigned int index)
{
	struct virtio_queue *queue = &device->queues[index];
	struct virtq_features features = ring_features(device);

	if (device->ops->hand_over && device->ops->hand_over(device, index))
		return;
	virtq_start(queue->run, &queue->config, &features);
	watch_queue(device, index);
}

void virtio_device_take_queue(struct virtio_device *device, unsigned int index, uint16_t position)
{
	struct virtio_queue *queue = &device->queues[index];
	struct virtq_features features = ring_features(device);
	const struct virtq_position at = {.next_available = position, .next_used = position};

	virtq_start_at(queue->run, &queue->config, &features, &at);
	watch_queue(device, index);
	virtio_device_notify_driver(device, index);
	notify_device(device, index);
}

static bool is_ours(const struct virtio_device *device, unsigned int queue)
{
	return io_thread_is_current(device->queues[queue].io_thread);
}

static void activate_on_io(void *context)
{
	struct virtio_device *device = context;

	for (unsigned int i = 0; i < device->queue_count; i++)
		if (is_ours(device, i) && device->queues[i].config.enabled)
			start_queue(device, i);
	if (io_thread_is_current(device->io_thread) && device->ops->activate &&
		device->ops->activate(device) < 0)
		virtio_device_break(device, VIRTIO_QUEUES_MAX, "it could not be activated");
	/* Buffers may have been made available before anybody watched. */
	for (unsigned int i = 0; i < device->queue_count; i++)
		if (is_ours(device, i))
			notify_device(device, i);
}

static void start_one_on_io(void *context)
{
	const struct queue_call *call = context;

	start_queue(call->device, call->queue);
	notify_device(call->device, call->queue);
}

static bool is_concerned(const struct virtio_device *device, unsigned int asked, unsigned int queue)
{
	return asked == queue || (asked == VIRTIO_QUEUES_MAX && is_ours(device, queue));
}

static void quiesce_on_io(void *context)
{
	const struct queue_call *call = context;
	struct virtio_device *device = call->device;

	for (unsigned int i = 0; i < device->queue_count; i++) {
		struct virtio_queue *queue = &device->queues[i];

		if (is_concerned(device, call->queue, i) && queue->attached) {
			io_poller_stop(queue->io_thread, &queue->poller);
			io_event_detach(queue->io_thread, &queue->event);
			queue->attached = false;
		}
	}
	device->quiescing = call->queue;
	if (device->ops->quiesce)
		device->ops->quiesce(device, call->queue);
	else
		virtio_device_quiesced(device, call->queue);
}

void virtio_device_quiesced(struct virtio_device *device, unsigned int queue)
{
	assert(device->quiescing == queue); /* answered without having been asked, or twice */
	for (unsigned int i = 0; i < device->queue_count; i++) {
		struct virtq *run = device->queues[i].run;

		if (!is_concerned(device, queue, i) || !virtq_is_running(run))
			continue;
		assert(virtq_outstanding(run) == 0);
		virtq_stop(run);
	}
	device->quiescing = VIRTIO_QUIESCING_NONE;
	(void)pthread_mutex_lock(&device->quiesce_lock);
	device->quiesced = true;
	(void)pthread_cond_signal(&device->quiesce_done);
	(void)pthread_mutex_unlock(&device->quiesce_lock);
}

void virtio_device_flush_queue(struct virtio_device *device, unsigned int queue)
{
	if (virtq_flush(device->queues[queue].run))
		virtio_device_notify_driver(device, queue);
}

void virtio_device_notify_driver(struct virtio_device *device, unsigned int queue)
{
	if (device->notifier.used_buffer)
		device->notifier.used_buffer(device->notifier.transport, queue);
}

int virtio_device_used_buffer_fd(struct virtio_device *device, unsigned int queue)
{
	if (!device->notifier.used_buffer_fd)
		return -1;
	return device->notifier.used_buffer_fd(device->notifier.transport, queue);
}

/* --- With the device lock held. --- */

/* Calls the function on every thread that has queues of the device, the device's own first. */
static void for_each_thread(struct virtio_device *device,
	void (*function)(struct virtio_device *device, struct io_thread *thread))
{
	function(device, device->io_thread);
	for (unsigned int i = 0; i < device->queue_count; i++) {
		struct io_thread *thread = device->queues[i].io_thread;
		bool is_new = thread != device->io_thread;

		for (unsigned int j = 0; is_new && j < i; j++)
			is_new = device->queues[j].io_thread != thread;
		if (is_new)
			function(device, thread);
	}
}

/* OWNER: the run half of the queue, or of all that the thread has, comes back. */
static void take_back(struct virtio_device *device, unsigned int queue, struct io_thread *thread)
{
	struct queue_call call = {.device = device, .queue = queue};

	(void)pthread_mutex_lock(&device->quiesce_lock);
	device->quiesced = false;
	(void)pthread_mutex_unlock(&device->quiesce_lock);
	io_thread_call(thread, quiesce_on_io, &call);
	(void)pthread_mutex_lock(&device->quiesce_lock);
	while (!device->quiesced)
		(void)pthread_cond_wait(&device->quiesce_done, &device->quiesce_lock);
	(void)pthread_mutex_unlock(&device->quiesce_lock);
}

static void take_all_back(struct virtio_device *device, struct io_thread *thread)
{
	take_back(device, VIRTIO_QUEUES_MAX, thread);
}

/* OWNER: the run half of its enabled queues goes to the thread. */
static void activate(struct virtio_device *device, struct io_thread *thread)
{
	io_thread_call(thread, activate_on_io, device);
}

void virtio_queues_activate(struct virtio_device *device)
{
	atomic_store(&device->active, true);
	for_each_thread(device, activate);
}

void virtio_queues_quiesce(struct virtio_device *device)
{
	if (!atomic_load(&device->active))
		return;
	for_each_thread(device, take_all_back);
	atomic_store(&device->active, false);
}

static void reset_config(struct virtio_queue *queue)
{
	uint16_t size_max = queue->config.size_max;

	queue->config = (struct virtq_config){.size_max = size_max, .size = size_max};
}

void virtio_queues_reset(struct virtio_device *device)
{
	for (unsigned int i = 0; i < device->queue_count; i++) {
		reset_config(&device->queues[i]);
		device->queues[i].was_reset = false;
	}
}

/* VIRTIO 1.2 3.1.1: queues are set up between FEATURES_OK and DRIVER_OK; 2.6.1.2: or again after
 * they were reset. Once enabled they stay as they are. */
static struct virtio_queue *find_configurable(struct virtio_device *device, unsigned int index)
{
	struct virtio_queue *queue;

	if (index >= device->queue_count || !(device->status & VIRTIO_STATUS_FEATURES_OK) ||
		(device->status & VIRTIO_STATUS_FAILED))
		return NULL;
	queue = &device->queues[index];
	if (queue->config.enabled ||
		((device->status & VIRTIO_STATUS_DRIVER_OK) && !queue->was_reset))
		return NULL;
	return queue;
}

static void enable(struct virtio_device *device, unsigned int index)
{
	struct virtio_queue *queue = find_configurable(device, index);
	struct virtq_features features = ring_features(device);
	struct queue_call call = {.device = device, .queue = index};

	if (!queue)
		return;
	if (virtq_config_check(&queue->config, device->gmem, &features) < 0) {
		virtio_device_break(
			device, index, "its queue was enabled with a bad size or address");
		return;
	}
	queue->config.enabled = true;
	if (atomic_load(&device->active))
		io_thread_call(queue->io_thread, start_one_on_io, &call);
}

static void disable(struct virtio_device *device, unsigned int index)
{
	struct virtio_queue *queue = &device->queues[index];

	if (!queue->config.enabled)
		return;
	if (atomic_load(&device->active))
		take_back(device, index, queue->io_thread);
	queue->config.enabled = false;
}

/* --- For transports. --- */

struct virtq_config virtio_device_queue(struct virtio_device *device, unsigned int queue)
{
	struct virtq_config config = {0};

	(void)pthread_mutex_lock(&device->lock);
	if (queue < device->queue_count)
		config = device->queues[queue].config;
	(void)pthread_mutex_unlock(&device->lock);
	return config;
}

void virtio_device_set_queue_size(struct virtio_device *device, unsigned int queue, uint16_t size)
{
	struct virtio_queue *target;

	(void)pthread_mutex_lock(&device->lock);
	target = find_configurable(device, queue);
	if (target)
		target->config.size = size;
	(void)pthread_mutex_unlock(&device->lock);
}

void virtio_device_set_queue_area(struct virtio_device *device, unsigned int queue,
	enum virtio_queue_area area, bool high, uint32_t value)
{
	unsigned int shift = high ? 32 : 0;
	struct virtio_queue *target;

	(void)pthread_mutex_lock(&device->lock);
	target = find_configurable(device, queue);
	if (target) {
		uint64_t *address = area == VIRTIO_QUEUE_DESCRIPTOR
		                            ? &target->config.descriptor_area
		                    : area == VIRTIO_QUEUE_DRIVER ? &target->config.driver_area
		                                                  : &target->config.device_area;

		*address &= ~((uint64_t)UINT32_MAX << shift);
		*address |= (uint64_t)value << shift;
	}
	(void)pthread_mutex_unlock(&device->lock);
}

void virtio_device_enable_queue(struct virtio_device *device, unsigned int queue)
{
	if (queue >= device->queue_count)
		return;
	(void)pthread_mutex_lock(&device->lock);
	enable(device, queue);
	(void)pthread_mutex_unlock(&device->lock);
}

void virtio_device_disable_queue(struct virtio_device *device, unsigned int queue)
{
	if (queue >= device->queue_count)
		return;
	(void)pthread_mutex_lock(&device->lock);
	disable(device, queue);
	(void)pthread_mutex_unlock(&device->lock);
}

bool virtio_device_reset_queue(struct virtio_device *device, unsigned int queue)
{
	bool is_allowed;

	if (queue >= device->queue_count)
		return false;
	(void)pthread_mutex_lock(&device->lock);
	is_allowed = (device->status & VIRTIO_STATUS_FEATURES_OK) &&
	             virtio_device_accepted(device, VIRTIO_F_RING_RESET);
	if (is_allowed) {
		bool was_enabled = device->queues[queue].config.enabled;

		disable(device, queue);
		reset_config(&device->queues[queue]);
		device->queues[queue].was_reset |= was_enabled;
	}
	(void)pthread_mutex_unlock(&device->lock);
	return is_allowed;
}

void virtio_device_notifier_changed(struct virtio_device *device)
{
	(void)pthread_mutex_lock(&device->lock);
	if (device->ops->notifier_changed)
		device->ops->notifier_changed(device);
	(void)pthread_mutex_unlock(&device->lock);
}

void virtio_device_notify(struct virtio_device *device, unsigned int queue)
{
	static const uint64_t one = 1;

	/* A full counter refuses: then the I/O thread has not seen it yet and will. */
	if (queue < device->queue_count && atomic_load(&device->active) &&
		write(device->queues[queue].notify_fd, &one, sizeof(one)) < 0)
		return;
}

static int init_queue(struct virtio_device *device, struct virtio_queue *queue, struct err *err)
{
	int r;

	if (!queue->config.size_max)
		queue->config.size_max = device->queue_size_max;
	if (!queue->segments_max)
		queue->segments_max = queue->config.size_max;
	if (!queue->io_thread)
		queue->io_thread = device->io_thread;
	queue->device = device;
	reset_config(queue);
	queue->notify_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (queue->notify_fd < 0)
		return err_set_errno(err, errno, "%s: no eventfd for a queue", device->name);
	r = virtq_create(device->gmem, queue->config.size_max, queue->segments_max, &queue->run);
	if (r < 0)
		return err_set_errno(
			err, -r, "%s: a queue of %u entries", device->name, queue->config.size_max);
	return 0;
}

int virtio_queues_init(struct virtio_device *device, struct err *err)
{
	int r = 0;

	assert(device->queue_count <= VIRTIO_QUEUES_MAX);
	for (unsigned int i = 0; i < VIRTIO_QUEUES_MAX; i++)
		device->queues[i].notify_fd = -1;
	for (unsigned int i = 0; r == 0 && i < device->queue_count; i++)
		r = init_queue(device, &device->queues[i], err);
	return r;
}

void virtio_queues_fini(struct virtio_device *device)
{
	for (unsigned int i = 0; i < device->queue_count; i++) {
		if (device->queues[i].run)
			virtq_destroy(device->queues[i].run);
		device->queues[i].run = NULL;
		fd_close(&device->queues[i].notify_fd);
	}
}
