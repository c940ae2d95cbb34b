/*
 * The network device for its own files: net.c is the device and its configuration, net_link.c its
 * link, net_rx.c and net_tx.c carry frames, net_control.c obeys commands, net_filter.c says what
 * the driver wants, net_vhost.c has the host's kernel carry frames.
 *
 * [io]: of the I/O thread that the pair of queues belongs to, [control]: of the device's own, which
 * obeys commands; both while the device is active.
 */
#pragma once

#include "net_filter.h"
#include "virtio_net.h"

/* VIRTIO 1.2 5.1.3, and 1.3 for USO */
#define VIRTIO_NET_F_CSUM                0
#define VIRTIO_NET_F_GUEST_CSUM          1
#define VIRTIO_NET_F_CTRL_GUEST_OFFLOADS 2
#define VIRTIO_NET_F_MTU                 3
#define VIRTIO_NET_F_MAC                 5
#define VIRTIO_NET_F_GUEST_TSO4          7
#define VIRTIO_NET_F_GUEST_TSO6          8
#define VIRTIO_NET_F_GUEST_ECN           9
#define VIRTIO_NET_F_GUEST_UFO           10
#define VIRTIO_NET_F_HOST_TSO4           11
#define VIRTIO_NET_F_HOST_TSO6           12
#define VIRTIO_NET_F_HOST_ECN            13
#define VIRTIO_NET_F_HOST_UFO            14
#define VIRTIO_NET_F_MRG_RXBUF           15
#define VIRTIO_NET_F_STATUS              16
#define VIRTIO_NET_F_CTRL_VQ             17
#define VIRTIO_NET_F_CTRL_RX             18
#define VIRTIO_NET_F_CTRL_VLAN           19
#define VIRTIO_NET_F_CTRL_RX_EXTRA       20
#define VIRTIO_NET_F_GUEST_ANNOUNCE      21
#define VIRTIO_NET_F_MQ                  22
#define VIRTIO_NET_F_CTRL_MAC_ADDR       23
#define VIRTIO_NET_F_GUEST_USO4          54
#define VIRTIO_NET_F_GUEST_USO6          55
#define VIRTIO_NET_F_HOST_USO            56

/* 5.1.4 */
#define VIRTIO_NET_S_LINK_UP  1
#define VIRTIO_NET_S_ANNOUNCE 2

/* 5.1.6 */
#define VIRTIO_NET_HDR_F_NEEDS_CSUM   1
#define VIRTIO_NET_HDR_GSO_NONE       0
#define VIRTIO_NET_HDR_GSO_TCPV4      1
#define VIRTIO_NET_HDR_GSO_UDP        3
#define VIRTIO_NET_HDR_GSO_TCPV6      4
#define VIRTIO_NET_HDR_GSO_UDP_L4     5
#define VIRTIO_NET_HDR_GSO_ECN        0x80
#define VIRTIO_NET_HDR_AT_NUM_BUFFERS 10

#define NET_QUEUE_SIZE   256
#define NET_CONTROL_SIZE 64

/* A turn of one queue: others of the I/O thread come in between. */
#define NET_TURN_FRAMES 64
#define NET_TURN_BYTES  (UINT64_C(512) << 10)

struct net_counters {
	_Atomic uint64_t counts[VIRTIO_NET_COUNTS]; /* [atomic] one writer */
};

static inline void net_count(
	struct net_counters *counters, enum virtio_net_count which, uint64_t amount)
{
	uint64_t count = atomic_load_explicit(&counters->counts[which], memory_order_relaxed);

	atomic_store_explicit(&counters->counts[which], count + amount, memory_order_relaxed);
}

/* Entries that buffers taken ahead may have, with one at the end for what exceeds them. */
#define NET_RX_IOV_MAX  1024
#define NET_RX_IOV_ROOM (2 * NET_RX_IOV_MAX)

/* What the driver wants to receive. */
struct net_wants {
	struct net_filter filter;
	uint8_t mac[6];
};

/* Receiving. Buffers are taken from the queue ahead of the frame, as many as the longest one could
 * need, and wait in order. [io] */
struct net_rx {
	struct virtio_net *net;
	unsigned int pair;
	struct chain *chains[2 * NET_QUEUE_SIZE];
	uint16_t chain_iovs[2 * NET_QUEUE_SIZE]; /* entries of each */
	unsigned int chain_first, chain_count;
	struct iovec iov[NET_RX_IOV_ROOM];
	unsigned int iov_first, iov_count;
	uint64_t room_bytes;   /* of all of them */
	uint8_t *excess;       /* owned; of a frame that is longer than the buffers there are */
	uint64_t frame_bytes;  /* of such a frame, that waits for more buffers; 0: none waits */
	uint64_t placed_bytes; /* of it, that are in buffers */
	struct io_timer timer; /* for the rate limit, or as long as a frame waits */
	struct net_wants wants;
	unsigned int wants_generation; /* that they are of */
	struct net_counters counters;
};

/* Transmitting. [io] */
struct net_tx {
	struct virtio_net *net;
	unsigned int pair;
	struct chain *waiting; /* popped, not sent yet; its frame is iov */
	struct iovec iov[2 + NET_QUEUE_SIZE];
	unsigned int iov_count;
	uint64_t frame_bytes;
	/* Our copies: what has been judged is what is sent. */
	uint8_t header[NET_VNET_HEADER_BYTES];
	uint8_t ethernet[NET_ETHERNET_BYTES];
	struct io_timer timer; /* for the rate limit */
	struct net_counters counters;
};

/* A pair that the host's kernel may run. */
struct net_vhost {
	struct virtio_net *net;
	unsigned int pair;
	pthread_mutex_t lock; /* a leaf */
	bool is_used;         /* [vhost lock] by [control] */
	bool has_failed;      /* [vhost lock] the kernel has refused it */
	struct net_vhost_queue {
		struct net_vhost *vhost;
		unsigned int direction;
		int call_fd, error_fd;       /* [const] owned */
		int notify_fd;               /* [vhost lock] call_fd, or the interrupt itself */
		struct io_event call, error; /* [io] */
		bool is_set;                 /* [vhost lock] by [io]: handed over */
		bool runs;                   /* [vhost lock] */
	} queues[NET_DIRECTIONS];
};

struct virtio_net {
	struct virtio_device device;
	struct net *backend;
	char *name;
	struct virtio_net_sink sink;
	/* [const] */
	unsigned int pair_count;
	uint16_t mtu; /* 0: not told */
	bool antispoof;
	uint8_t own_mac[6]; /* what antispoof compares with */
	uint8_t mac[6];     /* [config lock], written by [control], which may read it without */
	_Atomic uint16_t status; /* [atomic] written under the config lock */
	_Atomic bool unplugged;  /* [atomic] by the user: whatever the backend's link is */
	_Atomic bool announces;  /* [atomic] the driver is to be asked where it is, in a while */
	struct io_timer announcement; /* [control] */
	/* [const] while the device is active */
	bool is_mergeable;
	uint64_t usual_frame_bytes; /* the longest that is expected, with its header */
	/* [atomic] by [control] */
	_Atomic unsigned int pairs_used;
	_Atomic unsigned int wants_generation; /* another one: look at wants */
	pthread_mutex_t wants_lock;            /* a leaf */
	struct net_wants wants;                /* [wants lock] */
	struct net_filter filter;              /* [control] what wants is made of, with mac */
	struct net_rx *rx;
	struct net_tx *tx;
	struct net_vhost *vhost;    /* owned; NULL: Hull moves all frames */
	struct io_timer look_timer; /* [io] of the first pair */
};

static inline bool net_accepted(const struct virtio_net *net, unsigned int feature)
{
	return net->device.accepted_features >> feature & 1;
}

static inline bool net_is_plugged(const struct virtio_net *net)
{
	return !atomic_load_explicit(&net->unplugged, memory_order_relaxed);
}

static inline unsigned int net_rx_queue(unsigned int pair)
{
	return 2 * pair;
}

static inline unsigned int net_tx_queue(unsigned int pair)
{
	return 2 * pair + 1;
}

static inline struct io_thread *net_thread(const struct virtio_net *net, unsigned int pair)
{
	return net->device.queues[net_rx_queue(pair)].io_thread;
}

/* Something may be taken from the queue. */
static inline bool net_queue_runs(const struct virtio_net *net, unsigned int queue)
{
	const struct virtq *run = net->device.queues[queue].run;

	return !atomic_load(&net->device.broken) && virtq_is_running(run);
}

/* I/O thread. A turn; and everything that is held is given back, nothing happens any more. */
must_check int net_rx_init(struct net_rx *rx, struct virtio_net *net, unsigned int pair);
void net_rx_fini(struct net_rx *rx);
void net_rx_run(struct net_rx *rx);
void net_rx_stop(struct net_rx *rx);

void net_tx_init(struct net_tx *tx, struct virtio_net *net, unsigned int pair);
void net_tx_run(struct net_tx *tx);
void net_tx_stop(struct net_tx *tx);

must_check int net_vhost_init(struct virtio_net *net);
void net_vhost_fini(struct virtio_net *net);
/* The ops hand_over, quiesce (for a queue of a pair; false where Hull runs it), notifier_changed.
 */
must_check bool net_vhost_hand_over(struct virtio_net *net, unsigned int queue);
bool net_vhost_stop(struct virtio_net *net, unsigned int queue);
void net_vhost_reconnect(struct virtio_net *net);
/* [control] Pairs from first on, before count, carry frames or do not. */
void net_vhost_use(struct virtio_net *net, unsigned int first, unsigned int count, bool use);
/* Any thread: what decides about the queues otherwise has changed. */
void net_vhost_follow(struct virtio_net *net);

void net_control_run(struct virtio_net *net, unsigned int queue);

/* [control] Tells the backend what the receiver takes; bits are those of the features. */
must_check int net_apply_offloads(struct virtio_net *net, uint64_t features);
/* [control] So many pairs from now on. */
must_check int net_use_pairs(struct virtio_net *net, unsigned int count);
/* [control] Every frame that is received from now on is judged by the filter and the address. */
void net_publish_wants(struct virtio_net *net);
/* [control] A field of the configuration space. */
void net_set_mac(struct virtio_net *net, const uint8_t mac[6]);

/* net_link.c. The status is a field of the configuration space. */
void net_link_init(struct virtio_net *net);
/* Any thread: the backend's link, or what the user wants, has changed. */
void net_link_show(struct virtio_net *net);
/* [control] Asks the driver to announce itself, if that is due; it has; nothing is asked any more.
 */
void net_link_announce(struct virtio_net *net);
void net_link_announced(struct virtio_net *net);
void net_link_stop(struct virtio_net *net);

/* A turn of every queue, on whatever thread it is, as if its driver had asked for one; not at once:
 * this may be called from within a turn. Any thread. */
void net_restart(struct virtio_net *net);
