/*
 * A virtio network device (VIRTIO 1.2 5.1; segmentation of UDP as in 1.3) in front of a network of
 * the host's.
 *
 * Main thread, unless said otherwise. The machine gives virtio_net_device() to a transport.
 */
#pragma once

#include "compiler.h"
#include "err.h"
#include "net.h"
#include "virtio_device.h"

#include <stdbool.h>
#include <stdint.h>

struct virtio_net;

/* Told on an I/O thread. code: why, a negative errno. */
struct virtio_net_sink {
	void (*link_changed)(void *owner, bool up, int code);
	void (*capture_ended)(void *owner, int code);
	void *owner;
};

struct virtio_net_options {
	const char *name;        /* "NIC 0", for messages; copied */
	uint8_t mac[6];          /* unicast */
	unsigned int mtu;        /* that the driver is told; 0: the backend's */
	bool antispoof;          /* frames with another source address are dropped */
	struct net *backend;     /* borrowed; not attached to an I/O thread yet */
	const struct gmem *gmem; /* borrowed, as are the others */
	/* At least one: the pairs are dealt out over them, commands are the first one's. */
	struct io_thread *const *io_threads;
	unsigned int io_thread_count;
	struct virtio_fault_sink fault_sink;
	struct virtio_net_sink sink;
	uint64_t withheld_features;
};

must_check int virtio_net_create(
	const struct virtio_net_options *options, struct virtio_net **ret_net, struct err *err);

struct virtio_device *virtio_net_device(struct virtio_net *net);

/* Plugs the cable in or pulls it: without it the driver sees no link, whatever the backend's is,
 * and frames of both directions are dropped. It is plugged in at first; a reset changes nothing. */
void virtio_net_set_link(struct virtio_net *net, bool up);

/* Quiesces and detaches the backend. NULL is fine. The transport is gone already. */
void virtio_net_destroy(struct virtio_net *net);

/* Frames of one queue since the start, as the guest sees the directions; any thread. */
enum virtio_net_count {
	VIRTIO_NET_FRAMES,
	VIRTIO_NET_BYTES,    /* of those frames, headers of Ethernet included */
	VIRTIO_NET_FILTERED, /* dropped: the driver does not want it */
	VIRTIO_NET_NO_ROOM,  /* dropped: the driver's buffers cannot hold it */
	VIRTIO_NET_INVALID,  /* dropped: no frame, or a header that was not agreed on */
	VIRTIO_NET_REFUSED,  /* dropped: by the host */
	VIRTIO_NET_SPOOFED,  /* dropped: another's source address */
	VIRTIO_NET_NO_LINK,  /* dropped */
	VIRTIO_NET_COUNTS
};
uint64_t virtio_net_count(const struct virtio_net *net, unsigned int pair,
	enum net_direction direction, enum virtio_net_count count);
const char *virtio_net_count_name(enum virtio_net_count count);
