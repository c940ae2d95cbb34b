/* See virtio_fs.h. */
#include "virtio_fs.h"

#include "clock.h"
#include "fs_request.h"
#include "virtio_device.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define QUEUES        2 /* one for requests that must not wait for others; they do not wait long */
#define QUEUE_SIZE    512 /* Linux takes from it how many pages a request may have */
#define TURN_REQUESTS 64
#define CONFIG_BYTES  (VIRTIO_FS_TAG_MAX + 4)

struct virtio_fs {
	struct virtio_device device;
	uint8_t config[CONFIG_BYTES]; /* [const] 5.11.4 */
	/* [io] */
	struct io_timer timer; /* the next turn */
	struct fs_session session;
};

/* As how many requests of its turn one counts: a large read as those that it is worth. */
static unsigned int count_served(const struct chain *chain)
{
	const uint64_t transfers = chain->written_bytes / FS_TRANSFER_BYTES_MAX;

	return transfers > 1 ? (unsigned int)transfers : 1;
}

/* Returns how many requests of the turn are left. */
static unsigned int serve_queue(struct virtio_fs *fs, unsigned int index, unsigned int left)
{
	struct virtq *queue = fs->device.queues[index].run;
	struct chain *chain;
	unsigned int count;
	int r = 1;

	if (atomic_load(&fs->device.broken) || !queue || !virtq_is_running(queue))
		return left;
	virtq_disable_notifications(queue);
	while (left && (r = virtq_pop_or_ask(queue, &chain)) > 0) {
		fs_serve(&fs->session, chain);
		count = count_served(chain);
		virtq_push(queue, chain);
		left -= count < left ? count : left;
	}
	virtio_device_flush_queue(&fs->device, index);
	if (r < 0)
		virtio_device_break(&fs->device, index, "an invalid queue");
	return left;
}

static void serve(struct virtio_fs *fs)
{
	unsigned int left = TURN_REQUESTS;

	if (fs->timer.deadline_ns)
		return;
	for (unsigned int i = 0; i < QUEUES; i++)
		left = serve_queue(fs, i, left);
	if (!left)
		io_timer_arm(fs->device.io_thread, &fs->timer, clock_monotonic_ns());
}

static void timer_expired(struct io_timer *timer)
{
	serve(timer->owner);
}

static void fs_queue_notify(struct virtio_device *device, unsigned int queue)
{
	(void)queue;
	serve(container_of(device, struct virtio_fs, device));
}

static void fs_quiesce(struct virtio_device *device, unsigned int queue)
{
	struct virtio_fs *fs = container_of(device, struct virtio_fs, device);

	if (queue == VIRTIO_QUEUES_MAX) {
		io_timer_cancel(device->io_thread, &fs->timer);
		share_reset(fs->session.share);
	}
	virtio_device_quiesced(device, queue);
}

static void fs_read_config(
	struct virtio_device *device, uint32_t offset, void *bytes, uint32_t size)
{
	memcpy(bytes, container_of(device, struct virtio_fs, device)->config + offset, size);
}

static void fs_device_destroy(struct virtio_device *device)
{
	virtio_device_fini(device);
	free(container_of(device, struct virtio_fs, device));
}

static const struct virtio_device_ops fs_ops = {
	.read_config = fs_read_config,
	.queue_notify = fs_queue_notify,
	.quiesce = fs_quiesce,
	.destroy = fs_device_destroy,
};

int virtio_fs_create(
	const struct virtio_fs_options *options, struct virtio_device **ret_device, struct err *err)
{
	struct virtio_fs *fs = calloc(1, sizeof(*fs));
	int r;

	if (!fs)
		return err_set(err, ENOMEM, "%s: out of memory", options->name);
	fs->device = (struct virtio_device){
		.ops = &fs_ops,
		.name = options->name,
		.device_id = VIRTIO_ID_FS,
		.config_bytes = CONFIG_BYTES,
		.queue_count = QUEUES,
		.queue_size_max = QUEUE_SIZE,
		.gmem = options->gmem,
		.io_thread = options->io_thread,
	};
	memcpy(fs->config, options->tag, strnlen(options->tag, VIRTIO_FS_TAG_MAX));
	fs->config[VIRTIO_FS_TAG_MAX] = QUEUES - 1;
	fs->timer = (struct io_timer){.expired = timer_expired, .owner = fs};
	fs->session.share = options->share;
	r = virtio_device_init(&fs->device, err);
	if (r < 0) {
		free(fs);
		return r;
	}
	*ret_device = &fs->device;
	return 0;
}
