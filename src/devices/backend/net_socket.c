/*
 * Which socket it is to be: connected, listening, of datagrams, or handed in. See net.h. Main
 * thread.
 */
#include "fd.h"
#include "net_kinds.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>

#define PEERS_WAITING 4

static int open_connected(const char *path, struct net **ret_net, struct err *err)
{
	cleanup_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address;
	int r = host_socket_address(path, &address, err);

	if (r < 0)
		return r;
	if (fd < 0)
		return err_set_errno(err, errno, "no socket");
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0)
		return err_set_errno(err, errno,
			"nobody can be reached there (start the other side first, or let this one "
			"'listen')");
	if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
		return err_set_errno(err, errno, "it cannot be set up");
	return net_stream_create(take_fd(&fd), NULL, NULL, ret_net, err);
}

static int open_listening(const char *path, struct net **ret_net, struct err *err)
{
	struct host_socket listener;
	int r = host_socket_listen(path, PEERS_WAITING, &listener, err);

	if (r < 0)
		return r;
	r = net_stream_create(-1, &listener, path, ret_net, err);
	if (r < 0)
		host_socket_close(path, &listener);
	return r;
}

static int adopt(int handed_in, struct net **ret_net, struct err *err)
{
	cleanup_fd int fd = handed_in;
	socklen_t length = sizeof(int);
	int flags = fcntl(fd, F_GETFL), type;

	if (flags < 0 || getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) != 0)
		return err_set_errno(err, errno, "the descriptor is no socket");
	if (type != SOCK_STREAM && type != SOCK_DGRAM)
		return err_set(
			err, EINVAL, "the descriptor is no socket of the type stream or datagram");
	if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
		return err_set_errno(err, errno, "the descriptor cannot be set up");
	if (type == SOCK_STREAM)
		return net_stream_create(take_fd(&fd), NULL, NULL, ret_net, err);
	return net_datagram_adopt(take_fd(&fd), ret_net, err);
}

static int open_by_options(const struct net_options *options, struct net **ret_net, struct err *err)
{
	if (options->fd >= 0)
		return adopt(options->fd, ret_net, err);
	if (options->peer)
		return net_datagram_open(options->path, options->peer, ret_net, err);
	if (options->listen)
		return open_listening(options->path, ret_net, err);
	return open_connected(options->path, ret_net, err);
}

int net_socket_open(const struct net_options *options, struct net **ret_net, struct err *err)
{
	char name[sizeof((*ret_net)->name)];
	struct net *net = NULL;
	int r;

	if (options->fd >= 0)
		(void)snprintf(name, sizeof(name), "socket fd:%d", options->fd);
	else
		(void)snprintf(name, sizeof(name), "socket '%.50s'", options->path);
	r = open_by_options(options, &net, err);
	if (r < 0)
		return err_prefix(err, r, "%s", name);
	(void)snprintf(net->name, sizeof(net->name), "%s", name);
	*ret_net = net;
	return 0;
}
