/*
 * The kinds of networks, for net_open, and what they share. Main thread unless said otherwise. A
 * kind embeds a struct net that net_init has prepared and fills in its properties and descriptors.
 */
#pragma once

#include "host_socket.h"
#include "net.h"

must_check int net_tap_open(
	const struct net_options *options, struct net **ret_net, struct err *err);
must_check int net_socket_open(
	const struct net_options *options, struct net **ret_net, struct err *err);
/* Takes the connection fd over (-1: none yet), and the listener (NULL: none) that is bound to path.
 */
must_check int net_stream_create(int fd, const struct host_socket *listener, const char *path,
	struct net **ret_net, struct err *err);
must_check int net_datagram_adopt(int fd, struct net **ret_net, struct err *err); /* likewise */
must_check int net_datagram_open(
	const char *path, const char *peer, struct net **ret_net, struct err *err);

void net_init(struct net *net, const struct net_ops *ops);
/* Closes the descriptors of all pairs. */
void net_fini(struct net *net);

/* I/O thread. The link is lost, or up again. */
void net_link_lost(struct net *net, int code);
void net_link_established(struct net *net);

/* One readv and writev of a descriptor that does not block. */
ssize_t net_readv(int fd, const struct iovec *iov, unsigned int iov_count);
ssize_t net_writev(int fd, const struct iovec *iov, unsigned int iov_count);
