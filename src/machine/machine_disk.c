/* See machine_disk.h. */
#include "machine_disk.h"

#include "disk.h"
#include "machine_internal.h"
#include "virtio_blk.h"

#include <errno.h>
#include <stdlib.h>

#define QUEUES_OF_ALL_DISKS 192 /* unless somebody says how many a disk has */

struct machine_disk {
	const struct machine *machine;
	const struct config_disk *config;
	const char *name; /* borrowed */
	struct virtio_blk *blk;
	unsigned int disk_count;
	struct disk *disks[CONFIG_DISK_QUEUES_MAX]; /* one for each I/O thread with queues of it */
};

static int open_image(struct machine_disk *disk, struct err *err)
{
	static const enum disk_cache caches[] = {
		[CONFIG_CACHE_WRITEBACK] = DISK_CACHE_WRITEBACK,
		[CONFIG_CACHE_WRITETHROUGH] = DISK_CACHE_WRITETHROUGH,
		[CONFIG_CACHE_UNSAFE] = DISK_CACHE_UNSAFE,
	};
	const struct config_disk *config = disk->config;
	const struct disk_options options = {
		.path = config->path,
		.read_only = config->read_only,
		.direct = config->direct,
		.cache = caches[config->cache],
		.ephemeral = config->ephemeral,
		.ephemeral_bytes = config->ephemeral_bytes,
		.rate = {.bytes_per_second = config->bytes_per_second,
			.burst_bytes = config->burst_bytes,
			.operations_per_second = config->operations_per_second,
			.burst_operations = config->burst_operations},
	};
	int r = disk_open(&options, &disk->disks[0], err);

	disk->disk_count = r == 0;
	return r;
}

/* The disk once for each I/O thread, unless all of its queues belong on one. */
static int split_image(struct machine_disk *disk, unsigned int count, struct err *err)
{
	while (disk->disk_count < count) {
		int r = disk_split(disk->disks[0], &disk->disks[disk->disk_count], err);

		if (r == -EOPNOTSUPP)
			return 0;
		if (r < 0)
			return err_prefix(err, r, "%s", disk->name);
		disk->disk_count++;
	}
	return 0;
}

/* One for each CPU, unless that made too many of them for one I/O thread and its ring. */
static unsigned int count_queues(const struct machine_disk *disk)
{
	const struct config *config = disk->machine->config;
	unsigned int queues = QUEUES_OF_ALL_DISKS / config->disk_count;

	if (disk->config->queue_count)
		return disk->config->queue_count;
	if (queues > config->cpu_count)
		queues = config->cpu_count;
	if (queues > CONFIG_DISK_QUEUES_MAX)
		queues = CONFIG_DISK_QUEUES_MAX;
	return queues ? queues : 1;
}

static int create(struct machine_disk *disk, const struct machine_io *io, unsigned int first,
	const struct virtio_fault_sink *fault_sink, struct err *err)
{
	struct virtio_blk_lane lanes[CONFIG_DISK_QUEUES_MAX];
	struct virtio_blk_options options = {
		.name = disk->name,
		.serial = disk->config->serial,
		.queues = count_queues(disk),
		.lanes = lanes,
		.gmem = &disk->machine->gmem,
		.fault_sink = *fault_sink,
	};
	int r = open_image(disk, err);

	if (r == 0)
		r = split_image(disk, options.queues < io->count ? options.queues : io->count, err);
	if (r < 0)
		return r;
	for (unsigned int i = 0; i < disk->disk_count; i++)
		lanes[i] = (struct virtio_blk_lane){
			disk->disks[i], machine_io_thread(io, first + i)};
	options.lane_count = disk->disk_count;
	r = virtio_blk_create(&options, &disk->blk, err);
	if (r == -ENOSPC)
		return err_set(err, ENOSPC,
			"%s: its I/O thread has no room for %u queues more: give the disks fewer "
			"(queues=N), or have more threads (--io-threads)",
			disk->name, options.queues);
	return r;
}

int machine_disk_create(struct machine *machine, unsigned int number, const char *name,
	const struct machine_io *io, unsigned int first, const struct virtio_fault_sink *fault_sink,
	struct machine_disk **ret_disk, struct err *err)
{
	struct machine_disk *disk = calloc(1, sizeof(*disk));
	int r;

	if (!disk)
		return err_set_errno(err, ENOMEM, "%s", name);
	disk->machine = machine;
	disk->config = &machine->config->disks[number];
	disk->name = name;
	r = create(disk, io, first, fault_sink, err);
	if (r < 0) {
		machine_disk_destroy(disk);
		return r;
	}
	*ret_disk = disk;
	return 0;
}

struct virtio_device *machine_disk_device(struct machine_disk *disk)
{
	return virtio_blk_device(disk->blk);
}

bool machine_disk_may_change_size(const struct machine_disk *disk)
{
	/* The base of an ephemeral disk has the size that it had. */
	return !disk->config->ephemeral;
}

void machine_disk_watch_size(struct machine_disk *disk, struct size_watch *watch)
{
	size_watch_add(watch, disk->name, disk->disks[0], disk->blk);
}

void machine_disk_destroy(struct machine_disk *disk)
{
	if (!disk)
		return;
	virtio_blk_destroy(disk->blk);
	for (unsigned int i = 0; i < disk->disk_count; i++)
		disk_close(disk->disks[i]);
	free(disk);
}
