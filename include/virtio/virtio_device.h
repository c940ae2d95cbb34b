/*
 * A virtio device, whatever it does and however it is reached: the status machine (VIRTIO 1.2 2.1,
 * 3.1), feature negotiation, queue configuration and the way queues move to their I/O thread and
 * back live here, once. Concrete devices embed this and fill in data and a table of ops; transports
 * (mmio, pci) decode registers and call the functions below.
 *
 * Transport calls come from any vCPU thread and take the device's lock. At DRIVER_OK the queues are
 * handed to the I/O thread by message; writing status 0 quiesces: the call returns when nothing is
 * in flight any more. The device's lock is held meanwhile, so nothing that runs on the I/O thread
 * may take it; what the I/O thread needs is atomic or under the config lock.
 *
 * Order of locks: PCI host bridge, device, config, and then the leaves of transports (MSI-X table,
 * interrupt line). Nothing calls upward with one of them held.
 */
#pragma once

#include "compiler.h"
#include "err.h"
#include "gmem.h"
#include "io_thread.h"
#include "virtq.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define VIRTIO_QUEUES_MAX 64

#define VIRTIO_ID_NETWORK 1
#define VIRTIO_ID_BLOCK   2
#define VIRTIO_ID_CONSOLE 3
#define VIRTIO_ID_ENTROPY 4
#define VIRTIO_ID_SOCKET  19
#define VIRTIO_ID_FS      26

/* 2.1 */
#define VIRTIO_STATUS_ACKNOWLEDGE 1
#define VIRTIO_STATUS_DRIVER      2
#define VIRTIO_STATUS_DRIVER_OK   4
#define VIRTIO_STATUS_FEATURES_OK 8
#define VIRTIO_STATUS_NEEDS_RESET 64
#define VIRTIO_STATUS_FAILED      128

/* 6 */
#define VIRTIO_F_INDIRECT_DESC     28
#define VIRTIO_F_EVENT_IDX         29
#define VIRTIO_F_VERSION_1         32
#define VIRTIO_F_ACCESS_PLATFORM   33
#define VIRTIO_F_RING_PACKED       34
#define VIRTIO_F_IN_ORDER          35
#define VIRTIO_F_NOTIFICATION_DATA 38
#define VIRTIO_F_RING_RESET        40

struct virtio_device;

/* How a device reaches its driver; behind it are irqfds, in tests counters. From any thread; takes
 * no lock of the device or above it (configuration_changed is called with the config lock held),
 * does not block. */
struct virtio_notifier {
	void (*used_buffer)(void *transport, unsigned int queue);
	void (*configuration_changed)(void *transport);
	/* An eventfd by which others do what used_buffer does, until the transport calls
	 * virtio_device_notifier_changed; -1: there is none. May be NULL. */
	int (*used_buffer_fd)(void *transport, unsigned int queue);
	void *transport;
};

/* Told once when a device breaks (NEEDS_RESET), for the machine's log; again only after a reset.
 * queue: VIRTIO_QUEUES_MAX when none is to blame. From the I/O thread or a vCPU thread with the
 * device lock held: must not call the device. */
struct virtio_fault_sink {
	void (*broken)(void *owner, const struct virtio_device *device, unsigned int queue,
		const char *why);
	void *owner;
};

struct virtio_device_ops {
	/* Configuration space, offset + size inside config_bytes; device lock and config lock held.
	 * read fills the bytes; read NULL: zeroes; write NULL: read-only. Writes come only once
	 * FEATURES_OK is set (3.1.1), unless takes_early_writes. */
	void (*read_config)(
		struct virtio_device *device, uint32_t offset, void *bytes, uint32_t size);
	void (*write_config)(
		struct virtio_device *device, uint32_t offset, const void *bytes, uint32_t size);
	/* The device's I/O thread, before the first queue_notify: features are final, the enabled
	 * queues of this thread run. Failure breaks the device. May be NULL. */
	int (*activate)(struct virtio_device *device);
	/* The queue's I/O thread, when it starts, before activate: true when somebody else (the
	 * host's kernel) runs it from now on, with its notify_fd, until quiesce names it or
	 * virtio_device_take_queue. It neither runs here nor is it notified. May be NULL. */
	bool (*hand_over)(struct virtio_device *device, unsigned int queue);
	/* Device lock held: the notifier's used_buffer_fd may have changed. May be NULL. */
	void (*notifier_changed)(struct virtio_device *device);
	/* I/O thread: the driver made something available in the queue, or may have. Only while
	 * the queue runs and the device is not broken; also once after each start of a queue. */
	void (*queue_notify)(struct virtio_device *device, unsigned int queue);
	/* I/O thread: take no more chains of the queue (VIRTIO_QUEUES_MAX: of all queues of this
	 * thread), push what only waits for input or time, and call virtio_device_quiesced with the
	 * same queue once none is outstanding; at once if so. queue_notify is not called for it any
	 * more. Queues that do not run may be named, too. A broken device is quiesced as well. One
	 * thread after the other is asked, the device's own first, then by their first queue. NULL:
	 * never has a chain outstanding between callbacks.
	 */
	void (*quiesce)(struct virtio_device *device, unsigned int queue);
	/* Main thread. */
	void (*destroy)(struct virtio_device *device);
};

struct virtio_queue {
	struct virtq_config config;   /* [devlock]; size_max: [const], 0: queue_size_max */
	struct virtq *run;            /* [io] between activate and quiesced */
	bool was_reset;               /* [devlock] by itself: may be enabled after DRIVER_OK */
	uint16_t segments_max;        /* [const] by the device; 0: as many as descriptors */
	struct virtio_device *device; /* [const] */
	struct io_thread *io_thread;  /* [const] by the device; NULL: the device's */
	int notify_fd;           /* [const] eventfd that the transport's ioeventfd writes; owned */
	bool attached;           /* [io] event is with the I/O thread */
	struct io_event event;   /* [io] */
	struct io_poller poller; /* [io] */
};

struct virtio_device {
	/* [const] by the concrete device: */
	const struct virtio_device_ops *ops;
	const char *name; /* "disk 'root'", for messages */
	uint32_t device_id;
	uint64_t offered_features; /* of the device; the core adds the ring's own */
	uint32_t config_bytes;
	bool takes_early_writes; /* of configuration space, whatever the status is */
	unsigned int queue_count;
	uint16_t queue_size_max;
	/* [const] by the machine: */
	const struct gmem *gmem;
	struct io_thread *io_thread; /* of the queues that name no other */
	struct virtio_fault_sink fault_sink;
	uint64_t withheld_features; /* never offered, whatever device and ring could do */
	/* [const] by the transport: */
	struct virtio_notifier notifier;
	uint64_t transport_features; /* offered because the transport can do it */

	pthread_mutex_t lock;
	uint8_t status;             /* [devlock] without NEEDS_RESET */
	uint64_t accepted_features; /* [devlock]; [io] read-only while active */
	bool accepted_unknown;      /* [devlock] a feature bit above 63 */
	_Atomic bool active;        /* [atomic] set under devlock: queues are with the I/O thread */
	_Atomic bool broken;        /* [atomic] NEEDS_RESET */

	pthread_mutex_t config_lock;
	uint32_t config_generation; /* [config lock] */
	bool driver_ok;             /* [config lock] the driver may be notified */

	unsigned int quiescing; /* [io] of the thread that is asked: queue, VIRTIO_QUEUES_MAX for
	                         * all, above it: no */
	pthread_mutex_t quiesce_lock;
	pthread_cond_t quiesce_done;
	bool quiesced; /* [quiesce lock] */
	struct virtio_queue queues[VIRTIO_QUEUES_MAX];
};

/* Allocates queues and eventfds. Main thread; everything marked [const] by device and machine is
 * set, the rest is zero. On failure nothing is left. */
must_check int virtio_device_init(struct virtio_device *device, struct err *err);
/* Quiesces first, so the I/O thread must still run and the device's ops work. */
void virtio_device_fini(struct virtio_device *device);

/* --- For transports; each takes the lock. --- */

uint64_t virtio_device_features(const struct virtio_device *device); /* all that are offered */
/* Bits 32 * word and up. Ignored unless DRIVER is set and FEATURES_OK is not (3.1.1). */
void virtio_device_accept_features(struct virtio_device *device, uint32_t word, uint32_t value);
uint64_t virtio_device_accepted_features(struct virtio_device *device); /* as written so far */
uint8_t virtio_device_status(struct virtio_device *device);
/* What the transition table does not allow is ignored; the driver sees that when it reads back. */
void virtio_device_set_status(struct virtio_device *device, uint8_t status);
/* A copy; all zero when there is no such queue. */
struct virtq_config virtio_device_queue(struct virtio_device *device, unsigned int queue);
/* Ignored unless the state allows it: after FEATURES_OK, before DRIVER_OK (or after a reset of the
 * queue), not while enabled (3.1.1, 4.1.4.3.2). Values are judged when the queue is enabled. */
void virtio_device_set_queue_size(struct virtio_device *device, unsigned int queue, uint16_t size);
enum virtio_queue_area { VIRTIO_QUEUE_DESCRIPTOR, VIRTIO_QUEUE_DRIVER, VIRTIO_QUEUE_DEVICE };
void virtio_device_set_queue_area(struct virtio_device *device, unsigned int queue,
	enum virtio_queue_area area, bool high, uint32_t value);
/* A configuration that virtq_config_check refuses leaves the queue disabled and the device broken:
 * drivers do not read back what they have enabled, and would wait for ever for a queue that is
 * silently ignored. */
void virtio_device_enable_queue(struct virtio_device *device, unsigned int queue);
/* virtio-mmio's QueueReady 0 (4.2.2.2): returns when nothing of the queue is in flight. */
void virtio_device_disable_queue(struct virtio_device *device, unsigned int queue);
/* Ring reset, 2.6.1; likewise. False, and nothing happens, unless the feature was accepted. */
bool virtio_device_reset_queue(struct virtio_device *device, unsigned int queue);
/* Bytes outside the configuration space read as zero and are not written. */
void virtio_device_read_config(
	struct virtio_device *device, uint32_t offset, void *bytes, uint32_t size);
uint32_t virtio_device_config_generation(struct virtio_device *device);
void virtio_device_write_config(
	struct virtio_device *device, uint32_t offset, const void *bytes, uint32_t size);
/* The eventfds of its notifier may be others than before. */
void virtio_device_notifier_changed(struct virtio_device *device);
/* A notification that did not come through the ioeventfd. Takes no lock; ignored while inactive. */
void virtio_device_notify(struct virtio_device *device, unsigned int queue);
/* Power-on state; no vCPU runs. */
void virtio_device_reset(struct virtio_device *device);

/* --- For concrete devices. --- */

/* I/O thread: publishes what was pushed and notifies the driver if it wants that. */
void virtio_device_flush_queue(struct virtio_device *device, unsigned int queue);
/* I/O thread: nothing more is in the queue. Asks for notifications, unless the thread looks at the
 * queue by itself for now. True: something came meanwhile, pop again. Only behind
 * virtq_disable_notifications. */
must_check bool virtio_device_rest_queue(struct virtio_device *device, unsigned int queue);
/* The queue's I/O thread: one that was handed over is run here, from that entry of its (split)
 * rings on. */
void virtio_device_take_queue(struct virtio_device *device, unsigned int index, uint16_t position);
/* As the notifier's op of that name; device lock held, or the I/O thread where that is held for it.
 */
int virtio_device_used_buffer_fd(struct virtio_device *device, unsigned int queue);
/* Any thread: a used buffer notification for who runs a queue that was handed over. */
void virtio_device_notify_driver(struct virtio_device *device, unsigned int queue);
/* I/O thread: ring corruption or the like: NEEDS_RESET, the driver is told once, and the queues are
 * taken nothing from until reset. What is in flight completes as usual. why: for the fault sink. */
void virtio_device_break(struct virtio_device *device, unsigned int queue, const char *why);
/* The asked I/O thread: the answer to ops->quiesce. The queues are stopped when it returns. */
void virtio_device_quiesced(struct virtio_device *device, unsigned int queue);
/* Any thread: changes fields that read_config shows and their generation as one (change runs with
 * the config lock held, so a driver never mixes old and new unnoticed, 2.5.1), and notifies. */
void virtio_device_change_config(struct virtio_device *device,
	void (*change)(struct virtio_device *device, void *context), void *context);
