/* See signal_watch.h. */
#include "signal_watch.h"

#include "fd.h"

#include <errno.h>
#include <pthread.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void signal_ready(void *owner, short revents)
{
	struct signal_watch *watch = owner;
	struct signalfd_siginfo info;

	(void)revents;
	if (read(watch->source.fd, &info, sizeof(info)) == sizeof(info))
		watch->received(watch->owner, (int)info.ssi_signo);
}

int signal_watch_init(struct signal_watch *watch, struct loop *loop,
	void (*received)(void *owner, int signal), void *owner, struct err *err)
{
	static const int watched[] = {SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGCONT, SIGWINCH};
	sigset_t set;
	int fd;

	(void)sigemptyset(&set);
	for (size_t i = 0; i < array_size(watched); i++) {
		struct sigaction action;

		if (sigaction(watched[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
			(void)sigaddset(&set, watched[i]);
	}
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return err_set_errno(err, errno, "cannot watch signals");
	/* A console in the background must not stop the VM. */
	(void)sigaddset(&set, SIGTTIN);
	(void)sigaddset(&set, SIGTTOU);
	*watch = (struct signal_watch){
		.loop = loop,
		.source = {.fd = fd, .events = POLLIN, .ready = signal_ready, .owner = watch},
		.received = received,
		.owner = owner,
	};
	(void)pthread_sigmask(SIG_BLOCK, &set, &watch->saved_mask);
	if (loop_attach(loop, &watch->source) < 0) {
		signal_watch_fini(watch);
		return err_set(err, ENOSPC, "too many event sources");
	}
	return 0;
}

void signal_watch_fini(struct signal_watch *watch)
{
	if (!watch->loop)
		return;
	loop_detach(watch->loop, &watch->source);
	fd_close(&watch->source.fd);
	(void)pthread_sigmask(SIG_SETMASK, &watch->saved_mask, NULL);
	watch->loop = NULL;
}
