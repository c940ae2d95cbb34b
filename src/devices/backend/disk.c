/*
 * What is common to all disks: bounds, the rate limit in front of the requests, the size.
 * See disk.h. Opening is in disk_open.c.
 */
#include "clock.h"
#include "disk_request.h"

#include <errno.h>
#include <inttypes.h>

static void start(struct disk *disk, struct disk_request *request)
{
	uint64_t size = disk_size_bytes(disk);

	/* Whoever asks has checked, but the size may have changed since. */
	if (request->operation != DISK_FLUSH &&
		(request->offset > size || request->length > size - request->offset)) {
		disk_complete(request, -EIO);
		return;
	}
	if (request->operation != DISK_FLUSH && !request->length) {
		disk_complete(request, 0);
		return;
	}
	if (request->operation != DISK_READ && disk->read_only) {
		disk_complete(request, request->operation == DISK_FLUSH ? 0 : -EROFS);
		return;
	}
	disk->ops->submit(disk, request);
}

void disk_complete(struct disk_request *request, int result)
{
	request->result = result;
	request->done(request);
}

/* What the limit counts: bytes that move. */
static uint64_t moved_bytes(const struct disk_request *request)
{
	bool moves = request->operation == DISK_READ || request->operation == DISK_WRITE;

	return moves ? request->length : 0;
}

static void run_limited(struct disk *disk)
{
	while (disk->limited.first) {
		uint64_t retry_ns = rate_limit_take(
			&disk->limit, clock_monotonic_ns(), moved_bytes(disk->limited.first));

		if (retry_ns) {
			io_timer_arm(disk->io_thread, &disk->limit_timer, retry_ns);
			return;
		}
		start(disk, disk_list_take(&disk->limited));
	}
}

static void limit_expired(struct io_timer *timer)
{
	run_limited(timer->owner);
}

void disk_submit(struct disk *disk, struct disk_request *request)
{
	bool waiting = disk->limited.first != NULL;

	request->disk = disk;
	if (!rate_limit_is_on(&disk->limit)) {
		start(disk, request);
		return;
	}
	disk_list_append(&disk->limited, request);
	/* Behind others it is their timer's turn. */
	if (!waiting)
		run_limited(disk);
}

void disk_hurry(struct disk *disk)
{
	struct disk_request *request;

	io_timer_cancel(disk->io_thread, &disk->limit_timer);
	while ((request = disk_list_take(&disk->limited))) {
		rate_limit_force(&disk->limit, clock_monotonic_ns(), moved_bytes(request));
		start(disk, request);
	}
}

int disk_attach(
	struct disk *disk, struct io_thread *io_thread, unsigned int requests_max, struct err *err)
{
	int r = io_thread_admit(io_thread, requests_max, err);

	if (r < 0)
		return r;
	disk->io_thread = io_thread;
	disk->limit_timer = (struct io_timer){.expired = limit_expired, .owner = disk};
	return disk->ops->attach ? disk->ops->attach(disk, err) : 0;
}

static void cancel_timer(void *context)
{
	struct disk *disk = context;

	io_timer_cancel(disk->io_thread, &disk->limit_timer);
}

void disk_detach(struct disk *disk)
{
	if (disk->io_thread)
		io_thread_call(disk->io_thread, cancel_timer, disk);
	disk->io_thread = NULL;
}

int disk_split(const struct disk *disk, struct disk **ret_disk, struct err *err)
{
	if (rate_limit_is_on(&disk->limit) || !disk->ops->split)
		return -EOPNOTSUPP;
	return disk->ops->split(disk, ret_disk, err);
}

int disk_measure(const struct disk *disk, uint64_t *ret_size_bytes, struct err *err)
{
	uint64_t size_bytes, block_bytes = disk->logical_block_bytes;
	int r = disk->ops->measure(disk, &size_bytes);

	if (r < 0)
		return err_set_errno(err, r, "its size cannot be read again");
	if (block_bytes < disk->offset_alignment)
		block_bytes = disk->offset_alignment;
	/* What does not fill a block is not there for the guest. */
	*ret_size_bytes = size_bytes & ~(block_bytes - 1);
	return 0;
}

void disk_set_size(struct disk *disk, uint64_t size_bytes)
{
	atomic_store_explicit(&disk->size_bytes, size_bytes, memory_order_relaxed);
}

void disk_close(struct disk *disk)
{
	if (disk)
		disk->ops->destroy(disk);
}
