/*
 * The link as the driver sees it. VIRTIO 1.2 5.1.4, 5.1.6.5.4. See net_internal.h.
 *
 * A link that is there again may lead elsewhere, so the driver is asked to say where it is, but not
 * at once: Linux sends before it takes the link for up when it hears of both together, and so
 * nothing.
 */
#include "clock.h"
#include "net_internal.h"

#define ANNOUNCEMENT_NS (NANOSECONDS_PER_SECOND / 10)

static struct virtio_net *to_net(struct virtio_device *device)
{
	return container_of(device, struct virtio_net, device);
}

static bool is_up(const struct virtio_net *net)
{
	return net_is_plugged(net) && net_link_is_up(net->backend);
}

/* Judged under the lock: the backend and the user may both be changing it. */
static void change_status(struct virtio_device *device, void *context)
{
	struct virtio_net *net = to_net(device);
	bool was_up = atomic_load(&net->status) & VIRTIO_NET_S_LINK_UP;

	(void)context;
	if (is_up(net) == was_up)
		return;
	atomic_store(&net->status, was_up ? 0 : VIRTIO_NET_S_LINK_UP);
	atomic_store(&net->announces, !was_up);
}

void net_link_show(struct virtio_net *net)
{
	virtio_device_change_config(&net->device, change_status, NULL);
}

void virtio_net_set_link(struct virtio_net *net, bool up)
{
	if (atomic_exchange(&net->unplugged, !up) == !up)
		return;
	net_link_show(net);
	net_vhost_follow(net);
	net_restart(net); /* what waits is dropped, or goes on */
}

static void begin_announcement(struct virtio_device *device, void *context)
{
	(void)context;
	if (atomic_load(&to_net(device)->status) & VIRTIO_NET_S_LINK_UP)
		atomic_fetch_or(&to_net(device)->status, VIRTIO_NET_S_ANNOUNCE);
}

static void announcement_due(struct io_timer *timer)
{
	struct virtio_net *net = timer->owner;

	virtio_device_change_config(&net->device, begin_announcement, NULL);
}

void net_link_announce(struct virtio_net *net)
{
	if (atomic_exchange(&net->announces, false) &&
		net_accepted(net, VIRTIO_NET_F_GUEST_ANNOUNCE))
		io_timer_arm(net->device.io_thread, &net->announcement,
			clock_monotonic_ns() + ANNOUNCEMENT_NS);
}

static void end_announcement(struct virtio_device *device, void *context)
{
	(void)context;
	atomic_fetch_and(&to_net(device)->status, (uint16_t)~VIRTIO_NET_S_ANNOUNCE);
}

void net_link_announced(struct virtio_net *net)
{
	if (atomic_load(&net->status) & VIRTIO_NET_S_ANNOUNCE)
		virtio_device_change_config(&net->device, end_announcement, NULL);
}

void net_link_stop(struct virtio_net *net)
{
	io_timer_cancel(net->device.io_thread, &net->announcement);
	atomic_store(&net->announces, false);
}

void net_link_init(struct virtio_net *net)
{
	net->announcement = (struct io_timer){.expired = announcement_due, .owner = net};
	atomic_init(&net->status, net_link_is_up(net->backend) ? VIRTIO_NET_S_LINK_UP : 0);
}
