/*
 * A UNIX socket that is bound to a path. Main thread.
 */
#pragma once

#include "compiler.h"
#include "err.h"

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

struct host_socket {
	int fd; /* owned, O_NONBLOCK */
	dev_t device;
	ino_t inode;
};

/* -ENAMETOOLONG, or -EINVAL for an empty one, with a sentence. */
must_check int host_socket_address(
	const char *path, struct sockaddr_un *ret_address, struct err *err);

/* type: SOCK_STREAM, SOCK_DGRAM. The path is its owner's alone; a socket that nobody uses any more
 * is replaced. */
must_check int host_socket_bind(
	const char *path, int type, struct host_socket *ret_socket, struct err *err);

/* A bound stream socket that others can connect to. */
must_check int host_socket_listen(
	const char *path, int backlog, struct host_socket *ret_socket, struct err *err);

/* Removes the path if it is still this socket's. */
void host_socket_unlink(const char *path, const struct host_socket *bound);

/* The same, and closes the socket. */
void host_socket_close(const char *path, struct host_socket *bound);
