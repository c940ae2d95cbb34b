/*
 * A network of the host's: Ethernet frames in both directions, between the buffers of whoever owns
 * it and an interface or a socket. Properties are data. Knows nothing of virtio but the header that
 * tap devices share with it: each frame has a virtio_net_hdr of 12 bytes in front (VIRTIO 1.2
 * 5.1.6). A backend that has none receives it as zeroes and ignores it when it sends.
 *
 * net_open to net_attach, net_detach and net_close on the main thread; in between each pair is the
 * I/O thread's that it was given to, and what concerns all of them is said to be any thread's.
 * Offloads and the number of pairs are set by one thread. Nothing is allocated after attach, and
 * nothing blocks: whatever cannot be done now is -EAGAIN. The program ignores SIGPIPE.
 *
 * The link is lost when an interface vanishes or a peer closes: the owner is told once. It may come
 * up again (a listening socket takes its next peer; networks of several pairs have none of that).
 */
#pragma once

#include "compiler.h"
#include "err.h"
#include "io_thread.h"
#include "rate_limit.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#define NET_VNET_HEADER_BYTES 12
#define NET_ETHERNET_BYTES    14
/* The longest frame without that header: what a segmentation offload can make of 64 KiB, with two
 * VLAN tags. */
#define NET_FRAME_MAX 65557
#define NET_PAIRS_MAX 16

enum net_offload {
	NET_OFFLOAD_CSUM = 1,
	NET_OFFLOAD_TSO4 = 2,
	NET_OFFLOAD_TSO6 = 4,
	NET_OFFLOAD_ECN = 8,
	NET_OFFLOAD_UFO = 16,
	NET_OFFLOAD_USO = 32,
};

/* As the guest sees it: it receives what the host sends. */
enum net_direction { NET_RECEIVE, NET_SEND, NET_DIRECTIONS };

enum net_kind { NET_TAP, NET_SOCKET };

struct net_options {
	enum net_kind kind;
	const char *path;      /* a tap's name (NULL: the kernel chooses), a socket's path */
	int fd;                /* taken over; -1: none */
	bool listen;           /* socket: wait for a peer instead of connecting to one */
	const char *peer;      /* socket: datagrams, to and from this path; NULL: a stream */
	const char *bridge;    /* tap: to be put into it; NULL: none */
	unsigned int mtu;      /* 0: as it is */
	unsigned int pairs;    /* queue pairs; 1 where there is but one */
	const char *pcap_path; /* NULL: none */
	struct rate_limit_options rates[NET_DIRECTIONS];
};

struct net;

struct net_events {
	/* What net_wait waited for may be possible now. */
	void (*ready)(void *owner, unsigned int pair, enum net_direction direction);
	/* code: why it was lost, a negative errno (-EPIPE: the peer closed it). Also from within
	 * net_receive and net_send. */
	void (*link_changed)(void *owner, bool up, int code);
	/* The capture has ended for an error of its file's, a negative errno. May be NULL. */
	void (*capture_ended)(void *owner, int code);
	void *owner;
};

struct net_ops {
	/* I/O thread; bytes of a whole frame with its header, -EAGAIN, or why the link is lost.
	 * iov is unchanged. A frame that does not fit is cut. */
	ssize_t (*receive)(
		struct net *net, unsigned int pair, struct iovec *iov, unsigned int iov_count);
	/* I/O thread; 0: all of it was taken, -EAGAIN: nothing, -EINVAL: refused for what it is,
	 * other: why the link is lost. iov[0] is the header, all of it; iov is unchanged
	 * afterwards. */
	int (*send)(struct net *net, unsigned int pair, struct iovec *iov, unsigned int iov_count);
	/* I/O thread: what the receiver takes, a subset of receive_offloads. May be NULL. */
	int (*set_offloads)(struct net *net, unsigned int offloads);
	/* I/O thread: so many pairs are in use. May be NULL. */
	int (*set_pairs)(struct net *net, unsigned int count);
	/* I/O thread of the first pair: attached; the link is lost (descriptors are not polled any
	 * more); about to be detached. Each may be NULL, and is where there are several pairs. */
	void (*started)(struct net *net);
	void (*lost)(struct net *net);
	void (*stopping)(struct net *net);
	/* Main thread. */
	void (*destroy)(struct net *net);
};

struct net_pair {
	struct net *net;
	struct io_thread *io_thread; /* [const] from attach */
	int fd;                      /* [io] owned; -1: none */
	int vhost_fd;                /* [const] owned; where has_vhost */
	struct io_poll polls[NET_DIRECTIONS];
	bool waiting[NET_DIRECTIONS];
	unsigned int changes[NET_DIRECTIONS]; /* of pairs, before the wait began */
	bool again[NET_DIRECTIONS];
	struct io_timer again_timer;
};

struct net {
	const struct net_ops *ops;
	/* [const] */
	char name[64];                 /* of what it is, for people: "tap 'tap0'" */
	bool has_vnet_header;          /* offloads exist */
	unsigned int receive_offloads; /* that it can be allowed */
	unsigned int send_offloads;    /* that it carries out */
	unsigned int mtu;              /* 0: not known */
	unsigned int pair_count;
	bool has_vhost;              /* see net_open_vhost */
	bool errors_pass;            /* what poll(2) calls an error is over once it was read */
	struct io_thread *io_thread; /* of the first pair, from attach */
	struct net_events events;    /* from attach */
	_Atomic bool link_up;        /* [atomic] */
	/* [atomic] by one thread: pairs that can carry frames, and how often their number began or
	 * ceased to change: it is odd while it does. */
	_Atomic unsigned int pairs_used, pairs_changes;
	struct net_pair pairs[NET_PAIRS_MAX];
	struct rate_limit limits[NET_DIRECTIONS]; /* of all pairs together */
	struct pcap *pcap;                        /* owned; NULL: off */
};

/* Opens, sets up, connects; a sentence tells what is wrong. options->fd is closed on failure. */
must_check int net_open(const struct net_options *options, struct net **ret_net, struct err *err);
/* A descriptor of vhost-net for each pair of a tap, before it is attached (see vhost.h): the owner
 * may have the host's kernel move the frames, which then pass none of the functions below. fd: the
 * only pair's, taken over, failure or not; -1: they are opened. On failure nothing has changed. */
must_check int net_open_vhost(struct net *net, int fd, struct err *err);
/* NULL is fine. */
void net_close(struct net *net);
#define cleanup_net_backend cleanup_with(net_cleanup)
static inline void net_cleanup(struct net **net)
{
	net_close(*net);
}

/* threads: one for each pair, which its events come on; a lost link's on any of them. events is
 * copied. */
must_check int net_attach(struct net *net, struct io_thread *const *threads,
	const struct net_events *events, struct err *err);
/* Ends the capture. No event comes any more. */
void net_detach(struct net *net);

/* Frames that the capture lacks, because its file was too slow; any thread. */
uint64_t net_capture_missed(const struct net *net);

static inline bool net_link_is_up(const struct net *net)
{
	return atomic_load_explicit(&net->link_up, memory_order_relaxed);
}

/* --- On the I/O thread of the pair. --- */

/* As the ops of the same names, but: -ENOTCONN when there is no link (the owner has been told), and
 * -EINVAL is the only other error of net_send. -EAGAIN while the number of pairs changes: no event
 * follows, so whoever changes it gives all of them another turn behind it. */
must_check ssize_t net_receive(
	struct net *net, unsigned int pair, struct iovec *iov, unsigned int iov_count);
must_check int net_send(
	struct net *net, unsigned int pair, struct iovec *iov, unsigned int iov_count);

/* After -EAGAIN: one event when it may be possible. Waiting twice is waiting once. */
void net_wait(struct net *net, unsigned int pair, enum net_direction direction);
/* Likewise, but the event comes soon, after others of the thread have had their turn. */
void net_again(struct net *net, unsigned int pair, enum net_direction direction);
void net_stop_waiting(struct net *net, unsigned int pair, enum net_direction direction);

/* Before a frame: 0 when the rate limit lets it pass, else the time at which to ask again. Its
 * bytes are charged by net_receive and net_send. */
must_check uint64_t net_limit_ns(struct net *net, enum net_direction direction);

/* First pair's: while the host's kernel moves the frames, looks whether the link is lost. */
void net_look_at_link(struct net *net);

/* One I/O thread, always the same. What the receiver takes from now on; those that the backend
 * lacks are left out. */
must_check int net_set_offloads(struct net *net, unsigned int offloads);
/* Likewise: the first so many pairs carry frames. */
must_check int net_set_pairs(struct net *net, unsigned int count);
