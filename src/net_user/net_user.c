/* See net_user.h. */
#include "net_user.h"

#include "confine.h"
#include "fd.h"
#include "slirp_net.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

int net_user_supported(struct err *err)
{
	(void)err;
	return 0;
}

/* Only the VM may have started this: whoever made the stream is the parent. */
static int check_parent(struct err *err)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);

	if (getsockopt(NET_USER_STREAM_FD, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0)
		return err_set(err, EINVAL, "this command is started by 'hull run' itself");
	if (peer.pid != getppid())
		return err_set(err, EPERM, "the VM has ended already");
	return 0;
}

/* From here on the VM's end is this process's, even when it hangs; the check comes after the
 * request, so that an end in between is noticed. After the last change of identity, which would
 * take the request back. */
static int end_with_parent(struct err *err)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
		return err_set_errno(err, errno, "the network's process: PR_SET_PDEATHSIG");
	return check_parent(err);
}

/* libslirp and GLib complain on stderr, as often as a guest likes. */
static int silence(struct err *err)
{
	cleanup_fd int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = STDIN_FILENO; null >= 0 && fd <= STDERR_FILENO; fd++)
		if (dup2(null, fd) < 0)
			return err_set_errno(err, errno, "/dev/null");
	return null >= 0 ? 0 : err_set_errno(err, errno, "/dev/null");
}

static int prepare(
	const struct net_user_options *options, struct slirp_net **ret_net, struct err *err)
{
	int r = check_parent(err);

	(void)prctl(PR_SET_NAME, "hull-net", 0, 0, 0);
	if (r == 0 && close_range(NET_USER_STATUS_FD + 1, ~0U, 0) != 0)
		r = err_set_errno(err, errno, "the network's process: its descriptors");
	if (r == 0)
		r = silence(err);
	if (r == 0)
		r = slirp_net_create(NET_USER_STREAM_FD, options, ret_net, err);
	return r;
}

static int report(const char *sentence)
{
	cleanup_fd int fd = NET_USER_STATUS_FD;

	return fd_write(fd, sentence, strlen(sentence));
}

int net_user_run(const struct net_user_options *options, struct err *err)
{
	struct slirp_net *net = NULL;
	int r = prepare(options, &net, err);

	if (r == 0)
		r = confine_process(err);
	if (r == 0)
		r = end_with_parent(err);
	if (r == 0)
		r = confine_syscalls(err);
	if (r == 0)
		r = report(NET_USER_READY);
	else
		(void)!report(err->text);
	if (r == 0)
		r = slirp_net_run(net);
	slirp_net_destroy(net);
	return r;
}
