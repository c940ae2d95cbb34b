/*
 * A virtqueue, device side: VIRTIO 1.2 2.7 (split) and 2.8 (packed), one interface.
 *
 * Two halves. The *configuration* (size, addresses, enabled) belongs to the transport, under the
 * device's lock. The *run half* belongs to the thread that virtq_start was called on (the queue's
 * I/O thread) until virtq_stop. Guest memory is read once per word and nothing after virtq_pop
 * looks at a descriptor again; what we have written is never read back.
 */
#pragma once

#include "chain.h"
#include "compiler.h"
#include "gmem.h"

#include <stdbool.h>
#include <stdint.h>

#define VIRTQ_SIZE_MAX 1024

struct virtq_config {
	uint16_t size_max; /* [const] what the device offers */
	uint16_t size;     /* [devlock] as the driver chose; size_max after reset */
	bool enabled;      /* [devlock] frozen once true, until reset */
	uint64_t descriptor_area, driver_area, device_area; /* [devlock] guest addresses */
};

enum virtq_format { VIRTQ_SPLIT, VIRTQ_PACKED };

/* What the driver has accepted, as far as queues care. */
struct virtq_features {
	enum virtq_format format;
	bool indirect;  /* VIRTIO_F_INDIRECT_DESC */
	bool event_idx; /* VIRTIO_F_EVENT_IDX */
	bool in_order;  /* VIRTIO_F_IN_ORDER */
};

/* Size (split: a power of two; at most size_max), alignment (2.7: 16, 2, 4; 2.8.10.1: 16, 4, 4) and
 * residence in RAM of all three areas: once, here. -EINVAL. */
must_check int virtq_config_check(const struct virtq_config *config, const struct gmem *gmem,
	const struct virtq_features *features);

struct virtq; /* the run half */

/* segments_max: the most buffers of one chain; address space for size_max * segments_max spans is
 * reserved, memory only where chains are that long. Nothing is allocated after this. The queue is
 * stopped. -EINVAL: a size or number of segments of 0, or a size above VIRTQ_SIZE_MAX. */
must_check int virtq_create(const struct gmem *gmem, uint16_t size_max, uint16_t segments_max,
	struct virtq **ret_queue);
void virtq_destroy(struct virtq *queue);

/* Where both sides are in the rings. Zero is not the beginning: virtq_start is. */
struct virtq_position {
	uint16_t next_available, next_used; /* split: free running; packed: offsets */
	bool available_wrap, used_wrap;     /* packed */
};

/* Takes the configuration over: checked already (one that does not pass virtq_config_check gives a
 * queue from which every pop fails). The indices start at 0; a queue may be started again after
 * virtq_stop, whatever became of the first run. */
void virtq_start(struct virtq *queue, const struct virtq_config *config,
	const struct virtq_features *features);
/* Likewise, going on where virtq_position said that the queue was. */
void virtq_start_at(struct virtq *queue, const struct virtq_config *config,
	const struct virtq_features *features, const struct virtq_position *position);
/* No chain may be outstanding; what was pushed and not flushed is lost. */
void virtq_stop(struct virtq *queue);
bool virtq_is_running(const struct virtq *queue);
/* Running, nothing outstanding, everything flushed. */
struct virtq_position virtq_position(const struct virtq *queue);

/* 1: *ret_chain is the next chain; 0: none is available; -EPROTO: the driver broke the rules (the
 * device needs a reset; nothing more is taken from this queue until then). All checks of 2.7.4 to
 * 2.7.7 and 2.8.5 to 2.8.8 are here: ring delta, head in range and not in flight, hop bound,
 * readable before writable, INDIRECT only if negotiated, not nested, not with NEXT, table length a
 * non-zero multiple of 16, each buffer inside RAM, total at most 4 GiB, at most segments_max. A
 * buffer of no bytes is no buffer: its address does not matter. */
must_check int virtq_pop(struct virtq *queue, struct chain **ret_chain);

/* Consumes the chain: its used length is what its writer has counted. Takes effect for the driver
 * at the next flush. Any order unless in_order was accepted (then in order of pop: the queue holds
 * later ones back by itself, and whole batches become one used element). */
void virtq_push(struct virtq *queue, struct chain *chain);

/* Publishes what was pushed, by one release store; true: the driver wants a used buffer
 * notification (2.7.7, 2.8.10). */
must_check bool virtq_flush(struct virtq *queue);

/* Asks the driver for available buffer notifications, or asks it to leave them off. After enabling,
 * true: something became available meanwhile, pop again (the barrier is inside). */
must_check bool virtq_enable_notifications(struct virtq *queue);
void virtq_disable_notifications(struct virtq *queue);

/* As virtq_pop, but 0 only when the driver has been asked to notify and nothing came meanwhile. */
must_check static inline int virtq_pop_or_ask(struct virtq *queue, struct chain **ret_chain)
{
	int r;

	do
		r = virtq_pop(queue, ret_chain);
	while (r == 0 && virtq_enable_notifications(queue));
	return r;
}

/* Would a pop find something? One read of guest memory; does not ask for notifications. */
bool virtq_has_available(const struct virtq *queue);

/* Chains popped and not yet pushed. */
unsigned int virtq_outstanding(const struct virtq *queue);
