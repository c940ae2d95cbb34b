/*
 * A virtio block device: takes requests from its queues, has the disk carry them out, answers.
 * VIRTIO 1.2 5.2.6. I/O thread, but for create, destroy and refresh.
 *
 * A request lives in the slot that its chain's head names: no other chain has that head while it is
 * out, so nothing is searched or allocated. What is pushed in one round of the I/O thread is
 * published together at its end, with one notification a queue.
 *
 * A flush is handed on at once: writes that the driver knows to be done have reached the host, and
 * no others are promised to be covered.
 */
#include "blk_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* In the past: the timer expires at the end of this round of callbacks. */
#define THIS_ROUND 1

static struct virtq *run_half(const struct blk_queue *queue)
{
	return queue->blk->device.queues[queue->index].run;
}

/* --- Answers --- */

static void flush_queue(struct blk_queue *queue)
{
	if (!queue->is_flush_due)
		return;
	queue->is_flush_due = false;
	virtio_device_flush_queue(&queue->blk->device, queue->index);
}

static void flush_expired(struct io_timer *timer)
{
	const struct blk_lane *lane = timer->owner;

	for (unsigned int i = 0; i < lane->blk->device.queue_count; i++)
		if (lane->blk->queues[i].lane == lane)
			flush_queue(&lane->blk->queues[i]);
}

static void push(struct blk_queue *queue, struct chain *chain)
{
	struct blk_lane *lane = queue->lane;

	virtq_push(run_half(queue), chain);
	queue->is_flush_due = true;
	if (!lane->flush_timer.deadline_ns)
		io_timer_arm(lane->io_thread, &lane->flush_timer, THIS_ROUND);
}

static void answer(struct blk_queue *queue, struct chain *chain, uint8_t status)
{
	(void)!chain_write_last(chain, &status, sizeof(status)); /* decode saw room for it */
	push(queue, chain);
}

/* --- Coming to rest --- */

static bool is_at_rest(const struct blk_lane *lane)
{
	const struct virtio_blk *blk = lane->blk;

	for (unsigned int i = 0; i < blk->device.queue_count; i++)
		if (blk->queues[i].lane == lane && blk->queues[i].in_flight)
			return false;
	return true;
}

static void answer_quiesce(struct blk_queue *queue)
{
	struct virtio_blk *blk = queue->blk;
	struct blk_lane *lane = queue->lane;

	if (queue->is_quiescing && !queue->in_flight) {
		queue->is_quiescing = false;
		flush_queue(queue);
		virtio_device_quiesced(&blk->device, queue->index);
	}
	if (lane->is_quiescing && is_at_rest(lane)) {
		lane->is_quiescing = false;
		flush_expired(&lane->flush_timer);
		io_timer_cancel(lane->io_thread, &lane->flush_timer);
		/* The last lane to be asked: no other needs to know any more. */
		if (lane == &blk->lanes[blk->lane_count - 1])
			blk_forget_choice(blk);
		virtio_device_quiesced(&blk->device, VIRTIO_QUEUES_MAX);
	}
}

/* Lane i has queue i, its first. */
static unsigned int first_queue_here(const struct virtio_blk *blk)
{
	unsigned int i = 0;

	while (!io_thread_is_current(blk->lanes[i].io_thread))
		i++;
	return i;
}

static void blk_quiesce(struct virtio_device *device, unsigned int index)
{
	struct virtio_blk *blk = container_of(device, struct virtio_blk, device);
	bool all = index == VIRTIO_QUEUES_MAX;
	struct blk_queue *queue = &blk->queues[all ? first_queue_here(blk) : index];
	struct blk_lane *lane = queue->lane;

	if (all)
		lane->is_quiescing = true;
	else
		queue->is_quiescing = true;
	/* Somebody waits: the rate limit is no reason to keep a vCPU. */
	lane->is_hurried = true;
	disk_hurry(lane->disk);
	lane->is_hurried = false;
	answer_quiesce(queue);
}

/* --- Requests --- */

static void submit_range(struct blk_slot *slot)
{
	const struct blk_range *range = &slot->request.ranges[slot->next_range++];
	struct disk_request *request = &slot->disk_request;

	request->offset = range->offset;
	request->length = range->length;
	request->unmap = range->unmap;
	disk_submit(slot->queue->lane->disk, request);
}

static void disk_done(struct disk_request *request)
{
	struct blk_slot *slot = container_of(request, struct blk_slot, disk_request);
	struct blk_queue *queue = slot->queue;

	if (request->result == 0 && slot->next_range < slot->request.range_count) {
		submit_range(slot);
		return;
	}
	if (request->result == 0 && request->operation == DISK_READ)
		(void)!chain_count_written(slot->chain, slot->request.ranges[0].length);
	answer(queue, slot->chain, request->result == 0 ? BLK_S_OK : BLK_S_IOERR);
	queue->in_flight--;
	if (!queue->lane->is_hurried)
		answer_quiesce(queue);
}

/* The data's place in guest memory. False: in more pieces than the driver was allowed. */
static bool take_data(struct blk_slot *slot)
{
	uint64_t length = slot->request.ranges[0].length;
	int count = slot->request.operation == BLK_READ
	                    ? chain_take_writable(slot->chain, length, slot->iov, BLK_SEGMENTS_MAX)
	                    : chain_take_readable(slot->chain, length, slot->iov, BLK_SEGMENTS_MAX);

	slot->disk_request.iov = slot->iov;
	slot->disk_request.iov_count = count < 0 ? 0 : (unsigned int)count;
	return count >= 0;
}

static void start_request(struct blk_slot *slot)
{
	static const enum disk_operation operations[] = {
		[BLK_READ] = DISK_READ,
		[BLK_WRITE] = DISK_WRITE,
		[BLK_FLUSH] = DISK_FLUSH,
		[BLK_DISCARD] = DISK_DISCARD,
		[BLK_WRITE_ZEROES] = DISK_WRITE_ZEROES,
	};
	struct blk_queue *queue = slot->queue;
	enum blk_operation operation = slot->request.operation;

	if ((operation == BLK_READ || operation == BLK_WRITE) && !take_data(slot)) {
		answer(queue, slot->chain, BLK_S_IOERR);
		return;
	}
	slot->disk_request.operation = operations[operation];
	slot->disk_request.durable = operation != BLK_READ && blk_writes_through(queue->blk);
	slot->disk_request.done = disk_done;
	slot->next_range = 0;
	queue->in_flight++;
	/* A flush has no range of the disk. */
	if (operation == BLK_FLUSH)
		disk_submit(queue->lane->disk, &slot->disk_request);
	else
		submit_range(slot);
}

static void answer_id(struct blk_queue *queue, struct chain *chain)
{
	/* 5.2.6: not terminated when it is as long as that. */
	(void)!chain_write(chain, queue->blk->serial, BLK_ID_BYTES); /* decode saw room for it */
	answer(queue, chain, BLK_S_OK);
}

static void take_request(struct blk_queue *queue, struct chain *chain)
{
	struct virtio_blk *blk = queue->blk;
	struct blk_slot *slot = &queue->slots[chain->head];
	struct blk_limits limits;
	int status;

	blk_limits(blk, &limits);
	slot->queue = queue;
	slot->chain = chain;
	status = blk_request_decode(chain, &limits, &slot->request);
	if (status == -EPROTO) {
		push(queue, chain);
		virtio_device_break(
			&blk->device, queue->index, "a request has no room for its status");
	} else if (status != BLK_S_OK) {
		answer(queue, chain, (uint8_t)status);
	} else if (slot->request.operation == BLK_GET_ID) {
		answer_id(queue, chain);
	} else {
		start_request(slot);
	}
}

static bool takes_requests(const struct blk_queue *queue)
{
	const struct virtio_blk *blk = queue->blk;

	return !queue->is_quiescing && !queue->lane->is_quiescing &&
	       !atomic_load(&blk->device.broken) && virtq_is_running(run_half(queue));
}

/* As many as the queue holds at once; requests that are answered on the spot could otherwise keep
 * everybody else on this thread waiting. 1: that many were taken. */
static int take_requests(struct blk_queue *queue)
{
	struct chain *chain;
	int r = 1;

	for (unsigned int i = 0; i < BLK_QUEUE_SIZE_MAX; i++) {
		if (!takes_requests(queue))
			return 0;
		r = virtq_pop(run_half(queue), &chain);
		if (r <= 0)
			return r;
		take_request(queue, chain);
	}
	return r;
}

static void blk_queue_notify(struct virtio_device *device, unsigned int index)
{
	struct virtio_blk *blk = container_of(device, struct virtio_blk, device);
	struct blk_queue *queue = &blk->queues[index];
	int r;

	if (!takes_requests(queue))
		return;
	virtq_disable_notifications(run_half(queue));
	do
		r = take_requests(queue);
	while (r == 0 && takes_requests(queue) && virtio_device_rest_queue(device, index));
	if (r > 0)
		virtio_device_notify(device, index);
	else if (r < 0)
		virtio_device_break(device, index, "its queue is corrupt");
}

/* --- Main thread --- */

static void blk_device_destroy(struct virtio_device *device)
{
	virtio_blk_destroy(container_of(device, struct virtio_blk, device));
}

static const struct virtio_device_ops blk_ops = {
	.read_config = blk_read_config,
	.write_config = blk_write_config,
	.queue_notify = blk_queue_notify,
	.quiesce = blk_quiesce,
	.destroy = blk_device_destroy,
};

static void release(struct virtio_blk *blk)
{
	for (unsigned int i = 0; blk->queues && i < blk->device.queue_count; i++)
		free(blk->queues[i].slots);
	free(blk->queues);
	free(blk->lanes);
	free(blk->name);
	free(blk);
}

static int create_queues(struct virtio_blk *blk, const struct virtio_blk_options *options)
{
	blk->queues = calloc(blk->device.queue_count, sizeof(*blk->queues));
	blk->lanes = calloc(options->lane_count, sizeof(*blk->lanes));
	if (!blk->queues || !blk->lanes)
		return -ENOMEM;
	for (unsigned int i = 0; i < options->lane_count; i++) {
		struct blk_lane *lane = &blk->lanes[i];

		lane->blk = blk;
		lane->io_thread = options->lanes[i].io_thread;
		lane->disk = options->lanes[i].disk;
		lane->flush_timer = (struct io_timer){.expired = flush_expired, .owner = lane};
	}
	for (unsigned int i = 0; i < blk->device.queue_count; i++) {
		struct blk_queue *queue = &blk->queues[i];

		queue->blk = blk;
		queue->index = i;
		queue->lane = &blk->lanes[i % options->lane_count];
		blk->device.queues[i].io_thread = queue->lane->io_thread;
		blk->device.queues[i].segments_max = BLK_SEGMENTS_MAX;
		queue->slots = calloc(BLK_QUEUE_SIZE_MAX, sizeof(*queue->slots));
		if (!queue->slots)
			return -ENOMEM;
	}
	return 0;
}

static void detach_disks(struct virtio_blk *blk)
{
	for (; blk->lane_count; blk->lane_count--)
		disk_detach(blk->lanes[blk->lane_count - 1].disk);
}

static int attach_disks(struct virtio_blk *blk, unsigned int lane_count, struct err *err)
{
	while (blk->lane_count < lane_count) {
		const struct blk_lane *lane = &blk->lanes[blk->lane_count];
		/* Of the queues from its own on, every one in lane_count. */
		unsigned int queues = (blk->device.queue_count - blk->lane_count - 1) / lane_count +
		                      1;
		int r = disk_attach(lane->disk, lane->io_thread, queues * BLK_QUEUE_SIZE_MAX, err);

		if (r < 0) {
			detach_disks(blk);
			return r;
		}
		blk->lane_count++;
	}
	return 0;
}

static int init(struct virtio_blk *blk, const struct virtio_blk_options *options, struct err *err)
{
	blk->disk = options->lanes[0].disk;
	blk->name = strdup(options->name);
	blk->device.ops = &blk_ops;
	blk->device.name = blk->name;
	blk->device.device_id = VIRTIO_ID_BLOCK;
	blk->device.config_bytes = BLK_CONFIG_BYTES;
	blk->device.queue_count = options->queues;
	blk->device.queue_size_max = BLK_QUEUE_SIZE_MAX;
	blk->device.gmem = options->gmem;
	blk->device.io_thread = options->lanes[0].io_thread;
	blk->device.fault_sink = options->fault_sink;
	blk->device.withheld_features = options->withheld_features;
	blk->device.offered_features = blk_offered_features(blk);
	blk_forget_choice(blk);
	if (options->serial)
		memcpy(blk->serial, options->serial, strlen(options->serial));
	if (!blk->name || create_queues(blk, options) < 0)
		return err_set(err, ENOMEM, "%s: out of memory", options->name);
	return attach_disks(blk, options->lane_count, err);
}

int virtio_blk_create(
	const struct virtio_blk_options *options, struct virtio_blk **ret_blk, struct err *err)
{
	struct virtio_blk *blk;
	int r;

	if (!options->queues || options->queues > VIRTIO_QUEUES_MAX)
		return err_set(err, EINVAL, "%s: it can have 1 to %d queues", options->name,
			VIRTIO_QUEUES_MAX);
	if (!options->lane_count || options->lane_count > options->queues)
		return err_set(err, EINVAL, "%s: %u I/O threads are none or more than queues",
			options->name, options->lane_count);
	if (options->serial && strlen(options->serial) > BLK_ID_BYTES)
		return err_set(err, EINVAL, "%s: its serial '%s' is longer than %d bytes",
			options->name, options->serial, BLK_ID_BYTES);
	blk = calloc(1, sizeof(*blk));
	if (!blk)
		return err_set(err, ENOMEM, "%s: out of memory", options->name);
	r = init(blk, options, err);
	if (r == 0) {
		r = virtio_device_init(&blk->device, err);
		if (r < 0)
			detach_disks(blk);
	}
	if (r < 0) {
		release(blk);
		return r;
	}
	*ret_blk = blk;
	return 0;
}

struct virtio_device *virtio_blk_device(struct virtio_blk *blk)
{
	return &blk->device;
}

void virtio_blk_destroy(struct virtio_blk *blk)
{
	if (!blk)
		return;
	virtio_device_fini(&blk->device);
	detach_disks(blk);
	release(blk);
}

static void take_size(struct virtio_device *device, void *context)
{
	const struct virtio_blk *blk = container_of(device, struct virtio_blk, device);
	const uint64_t *size_bytes = context;

	/* The first one's size is what the driver is told, and it comes last. */
	for (unsigned int i = blk->lane_count; i > 0; i--)
		disk_set_size(blk->lanes[i - 1].disk, *size_bytes);
}

int virtio_blk_refresh_size(struct virtio_blk *blk, struct err *err)
{
	uint64_t size_bytes;
	int r = disk_measure(blk->disk, &size_bytes, err);

	if (r < 0)
		return err_prefix(err, r, "%s", blk->name);
	if (size_bytes == disk_size_bytes(blk->disk))
		return 0;
	virtio_device_change_config(&blk->device, take_size, &size_bytes);
	return 1;
}
