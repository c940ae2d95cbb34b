/*
 * The rootless network of one NIC: a process of its own in which libslirp stands between the
 * guest's Ethernet frames and the host's sockets.
 *
 * The process belongs to the VM that started it and ends with it. It trusts neither the frames,
 * which the guest makes, nor libslirp, which reads them: what it could do when taken over is narrow
 * (net_user_confine.h). One thread.
 */
#pragma once

#include "compiler.h"
#include "err.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

/* The descriptors that the process is started with: the stream of frames (frame_stream.h), and a
 * pipe that takes one line: NET_USER_READY, or the sentence that says why there is no network. */
#define NET_USER_STREAM_FD 3
#define NET_USER_STATUS_FD 4
#define NET_USER_READY     "ready"

/* IPv6's least (RFC 8200 5), and what libslirp can do at most but for one. */
#define NET_USER_MTU_MIN     1280
#define NET_USER_MTU_MAX     65520
#define NET_USER_PUBLISH_MAX 256

/* A port of the host's that leads into the guest. */
struct net_user_publish {
	bool udp;
	union {
		struct sockaddr any;
		struct sockaddr_in ipv4;
		struct sockaddr_in6 ipv6;
	} host;
	uint16_t guest_port;
};

struct net_user_options {
	bool restrict_host; /* the guest cannot reach the host's own addresses */
	unsigned int mtu;   /* NET_USER_MTU_MIN to _MAX */
	uint8_t mac[6];     /* of the guest's NIC: its IPv6 address follows from it */
	const struct net_user_publish *publish;
	unsigned int publish_count;
};

/* Whether this build can do it at all; err says what is missing. */
must_check int net_user_supported(struct err *err);

/* Runs until the VM closes the stream; reports on NET_USER_STATUS_FD. 0 at the orderly end, -errno
 * with a sentence when it could not begin, -EPROTO when the stream was none. */
must_check int net_user_run(const struct net_user_options *options, struct err *err);
