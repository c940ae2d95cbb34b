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
#include <termios.h>
#include <unistd.h>

#define CLIENTS_WAITING 4

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

int console_host_listen(const char *path, struct host_socket *ret_socket, struct err *err)
{
	int r = host_socket_listen(path, CLIENTS_WAITING, ret_socket, err);

	return r < 0 ? err_prefix(err, r, "console socket '%s'", path) : 0;
}
