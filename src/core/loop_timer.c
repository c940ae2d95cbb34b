/* See loop_timer.h. */
#include "loop_timer.h"

#include "clock.h"
#include "fd.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

static void timer_ready(void *owner, short revents)
{
	struct loop_timer *timer = owner;
	uint64_t expirations;

	(void)revents;
	/* Nothing to read: it was armed anew in the meantime. */
	if (read(timer->source.fd, &expirations, sizeof(expirations)) == sizeof(expirations))
		timer->expired(timer->owner);
}

int loop_timer_init(struct loop_timer *timer, struct loop *loop, void (*expired)(void *owner),
	void *owner, struct err *err)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

	if (fd < 0)
		return err_set_errno(err, errno, "cannot create a timer");
	*timer = (struct loop_timer){
		.loop = loop,
		.source = {.fd = fd, .events = POLLIN, .ready = timer_ready, .owner = timer},
		.expired = expired,
		.owner = owner,
	};
	if (loop_attach(loop, &timer->source) < 0) {
		fd_close(&timer->source.fd);
		timer->loop = NULL;
		return err_set(err, ENOSPC, "too many event sources");
	}
	return 0;
}

void loop_timer_fini(struct loop_timer *timer)
{
	if (!timer->loop)
		return;
	loop_detach(timer->loop, &timer->source);
	fd_close(&timer->source.fd);
	timer->loop = NULL;
}

void loop_timer_arm(struct loop_timer *timer, uint64_t deadline_ns)
{
	struct itimerspec when = {
		.it_value.tv_sec = (time_t)(deadline_ns / NANOSECONDS_PER_SECOND),
		.it_value.tv_nsec = (long)(deadline_ns % NANOSECONDS_PER_SECOND),
	};

	/* Cannot fail for a valid time on our own fd. */
	(void)timerfd_settime(timer->source.fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void arm_from_device(void *host, uint64_t deadline_ns)
{
	loop_timer_arm(host, deadline_ns);
}

struct timer loop_timer_for_device(struct loop_timer *timer)
{
	return (struct timer){.arm = arm_from_device, .host = timer};
}
