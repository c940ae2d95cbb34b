/* See loop.h. */
#include "loop.h"

#include <errno.h>

int loop_attach(struct loop *loop, struct loop_source *source)
{
	if (loop->source_count == LOOP_SOURCES_MAX)
		return -ENOSPC;
	loop->sources[loop->source_count++] = source;
	return 0;
}

void loop_detach(struct loop *loop, struct loop_source *source)
{
	for (unsigned int i = 0; i < loop->source_count; i++) {
		if (loop->sources[i] != source)
			continue;
		loop->sources[i] = loop->sources[--loop->source_count];
		return;
	}
}

static bool is_attached(const struct loop *loop, const struct loop_source *source)
{
	for (unsigned int i = 0; i < loop->source_count; i++)
		if (loop->sources[i] == source)
			return true;
	return false;
}

int loop_run_once(struct loop *loop, int timeout_ms)
{
	struct loop_source *sources[LOOP_SOURCES_MAX];
	struct pollfd fds[LOOP_SOURCES_MAX];
	unsigned int count = loop->source_count;

	for (unsigned int i = 0; i < count; i++) {
		sources[i] = loop->sources[i];
		fds[i].fd = sources[i]->events ? sources[i]->fd : -1;
		fds[i].events = sources[i]->events;
		fds[i].revents = 0;
	}
	if (poll(fds, count, timeout_ms) < 0)
		return errno == EINTR ? 0 : -errno;
	for (unsigned int i = 0; i < count; i++) {
		/* An earlier callback of this round may have detached or paused this one. */
		if (!fds[i].revents || !is_attached(loop, sources[i]) || !sources[i]->events ||
			sources[i]->fd != fds[i].fd)
			continue;
		sources[i]->ready(sources[i]->owner, fds[i].revents);
	}
	return 0;
}

int loop_run(struct loop *loop)
{
	while (!loop->stopping) {
		int r = loop_run_once(loop, -1);

		if (r < 0)
			return r;
	}
	return 0;
}

void loop_stop(struct loop *loop)
{
	loop->stopping = true;
}
