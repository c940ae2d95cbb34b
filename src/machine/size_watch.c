/* See size_watch.h. */
#include "size_watch.h"

#include "clock.h"
#include "disk.h"
#include "virtio_blk.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#define PERIOD_NS NANOSECONDS_PER_SECOND

static void look_at(struct size_watch_disk *entry)
{
	struct err err = {0};
	int r = virtio_blk_refresh_size(entry->blk, &err);

	if (r < 0)
		log_limited(&entry->limiter, LOG_LEVEL_WARNING, "%s", err.text);
	else if (r > 0)
		log_limited(&entry->limiter, LOG_LEVEL_INFO, "%s has now %" PRIu64 " bytes",
			entry->name, disk_size_bytes(entry->disk));
}

static void period_ended(void *owner)
{
	struct size_watch *watch = owner;

	for (unsigned int i = 0; i < watch->count; i++)
		look_at(&watch->disks[i]);
	loop_timer_arm(&watch->timer, clock_monotonic_ns() + PERIOD_NS);
}

int size_watch_init(
	struct size_watch *watch, struct loop *loop, unsigned int disks_max, struct err *err)
{
	int r;

	*watch = (struct size_watch){
		.disks = calloc(disks_max, sizeof(watch->disks[0])),
	};
	if (!watch->disks)
		return err_set_errno(err, ENOMEM, "the sizes of %u disks", disks_max);
	r = loop_timer_init(&watch->timer, loop, period_ended, watch, err);
	if (r == 0)
		loop_timer_arm(&watch->timer, clock_monotonic_ns() + PERIOD_NS);
	else
		size_watch_fini(watch);
	return r;
}

void size_watch_fini(struct size_watch *watch)
{
	loop_timer_fini(&watch->timer);
	free(watch->disks);
	*watch = (struct size_watch){0};
}

void size_watch_add(
	struct size_watch *watch, const char *name, struct disk *disk, struct virtio_blk *blk)
{
	watch->disks[watch->count++] = (struct size_watch_disk){
		.name = name, .disk = disk, .blk = blk};
}
