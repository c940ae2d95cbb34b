/* See host_socket.h. */
#include "host_socket.h"

#include "fd.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int host_socket_address(const char *path, struct sockaddr_un *ret_address, struct err *err)
{
	size_t length = strlen(path);

	if (!length)
		return err_set(err, EINVAL, "the path is empty");
	if (length >= sizeof(ret_address->sun_path))
		return err_set(err, ENAMETOOLONG, "a socket's path has at most %zu bytes",
			sizeof(ret_address->sun_path) - 1);
	*ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(ret_address->sun_path, path, length + 1);
	return 0;
}

/* Is path a socket that nobody has bound any more? */
static bool is_stale(const char *path, int type, const struct sockaddr_un *address)
{
	cleanup_fd int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct stat status;

	if (fd < 0 || lstat(path, &status) != 0 || !S_ISSOCK(status.st_mode))
		return false;
	return connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0 &&
	       errno == ECONNREFUSED;
}

static int bind_fd(
	int fd, const char *path, int type, const struct sockaddr_un *address, struct err *err)
{
	const struct sockaddr *name = (const struct sockaddr *)address;

	if (bind(fd, name, sizeof(*address)) == 0)
		return 0;
	if (errno != EADDRINUSE)
		return err_set_errno(err, errno, "cannot be made");
	if (!is_stale(path, type, address))
		return err_set(err, EADDRINUSE,
			"the path is taken, by a running process or by something that is no "
			"socket; remove it or choose another");
	if (unlink(path) != 0)
		return err_set_errno(err, errno, "the old socket cannot be removed");
	if (bind(fd, name, sizeof(*address)) != 0)
		return err_set_errno(err, errno, "cannot be made");
	return 0;
}

int host_socket_bind(const char *path, int type, struct host_socket *ret_socket, struct err *err)
{
	struct sockaddr_un address;
	cleanup_fd int fd = -1;
	struct stat status;
	int r = host_socket_address(path, &address, err);

	if (r < 0)
		return r;
	fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_set_errno(err, errno, "no socket");
	/* The mode that bind gives to the path. */
	if (fchmod(fd, 0600) != 0)
		return err_set_errno(err, errno, "no mode");
	r = bind_fd(fd, path, type, &address, err);
	if (r < 0)
		return r;
	if (lstat(path, &status) != 0) {
		r = err_set_errno(err, errno, "cannot be found again");
		(void)unlink(path);
		return r;
	}
	*ret_socket = (struct host_socket){
		.fd = take_fd(&fd), .device = status.st_dev, .inode = status.st_ino};
	return 0;
}

void host_socket_unlink(const char *path, const struct host_socket *bound)
{
	struct stat status;

	if (lstat(path, &status) == 0 && S_ISSOCK(status.st_mode) &&
		status.st_dev == bound->device && status.st_ino == bound->inode)
		(void)unlink(path); /* best effort: a stale one is replaced next time */
}

int host_socket_listen(
	const char *path, int backlog, struct host_socket *ret_socket, struct err *err)
{
	struct host_socket bound = {.fd = -1};
	int r = host_socket_bind(path, SOCK_STREAM, &bound, err);

	if (r < 0)
		return r;
	if (listen(bound.fd, backlog) != 0) {
		r = err_set_errno(err, errno, "cannot listen");
		host_socket_close(path, &bound);
		return r;
	}
	*ret_socket = bound;
	return 0;
}

void host_socket_close(const char *path, struct host_socket *bound)
{
	host_socket_unlink(path, bound);
	fd_close(&bound->fd);
}
