/*
 * See virtio_rng.h.
 *
 * A request gets fewer bytes than it has room for when that is more than REQUEST_BYTES or than the
 * bucket ever holds: VIRTIO 1.2 5.4.6.2 asks for one byte at least, no more. A driver that offers
 * buffers without end is served in slices, so that other devices of the thread come in between.
 */
#include "virtio_rng.h"

#include "clock.h"
#include "rate_limit.h"
#include "virtio_device.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/random.h>

#define REQUEST_BYTES    (UINT64_C(64) << 10)
#define SLICE_BYTES      (UINT64_C(256) << 10)
#define CHAIN_COST_BYTES 64 /* what a chain costs, whatever is in it */
#define COPY_BYTES       1024
#define QUEUE_SIZE       64
#define REQUEST_QUEUE    0

struct virtio_rng {
	struct virtio_device device;
	/* [const] */
	uint64_t rate_bytes_per_second;
	uint64_t (*read_clock)(void);
	/* [io] */
	struct io_timer timer; /* the next slice, or when the bucket has enough */
	struct chain *waiting; /* popped, for tokens */
	struct rate_limit limit;
};

/* False: not yet; the timer is armed for when there is enough. */
static bool take_tokens(struct virtio_rng *rng, uint64_t bytes)
{
	uint64_t ready_ns = 0;

	if (rate_limit_is_on(&rng->limit))
		ready_ns = rate_limit_take(&rng->limit, rng->read_clock(), bytes);
	if (ready_ns)
		io_timer_arm(rng->device.io_thread, &rng->timer, ready_ns);
	return !ready_ns;
}

static uint64_t request_bytes(const struct virtio_rng *rng, const struct chain *chain)
{
	uint64_t bytes = chain->writable_bytes;

	if (bytes > REQUEST_BYTES)
		bytes = REQUEST_BYTES;
	if (rng->rate_bytes_per_second && bytes > rng->rate_bytes_per_second)
		bytes = rng->rate_bytes_per_second;
	return bytes;
}

static void fill(struct chain *chain, uint64_t bytes)
{
	uint8_t buffer[COPY_BYTES];

	while (bytes) {
		ssize_t count = getrandom(buffer, bytes < COPY_BYTES ? bytes : COPY_BYTES, 0);

		if (count < 0 && errno == EINTR)
			continue;
		/* Cannot fail on a host that runs KVM; the driver would see a short request. */
		if (count <= 0 || chain_write(chain, buffer, (uint32_t)count) < 0)
			return;
		bytes -= (uint64_t)count;
	}
}

/* 1: rng->waiting is the next chain; 0: none; -EPROTO. */
static int next_chain(struct virtio_rng *rng, struct virtq *queue)
{
	if (rng->waiting)
		return 1;
	virtq_disable_notifications(queue);
	return virtq_pop_or_ask(queue, &rng->waiting);
}

static void serve(struct virtio_rng *rng)
{
	struct virtq *queue = rng->device.queues[REQUEST_QUEUE].run;
	uint64_t slice_bytes = 0;
	int r = 0;

	/* While the timer runs a request waits, or a slice has just ended. */
	if (rng->timer.deadline_ns || atomic_load(&rng->device.broken) || !queue ||
		!virtq_is_running(queue))
		return;
	while (slice_bytes < SLICE_BYTES && (r = next_chain(rng, queue)) > 0) {
		uint64_t bytes = request_bytes(rng, rng->waiting);

		if (!take_tokens(rng, bytes))
			break;
		fill(rng->waiting, bytes);
		virtq_push(queue, take_ptr(rng->waiting));
		slice_bytes += bytes + CHAIN_COST_BYTES;
	}
	virtio_device_flush_queue(&rng->device, REQUEST_QUEUE);
	if (r < 0)
		virtio_device_break(&rng->device, REQUEST_QUEUE, "an invalid request queue");
	else if (slice_bytes >= SLICE_BYTES)
		io_timer_arm(rng->device.io_thread, &rng->timer, rng->read_clock());
}

static void timer_expired(struct io_timer *timer)
{
	serve(timer->owner);
}

static void rng_queue_notify(struct virtio_device *device, unsigned int queue)
{
	struct virtio_rng *rng = container_of(device, struct virtio_rng, device);

	(void)queue; /* there is one */
	serve(rng);
}

/* A request that waits for tokens is answered with nothing: its driver is gone. */
static void rng_quiesce(struct virtio_device *device, unsigned int queue)
{
	struct virtio_rng *rng = container_of(device, struct virtio_rng, device);

	io_timer_cancel(device->io_thread, &rng->timer);
	if (rng->waiting) {
		virtq_push(device->queues[REQUEST_QUEUE].run, take_ptr(rng->waiting));
		virtio_device_flush_queue(device, REQUEST_QUEUE);
	}
	virtio_device_quiesced(device, queue);
}

static void rng_destroy(struct virtio_device *device)
{
	struct virtio_rng *rng = container_of(device, struct virtio_rng, device);

	virtio_device_fini(device);
	free(rng);
}

static const struct virtio_device_ops rng_ops = {
	.queue_notify = rng_queue_notify,
	.quiesce = rng_quiesce,
	.destroy = rng_destroy,
};

int virtio_rng_create(const struct virtio_rng_options *options, struct virtio_device **ret_device,
	struct err *err)
{
	const struct rate_limit_options limit = {
		.bytes_per_second = options->rate_bytes_per_second,
		.burst_bytes = options->rate_bytes_per_second,
	};
	struct virtio_rng *rng = calloc(1, sizeof(*rng));
	int r;

	if (!rng)
		return err_set(err, ENOMEM, "%s: out of memory", options->name);
	rng->device = (struct virtio_device){
		.ops = &rng_ops,
		.name = options->name,
		.device_id = VIRTIO_ID_ENTROPY,
		/* One request after the other as it is. */
		.offered_features = UINT64_C(1) << VIRTIO_F_IN_ORDER,
		.queue_count = 1,
		.queue_size_max = QUEUE_SIZE,
		.gmem = options->gmem,
		.io_thread = options->io_thread,
	};
	rng->device.queues[REQUEST_QUEUE].segments_max = QUEUE_SIZE;
	rng->timer = (struct io_timer){.expired = timer_expired, .owner = rng};
	rng->read_clock = options->read_clock ? options->read_clock : clock_monotonic_ns;
	rng->rate_bytes_per_second = options->rate_bytes_per_second;
	rate_limit_init(&rng->limit, &limit);
	r = virtio_device_init(&rng->device, err);
	if (r < 0) {
		free(rng);
		return r;
	}
	*ret_device = &rng->device;
	return 0;
}
