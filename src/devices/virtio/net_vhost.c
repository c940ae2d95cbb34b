/*
 * Queues of a tap whose frames the host's kernel moves: vhost-net reads the rings, Hull says when.
 * See net_internal.h and vhost.h.
 *
 * A queue is handed over when it starts and comes back when it stops. It runs in the kernel while
 * its pair is in use and the device is whole; which of these changes may be known on another
 * thread, so the decision is made under the pair's lock, by whoever changed something. A pair whose
 * link is lost, or that the kernel refuses, is taken back with its rings as they are: then Hull
 * drops what the guest sends, as it does for everybody.
 */
#include "clock.h"
#include "fd.h"
#include "net_internal.h"
#include "vhost.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define LOOK_NS NANOSECONDS_PER_SECOND

static unsigned int queue_of(const struct net_vhost *vhost, unsigned int direction)
{
	return direction == NET_SEND ? net_tx_queue(vhost->pair) : net_rx_queue(vhost->pair);
}

static int kernel_fd(const struct net_vhost *vhost)
{
	return vhost->net->backend->pairs[vhost->pair].vhost_fd;
}

/* Lock held. */
static void follow(struct net_vhost *vhost, unsigned int direction)
{
	struct net_vhost_queue *queue = &vhost->queues[direction];
	const bool runs = queue->is_set && vhost->is_used && !vhost->has_failed &&
	                  net_is_plugged(vhost->net) && !atomic_load(&vhost->net->device.broken);

	if (runs == queue->runs)
		return;
	if (!runs)
		vhost_net_stop(kernel_fd(vhost), direction);
	else if (vhost_net_run(kernel_fd(vhost), direction,
			 vhost->net->backend->pairs[vhost->pair].fd) < 0)
		vhost->has_failed = true; /* both directions: net_vhost_look takes them back */
	queue->runs = runs && !vhost->has_failed;
}

static void follow_both(struct net_vhost *vhost)
{
	(void)pthread_mutex_lock(&vhost->lock);
	for (unsigned int i = 0; i < NET_DIRECTIONS; i++)
		follow(vhost, i);
	(void)pthread_mutex_unlock(&vhost->lock);
}

void net_vhost_use(struct virtio_net *net, unsigned int first, unsigned int count, bool use)
{
	for (unsigned int i = first; net->vhost && i < count; i++) {
		(void)pthread_mutex_lock(&net->vhost[i].lock);
		net->vhost[i].is_used = use;
		(void)pthread_mutex_unlock(&net->vhost[i].lock);
		follow_both(&net->vhost[i]);
	}
}

void net_vhost_follow(struct virtio_net *net)
{
	for (unsigned int i = 0; net->vhost && i < net->pair_count; i++)
		follow_both(&net->vhost[i]);
}

/* --- A queue on its way to the kernel and back; the pair's I/O thread. --- */

static void driver_is_called(struct io_event *event)
{
	const struct net_vhost_queue *queue = event->owner;

	virtio_device_notify_driver(
		&queue->vhost->net->device, queue_of(queue->vhost, queue->direction));
}

static void rule_is_broken(struct io_event *event)
{
	const struct net_vhost_queue *queue = event->owner;
	struct virtio_net *net = queue->vhost->net;

	virtio_device_break(&net->device, queue_of(queue->vhost, queue->direction),
		"vhost-net cannot go on with it");
	net_vhost_follow(net);
}

static void unwatch(struct net_vhost_queue *queue)
{
	struct io_thread *thread = net_thread(queue->vhost->net, queue->vhost->pair);

	io_event_detach(thread, &queue->call);
	io_event_detach(thread, &queue->error);
}

/* What it was told for a driver before. */
static void drain(int fd)
{
	uint64_t count;

	if (read(fd, &count, sizeof(count)) < 0)
		return; /* nothing */
}

static int watch(struct net_vhost_queue *queue)
{
	struct io_thread *thread = net_thread(queue->vhost->net, queue->vhost->pair);
	int r;

	drain(queue->call_fd);
	drain(queue->error_fd);
	queue->call = (struct io_event){
		.fd = queue->call_fd, .ready = driver_is_called, .owner = queue};
	queue->error = (struct io_event){
		.fd = queue->error_fd, .ready = rule_is_broken, .owner = queue};
	r = io_event_attach(thread, &queue->call);
	if (r < 0)
		return r;
	r = io_event_attach(thread, &queue->error);
	if (r < 0)
		io_event_detach(thread, &queue->call);
	return r;
}

static bool has_any(const struct net_vhost *vhost)
{
	return vhost->queues[NET_RECEIVE].is_set || vhost->queues[NET_SEND].is_set;
}

/* The interrupt itself, where it can be had: a used buffer then costs Hull nothing. */
static int choose_notify(struct net_vhost *vhost, unsigned int direction)
{
	int fd = virtio_device_used_buffer_fd(&vhost->net->device, queue_of(vhost, direction));

	return fd >= 0 ? fd : vhost->queues[direction].call_fd;
}

void net_vhost_reconnect(struct virtio_net *net)
{
	for (unsigned int i = 0; net->vhost && i < 2 * net->pair_count; i++) {
		struct net_vhost *vhost = &net->vhost[i / 2];
		struct net_vhost_queue *queue = &vhost->queues[i % 2];
		const int fd = choose_notify(vhost, i % 2);
		bool is_other;

		(void)pthread_mutex_lock(&vhost->lock);
		is_other = queue->is_set && queue->notify_fd != fd;
		if (is_other && vhost_net_set_notify(kernel_fd(vhost), i % 2, fd) == 0)
			queue->notify_fd = fd;
		(void)pthread_mutex_unlock(&vhost->lock);
		/* What went the old way may not arrive. */
		if (is_other)
			virtio_device_notify_driver(&net->device, queue_of(vhost, i % 2));
	}
}

static int set_queue(struct net_vhost *vhost, unsigned int direction)
{
	struct virtio_device *device = &vhost->net->device;
	const struct virtio_queue *queue = &device->queues[queue_of(vhost, direction)];
	const struct vhost_queue config = {
		.size = queue->config.size,
		.descriptor_area = queue->config.descriptor_area,
		.driver_area = queue->config.driver_area,
		.device_area = queue->config.device_area,
		.doorbell_fd = queue->notify_fd,
		.notify_fd = choose_notify(vhost, direction),
		.error_fd = vhost->queues[direction].error_fd,
	};
	int r = 0;

	if (!has_any(vhost))
		r = vhost_net_set_up(kernel_fd(vhost), device->accepted_features, device->gmem);
	vhost->queues[direction].notify_fd = config.notify_fd;
	return r < 0 ? r : vhost_net_set_queue(kernel_fd(vhost), direction, &config, device->gmem);
}

static void look_later(struct virtio_net *net)
{
	io_timer_arm(net_thread(net, 0), &net->look_timer, clock_monotonic_ns() + LOOK_NS);
}

bool net_vhost_hand_over(struct virtio_net *net, unsigned int queue)
{
	struct net_vhost *vhost = &net->vhost[queue / 2];
	struct net_vhost_queue *ours = &vhost->queues[queue % 2];

	if (!net_link_is_up(net->backend) || set_queue(vhost, queue % 2) < 0 || watch(ours) < 0)
		return false;
	(void)pthread_mutex_lock(&vhost->lock);
	vhost->has_failed &= has_any(vhost);
	ours->is_set = true;
	(void)pthread_mutex_unlock(&vhost->lock);
	follow_both(vhost);
	if (vhost->pair == 0)
		look_later(net);
	return true;
}

/* False: it was not handed over. */
static bool stop(struct net_vhost *vhost, unsigned int direction)
{
	struct net_vhost_queue *queue = &vhost->queues[direction];

	if (!queue->is_set)
		return false;
	(void)pthread_mutex_lock(&vhost->lock);
	queue->is_set = false;
	follow(vhost, direction);
	(void)pthread_mutex_unlock(&vhost->lock);
	unwatch(queue);
	return true;
}

bool net_vhost_stop(struct virtio_net *net, unsigned int queue)
{
	struct net_vhost *vhost = &net->vhost[queue / 2];
	bool was_set = stop(vhost, queue % 2);

	if (vhost->pair == 0 && !has_any(vhost))
		io_timer_cancel(net_thread(net, 0), &net->look_timer);
	return was_set;
}

/* --- Links that are lost, and refusals. --- */

static void take_back(void *context)
{
	struct net_vhost *vhost = context;
	struct virtio_device *device = &vhost->net->device;

	for (unsigned int i = 0; i < NET_DIRECTIONS; i++) {
		const unsigned int queue = queue_of(vhost, i);
		uint16_t position;

		if (!stop(vhost, i) || atomic_load(&device->broken))
			continue;
		if (vhost_net_position(kernel_fd(vhost), i, &position) < 0)
			virtio_device_break(device, queue, "vhost-net does not give it back");
		else
			virtio_device_take_queue(device, queue, position);
	}
}

static bool is_to_be_taken_back(struct net_vhost *vhost)
{
	bool is_set, has_failed;

	(void)pthread_mutex_lock(&vhost->lock);
	is_set = has_any(vhost);
	has_failed = vhost->has_failed;
	(void)pthread_mutex_unlock(&vhost->lock);
	return is_set && (has_failed || !net_link_is_up(vhost->net->backend));
}

static void look(struct io_timer *timer)
{
	struct virtio_net *net = timer->owner;

	net_look_at_link(net->backend);
	look_later(net);
	for (unsigned int i = 0; i < net->pair_count; i++) {
		follow_both(&net->vhost[i]);
		if (is_to_be_taken_back(&net->vhost[i]))
			/* A mailbox that is full has room a second later. */
			(void)!io_thread_post(net_thread(net, i), take_back, &net->vhost[i]);
	}
}

/* --- Main thread --- */

static int open_queue(struct net_vhost *vhost, unsigned int direction)
{
	struct net_vhost_queue *queue = &vhost->queues[direction];

	queue->vhost = vhost;
	queue->direction = direction;
	queue->call_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	queue->error_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return queue->call_fd < 0 || queue->error_fd < 0 ? -errno : 0;
}

int net_vhost_init(struct virtio_net *net)
{
	int r = 0;

	net->look_timer = (struct io_timer){.expired = look, .owner = net};
	net->vhost = calloc(net->pair_count, sizeof(*net->vhost));
	if (!net->vhost)
		return -ENOMEM;
	for (unsigned int i = 0; i < net->pair_count; i++) {
		struct net_vhost *vhost = &net->vhost[i];

		vhost->net = net;
		vhost->pair = i;
		(void)pthread_mutex_init(&vhost->lock, NULL);
		for (unsigned int j = 0; j < NET_DIRECTIONS; j++)
			if (open_queue(vhost, j) < 0)
				r = -EMFILE;
	}
	return r;
}

void net_vhost_fini(struct virtio_net *net)
{
	for (unsigned int i = 0; net->vhost && i < net->pair_count; i++) {
		for (unsigned int j = 0; j < NET_DIRECTIONS; j++) {
			fd_close(&net->vhost[i].queues[j].call_fd);
			fd_close(&net->vhost[i].queues[j].error_fd);
		}
		(void)pthread_mutex_destroy(&net->vhost[i].lock);
	}
	free(net->vhost);
	net->vhost = NULL;
}
