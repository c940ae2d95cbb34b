/* The parts of the socket device. All on the I/O thread. */
#pragma once

#include "io_thread.h"
#include "virtio_device.h"
#include "virtio_vsock.h"
#include "vsock_packet.h"

#include <sys/queue.h>
#include <sys/un.h>

#define VSOCK_BUFFER_BYTES    (UINT32_C(64) << 10) /* our buf_alloc; a power of two */
#define VSOCK_LINE_BYTES      32
#define VSOCK_BUCKETS         256
#define VSOCK_HOST_PORT_FIRST (UINT32_C(1) << 30) /* of clients */

struct virtio_vsock;

enum vsock_state {
	VSOCK_FREE,
	VSOCK_GREETING,  /* of a client: its line is not complete */
	VSOCK_REQUESTED, /* by a client, of the guest */
	VSOCK_OPEN,
	VSOCK_DRAINING, /* the guest is done with it, the host's end is not yet */
	VSOCK_CLOSED,   /* for the guest to be told */
};

struct vsock_connection {
	struct virtio_vsock *vsock; /* [const] */
	uint8_t *buffer;            /* [const] VSOCK_BUFFER_BYTES: guest to host */
	enum vsock_state state;
	int fd;
	struct io_poll poll;
	uint64_t deadline_ns; /* of VSOCK_GREETING, VSOCK_REQUESTED and VSOCK_DRAINING */
	uint32_t guest_port, host_port;
	bool is_known; /* found by its ports */

	uint16_t answer_op; /* REQUEST or RESPONSE that is due, or 0 */
	bool credit_due;    /* CREDIT_UPDATE */
	bool asked_for_credit;
	uint32_t shutdown_due; /* VSOCK_SHUTDOWN_..., to be told */
	uint32_t shut_by_host, shut_by_guest;
	bool readable, hung_up;
	bool is_queued; /* on vsock->ready */

	/* 5.10.6.3: free running */
	uint32_t sent_bytes, guest_buf_alloc, guest_fwd_cnt;
	uint32_t received_bytes, forwarded_bytes, told_fwd_cnt;

	char line[VSOCK_LINE_BYTES];
	unsigned int line_bytes;

	LIST_ENTRY(vsock_connection) bucket_link;
	TAILQ_ENTRY(vsock_connection) ready_link;
	TAILQ_ENTRY(vsock_connection) free_link;
};

TAILQ_HEAD(vsock_connection_list, vsock_connection);
LIST_HEAD(vsock_bucket, vsock_connection);

/* What no connection is there for. */
struct vsock_reset {
	uint32_t guest_port, host_port;
	uint16_t type;
};

#define VSOCK_RESETS_MAX 256

struct virtio_vsock {
	struct virtio_device device;
	/* [const] */
	uint64_t guest_cid;
	struct sockaddr_un address; /* without port; empty: there is none */
	uint64_t (*read_clock)(void);
	uint8_t *buffers; /* of all connections; pages come when used */
	/* [io] */
	bool active;
	bool is_leaving; /* what is there is taken, and nothing new begun */
	struct io_poll listener;
	struct io_timer timer;
	bool run_again;           /* at the timer */
	uint64_t accept_again_ns; /* at the timer; 0: no */
	struct chain *receive;    /* popped, nothing written */
	struct vsock_reset resets[VSOCK_RESETS_MAX];
	unsigned int reset_head, reset_count;
	uint32_t next_host_port;
	struct vsock_connection_list free, ready;
	struct vsock_bucket buckets[VSOCK_BUCKETS];
	struct vsock_connection connections[VIRTIO_VSOCK_CONNECTIONS_MAX];
	uint8_t bounce[VSOCK_BUFFER_BYTES];
};

struct vsock_connection *vsock_find(
	struct virtio_vsock *vsock, uint32_t guest_port, uint32_t host_port);
/* A packet of the guest's, its header judged; payload is what the chain has left to read. */
void vsock_connection_request(struct virtio_vsock *vsock, const struct vsock_header *header);
void vsock_connection_receive(struct vsock_connection *connection,
	const struct vsock_header *header, struct chain *chain);
/* The next packet for the guest. False: none now. room: bytes behind the header; the payload is in
 * vsock->bounce. */
bool vsock_connection_send(
	struct vsock_connection *connection, uint64_t room, struct vsock_header *header);
bool vsock_connection_wants_payload(const struct vsock_connection *connection);
/* After whatever happened: polls for what is of use now, queues for the guest, frees. */
void vsock_connection_settle(struct vsock_connection *connection);
/* A place for a socket, which it owns from now on; NULL: there are as many as may be. */
struct vsock_connection *vsock_connection_take(struct virtio_vsock *vsock, int fd);
/* Found by these ports from now on. */
void vsock_connection_know(
	struct vsock_connection *connection, uint32_t guest_port, uint32_t host_port);
/* It is over; and the guest is told that it is. */
void vsock_connection_release(struct vsock_connection *connection);
void vsock_connection_fail(struct vsock_connection *connection);
/* The guest's end is gone without a word: what it has sent still arrives. */
void vsock_connection_abandon(struct vsock_connection *connection);
/* To the host, as much as it takes. */
void vsock_connection_forward(struct vsock_connection *connection);
/* Bytes from the guest that the host has not taken. */
uint32_t vsock_connection_held(const struct vsock_connection *connection);

/* vsock_connections.c: all of them. */
void vsock_connections_init(struct virtio_vsock *vsock);
void vsock_connections_abandon(struct virtio_vsock *vsock);
void vsock_connections_close(struct virtio_vsock *vsock);
/* The guest may send more by one of them. */
bool vsock_connections_open(const struct virtio_vsock *vsock);
/* Returns how many bytes are held after that. It may move some where poll(2) does not say so yet: a
 * UNIX socket is writable when three quarters of it are free. */
uint64_t vsock_connections_forward(struct virtio_vsock *vsock);
/* Time-outs; returns the next deadline, 0: none. */
uint64_t vsock_connections_expire(struct virtio_vsock *vsock, uint64_t now_ns);

/* vsock_client.c: somebody has come; has written; is let in. */
void vsock_client(struct virtio_vsock *vsock, int fd);
/* One whose port is known; -ENOSPC. */
int vsock_client_connect(struct virtio_vsock *vsock, uint32_t guest_port, int fd);
void vsock_client_ready(struct vsock_connection *connection);
void vsock_client_accepted(struct vsock_connection *connection);

/* vsock.c: packets for the guest, then from it, as far as they go. */
void vsock_run(struct virtio_vsock *vsock);
void vsock_arm_timer(struct virtio_vsock *vsock);
void vsock_add_reset(
	struct virtio_vsock *vsock, uint32_t guest_port, uint32_t host_port, uint16_t type);
