/* See host_route.h. rtnetlink(7), RTM_GETROUTE. */
#include "host_route.h"

#include "clock.h"
#include "fd.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_BYTES 4096

/* What a question is on the wire. */
struct question {
	struct nlmsghdr header;
	struct rtmsg route;
	struct rtattr attribute;
	uint8_t address[IPV6_BYTES];
};

int host_route_open(struct host_route *route, struct err *err)
{
	*route = (struct host_route){.fd = -1};
	route->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (route->fd < 0)
		return err_set_errno(err, errno,
			"the host's routes cannot be asked for (netlink), which restrict=on needs");
	return 0;
}

void host_route_close(struct host_route *route)
{
	fd_close(&route->fd);
}

static int ask(struct host_route *route, const struct ip_address *address)
{
	struct question question = {
		.header = {.nlmsg_type = RTM_GETROUTE,
			.nlmsg_flags = NLM_F_REQUEST,
			.nlmsg_seq = ++route->sequence},
		.route = {.rtm_family = address->length == IPV4_BYTES ? AF_INET : AF_INET6,
			.rtm_dst_len = (unsigned char)(address->length * 8)},
		.attribute = {.rta_type = RTA_DST,
			.rta_len = (unsigned short)RTA_LENGTH(address->length)},
	};
	const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	ssize_t count;

	memcpy(question.address, address->bytes, address->length);
	question.header.nlmsg_len = (uint32_t)(offsetof(struct question, address) +
					       address->length);
	do
		count = sendto(route->fd, &question, question.header.nlmsg_len, 0,
			(const struct sockaddr *)&kernel, sizeof(kernel));
	while (count < 0 && errno == EINTR);
	return count < 0 ? -errno : 0;
}

/* The type of the route (RTN_UNICAST, ...) or -errno. The kernel has answered before it returned
 * from the question; what else it says (answers that came late) is not looked at. */
static int read_answer(struct host_route *route)
{
	union {
		struct nlmsghdr header;
		uint8_t bytes[ANSWER_BYTES];
	} answer;

	for (;;) {
		ssize_t count = recv(route->fd, &answer, sizeof(answer), MSG_DONTWAIT);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return -errno;
		if ((size_t)count < sizeof(answer.header) ||
			answer.header.nlmsg_seq != route->sequence)
			continue;
		if (answer.header.nlmsg_type == NLMSG_ERROR &&
			(size_t)count >= NLMSG_LENGTH(sizeof(struct nlmsgerr)))
			return ((const struct nlmsgerr *)NLMSG_DATA(&answer.header))->error;
		if (answer.header.nlmsg_type == RTM_NEWROUTE &&
			(size_t)count >= NLMSG_LENGTH(sizeof(struct rtmsg)))
			return ((const struct rtmsg *)NLMSG_DATA(&answer.header))->rtm_type;
		return -EPROTO;
	}
}

static bool look_up(struct host_route *route, const struct ip_address *address)
{
	int r = ask(route, address);

	if (r == 0)
		r = read_answer(route);
	return r != RTN_UNICAST && r != -ENETUNREACH && r != -EHOSTUNREACH;
}

bool host_route_is_own(struct host_route *route, const struct ip_address *address)
{
	const uint64_t now = clock_monotonic_ns();
	struct host_route_answer *answer;
	uint32_t hash = UINT32_C(2166136261); /* FNV-1a */

	for (unsigned int i = 0; i < address->length; i++)
		hash = (hash ^ address->bytes[i]) * UINT32_C(16777619);
	answer = &route->cache[(hash ^ hash >> 16) % HOST_ROUTE_CACHE];
	if (ip_address_equal(&answer->address, address) && now < answer->expires_ns)
		return answer->is_own;
	*answer = (struct host_route_answer){
		.address = *address,
		.is_own = look_up(route, address),
		.expires_ns = now + NANOSECONDS_PER_SECOND,
	};
	return answer->is_own;
}
