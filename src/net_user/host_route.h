/*
 * Asks the host's kernel where it would send a packet: the one answer that knows every address,
 * route and rule of the host, at this moment. Answers are kept for a second.
 */
#pragma once

#include "compiler.h"
#include "err.h"
#include "ip_address.h"

#include <stdbool.h>
#include <stdint.h>

#define HOST_ROUTE_CACHE 256

struct host_route {
	int fd; /* owned: netlink */
	uint32_t sequence;
	struct host_route_answer {
		struct ip_address address; /* length 0: empty */
		bool is_own;
		uint64_t expires_ns; /* CLOCK_MONOTONIC */
	} cache[HOST_ROUTE_CACHE];
};

must_check int host_route_open(struct host_route *route, struct err *err);
void host_route_close(struct host_route *route);

/* Whether the kernel delivers to itself what is sent there, or to many (broadcast, multicast); true
 * also when it does not say. False without any route: then sending fails by itself. */
must_check bool host_route_is_own(struct host_route *route, const struct ip_address *address);
