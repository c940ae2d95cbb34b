/*
 * A network device (see fuzz_device.h) whose backend says what the input says. Included once a
 * program.
 */
#pragma once

#include "fuzz_device.h"
#include "net_internal.h"
#include "net_iov.h"

#define FUZZ_PAIRS 2

_Static_assert(2 * FUZZ_PAIRS + 1 <= FUZZ_QUEUES, "there are queues for them");

/* --- The backend --- */

static struct net fuzz_backend;
/* By each target. */
static ssize_t fuzz_receive(struct iovec *iov, unsigned int iov_count);
static int fuzz_send(struct iovec *iov, unsigned int iov_count);
static uint64_t fuzz_limit(void);

ssize_t net_receive(struct net *net, unsigned int pair, struct iovec *iov, unsigned int iov_count)
{
	fuzz_require(net == &fuzz_backend && pair < FUZZ_PAIRS && iov_count <= 1024);
	return fuzz_receive(iov, iov_count);
}

int net_send(struct net *net, unsigned int pair, struct iovec *iov, unsigned int iov_count)
{
	fuzz_require(net == &fuzz_backend && pair < FUZZ_PAIRS && iov_count <= 1024);
	return fuzz_send(iov, iov_count);
}

uint64_t net_limit_ns(struct net *net, enum net_direction direction)
{
	(void)net;
	(void)direction;
	return fuzz_limit();
}

void net_wait(struct net *net, unsigned int pair, enum net_direction direction)
{
	fuzz_require(net == &fuzz_backend && pair < FUZZ_PAIRS && direction < NET_DIRECTIONS);
}

void net_again(struct net *net, unsigned int pair, enum net_direction direction)
{
	net_wait(net, pair, direction);
}

void net_stop_waiting(struct net *net, unsigned int pair, enum net_direction direction)
{
	net_wait(net, pair, direction);
}

void net_look_at_link(struct net *net)
{
	(void)net;
}

int net_set_offloads(struct net *net, unsigned int offloads)
{
	fuzz_require(net == &fuzz_backend && offloads < 64);
	fuzz_require(!offloads || (offloads & NET_OFFLOAD_CSUM));
	return 0;
}

int net_set_pairs(struct net *net, unsigned int count)
{
	fuzz_require(net == &fuzz_backend && count >= 1 && count <= FUZZ_PAIRS);
	return 0;
}

int net_attach(struct net *net, struct io_thread *const *threads, const struct net_events *events,
	struct err *err)
{
	(void)threads;
	(void)err;
	net->events = *events;
	return 0;
}

void net_detach(struct net *net)
{
	(void)net;
}

/* --- The device --- */

static const uint8_t fuzz_mac[6] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};

/* Live, with the features of the mask among those offered. */
static inline struct virtio_net *fuzz_start(uint64_t mask, bool antispoof)
{
	struct io_thread *thread = &fuzz_thread;
	struct virtio_net_options options = {
		.name = "NIC",
		.antispoof = antispoof,
		.backend = &fuzz_backend,
		.io_threads = &thread,
		.io_thread_count = 1,
	};
	struct virtio_net *net = NULL;
	int r;

	fuzz_backend = (struct net){.has_vnet_header = true,
		.receive_offloads = 63,
		.send_offloads = 63,
		.pair_count = FUZZ_PAIRS};
	atomic_init(&fuzz_backend.link_up, true);
	memcpy(options.mac, fuzz_mac, sizeof(fuzz_mac));
	r = virtio_net_create(&options, &net, NULL);
	fuzz_require(r == 0);
	net->device.accepted_features = net->device.offered_features & mask;
	r = net->device.ops->activate(&net->device);
	fuzz_require(r == 0);
	return net;
}
