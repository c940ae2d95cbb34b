/* See console_host.h. */
#include "console_host.h"

#include "fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

/* Those that block and that opening again gives the same object, and no other: the master side of a
 * pty would be a new pty. */
static bool can_be_reopened(int fd)
{
	struct stat status;
	unsigned int number;

	if (fstat(fd, &status) != 0)
		return false;
	if (S_ISFIFO(status.st_mode))
		return true;
	return isatty(fd) && ioctl(fd, TIOCGPTN, &number) != 0;
}

int console_host_adopt(int fd)
{
	int flags = fd >= 0 ? fcntl(fd, F_GETFL) : -1;
	char path[64];
	int adopted = -1;

	if (flags < 0)
		return -EBADF;
	if (can_be_reopened(fd)) {
		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		adopted = open(path, (flags & O_ACCMODE) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	}
	/* Another user's terminal, no /proc: shared then, and left blocking. */
	if (adopted < 0)
		adopted = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return adopted < 0 ? -errno : adopted;
}

int console_host_open_file(const char *path, struct err *err)
{
	/* Appending: a log that is truncated while we run does not become sparse. */
	int fd = open(path,
		O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0666);

	if (fd >= 0)
		return fd;
	if (errno == ENXIO)
		return err_set(err, ENXIO, "console file '%s': a FIFO that nobody reads", path);
	return err_set_errno(err, errno, "console file '%s': cannot be written", path);
}

/* The guest's line discipline does the work: ours hands every byte through. */
static int make_raw(int fd)
{
	struct termios modes;

	if (tcgetattr(fd, &modes) != 0)
		return -errno;
	cfmakeraw(&modes);
	return tcsetattr(fd, TCSANOW, &modes) != 0 ? -errno : 0;
}

int console_host_open_pty(struct console_host_pty *ret_pty, struct err *err)
{
	cleanup_fd int master_fd = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	cleanup_fd int slave_fd = -1;
	cleanup_fd int watch_fd = -1;
	char name[64];
	char *path;
	int r;

	if (master_fd < 0)
		return err_set_errno(err, errno, "console pty: none to be had");
	if (grantpt(master_fd) != 0 || unlockpt(master_fd) != 0)
		return err_set_errno(err, errno, "console pty: cannot be unlocked");
	r = ptsname_r(master_fd, name, sizeof(name));
	if (r)
		return err_set_errno(err, r, "console pty: has no name (is devpts mounted?)");
	slave_fd = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave_fd < 0)
		return err_set_errno(err, errno, "console pty: '%s' cannot be opened", name);
	r = make_raw(slave_fd);
	if (r < 0)
		return err_set_errno(err, r, "console pty: '%s' has no raw mode", name);
	path = strdup(name);
	if (!path)
		return err_set(err, ENOMEM, "console pty: out of memory");
	watch_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (watch_fd >= 0 && inotify_add_watch(watch_fd, name, IN_OPEN) < 0)
		fd_close(&watch_fd);
	/* Closing it once is what makes the kernel report the absence of a reader from the start.
	 */
	if (watch_fd >= 0)
		fd_close(&slave_fd);
	*ret_pty = (struct console_host_pty){
		.master_fd = take_fd(&master_fd),
		.watch_fd = take_fd(&watch_fd),
		.slave_fd = take_fd(&slave_fd),
		.path = path,
	};
	return 0;
}

/* Is path a socket that nobody listens on any more? */
static bool is_stale_socket(const char *path, const struct sockaddr_un *address)
{
	cleanup_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct stat status;

	if (fd < 0 || lstat(path, &status) != 0 || !S_ISSOCK(status.st_mode))
		return false;
	return connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0 &&
	       errno == ECONNREFUSED;
}

static int bind_socket(int fd, const char *path, const struct sockaddr_un *address, struct err *err)
{
	const struct sockaddr *name = (const struct sockaddr *)address;

	if (bind(fd, name, sizeof(*address)) == 0)
		return 0;
	if (errno != EADDRINUSE)
		return err_set_errno(err, errno, "console socket '%s': cannot be made", path);
	if (!is_stale_socket(path, address))
		return err_set(err, EADDRINUSE,
			"console socket '%s': the path is taken, by a running process or by "
			"something "
			"that is no socket; remove it or choose another",
			path);
	if (unlink(path) != 0)
		return err_set_errno(
			err, errno, "console socket '%s': the old socket cannot be removed", path);
	if (bind(fd, name, sizeof(*address)) != 0)
		return err_set_errno(err, errno, "console socket '%s': cannot be made", path);
	return 0;
}

int console_host_listen(const char *path, struct console_host_socket *ret_socket, struct err *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t length = strlen(path);
	cleanup_fd int fd = -1;
	struct stat status;
	int r;

	if (!length)
		return err_set(err, EINVAL, "console socket: the path is empty");
	if (length >= sizeof(address.sun_path))
		return err_set(err, ENAMETOOLONG,
			"console socket '%s': a socket's path has at most %zu bytes", path,
			sizeof(address.sun_path) - 1);
	memcpy(address.sun_path, path, length + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_set_errno(err, errno, "console socket '%s': no socket", path);
	/* The mode that bind gives to the path: a console is its owner's. */
	if (fchmod(fd, 0600) != 0)
		return err_set_errno(err, errno, "console socket '%s': no mode", path);
	r = bind_socket(fd, path, &address, err);
	if (r < 0)
		return r;
	if (listen(fd, 4) != 0 || lstat(path, &status) != 0) {
		r = err_set_errno(err, errno, "console socket '%s': cannot listen", path);
		(void)unlink(path);
		return r;
	}
	*ret_socket = (struct console_host_socket){
		.fd = take_fd(&fd), .device = status.st_dev, .inode = status.st_ino};
	return 0;
}

void console_host_unlink(const char *path, const struct console_host_socket *socket)
{
	struct stat status;

	if (lstat(path, &status) == 0 && S_ISSOCK(status.st_mode) &&
		status.st_dev == socket->device && status.st_ino == socket->inode)
		(void)unlink(path); /* best effort: a stale one is replaced next time */
}
