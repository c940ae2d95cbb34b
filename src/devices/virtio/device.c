/*
 * Status, features and configuration space of a virtio device: VIRTIO 1.2 2.1 to 2.5 and 3.1. See
 * virtio_device.h.
 *
 * A status write is looked up in a table of transitions; one that is not there changes nothing, so
 * a driver that goes backwards, skips a step or sets unknown bits reads back what it had before.
 */
#include "device_private.h"

#include <errno.h>

#define FEATURE(bit) (UINT64_C(1) << (bit))

/* What the ring code can do for every device. */
#define RING_FEATURES                                                         \
	(FEATURE(VIRTIO_F_INDIRECT_DESC) | FEATURE(VIRTIO_F_EVENT_IDX) |      \
		FEATURE(VIRTIO_F_VERSION_1) | FEATURE(VIRTIO_F_RING_PACKED) | \
		FEATURE(VIRTIO_F_RING_RESET))

#define STATUS_PRESENT  VIRTIO_STATUS_ACKNOWLEDGE
#define STATUS_DRIVEN   (STATUS_PRESENT | VIRTIO_STATUS_DRIVER)
#define STATUS_FEATURED (STATUS_DRIVEN | VIRTIO_STATUS_FEATURES_OK)
#define STATUS_LIVE     (STATUS_FEATURED | VIRTIO_STATUS_DRIVER_OK)

static void lock_config(struct virtio_device *device)
{
	(void)pthread_mutex_lock(&device->config_lock);
}

static void unlock_config(struct virtio_device *device)
{
	(void)pthread_mutex_unlock(&device->config_lock);
}

static void set_driver_ok(struct virtio_device *device, bool driver_ok)
{
	lock_config(device);
	device->driver_ok = driver_ok;
	unlock_config(device);
}

/* VIRTIO 1.2 3.1.1: nobody is told of anything before DRIVER_OK. */
static void notify_configuration(struct virtio_device *device)
{
	if (device->driver_ok && device->notifier.configuration_changed)
		device->notifier.configuration_changed(device->notifier.transport);
}

uint64_t virtio_device_features(const struct virtio_device *device)
{
	uint64_t all = device->offered_features | device->transport_features | RING_FEATURES;

	return all & ~(device->withheld_features & ~FEATURE(VIRTIO_F_VERSION_1));
}

void virtio_device_accept_features(struct virtio_device *device, uint32_t word, uint32_t value)
{
	(void)pthread_mutex_lock(&device->lock);
	if (device->status == STATUS_DRIVEN) {
		if (word < 2) {
			unsigned int shift = 32 * word;

			device->accepted_features &= ~((uint64_t)UINT32_MAX << shift);
			device->accepted_features |= (uint64_t)value << shift;
		} else if (value) {
			device->accepted_unknown = true;
		}
	}
	(void)pthread_mutex_unlock(&device->lock);
}

uint64_t virtio_device_accepted_features(struct virtio_device *device)
{
	uint64_t features;

	(void)pthread_mutex_lock(&device->lock);
	features = device->accepted_features;
	(void)pthread_mutex_unlock(&device->lock);
	return features;
}

/* VIRTIO 1.2 2.2.2, 6.2: a subset of what is offered, and the modern interface. */
static bool can_be_featured(const struct virtio_device *device)
{
	return !device->accepted_unknown &&
	       !(device->accepted_features & ~virtio_device_features(device)) &&
	       virtio_device_accepted(device, VIRTIO_F_VERSION_1);
}

static void become_live(struct virtio_device *device)
{
	set_driver_ok(device, true);
	if (atomic_load(&device->broken)) {
		/* VIRTIO 1.2 2.1.2: broken by how it was set up; now the driver can be told. */
		lock_config(device);
		notify_configuration(device);
		unlock_config(device);
		return;
	}
	virtio_queues_activate(device);
}

static void stop(struct virtio_device *device)
{
	virtio_queues_quiesce(device);
	set_driver_ok(device, false);
}

static void reset(struct virtio_device *device)
{
	stop(device);
	virtio_queues_reset(device);
	device->status = 0;
	device->accepted_features = 0;
	device->accepted_unknown = false;
	atomic_store(&device->broken, false);
}

/* VIRTIO 1.2 3.1.1, steps 2 to 8. ACKNOWLEDGE and DRIVER tell the device nothing that it needs one
 * after the other, and simple drivers write both at once; the other steps are questions whose
 * answer is read back before the next. */
static const struct transition {
	uint8_t from, to;
	bool (*allowed)(const struct virtio_device *device);
	void (*enter)(struct virtio_device *device);
} transitions[] = {
	{0, STATUS_PRESENT, NULL, NULL},
	{0, STATUS_DRIVEN, NULL, NULL},
	{STATUS_PRESENT, STATUS_DRIVEN, NULL, NULL},
	{STATUS_DRIVEN, STATUS_FEATURED, can_be_featured, NULL},
	{STATUS_FEATURED, STATUS_LIVE, NULL, become_live},
	/* 2.1: the driver has given up; only a reset leads on. */
	{0, VIRTIO_STATUS_FAILED, NULL, stop},
	{STATUS_PRESENT, STATUS_PRESENT | VIRTIO_STATUS_FAILED, NULL, stop},
	{STATUS_DRIVEN, STATUS_DRIVEN | VIRTIO_STATUS_FAILED, NULL, stop},
	{STATUS_FEATURED, STATUS_FEATURED | VIRTIO_STATUS_FAILED, NULL, stop},
	{STATUS_LIVE, STATUS_LIVE | VIRTIO_STATUS_FAILED, NULL, stop},
};

void virtio_device_set_status(struct virtio_device *device, uint8_t status)
{
	/* 2.1: drivers add bits to what they have read, and NEEDS_RESET may be among that. */
	uint8_t to = status & (uint8_t)~VIRTIO_STATUS_NEEDS_RESET;

	(void)pthread_mutex_lock(&device->lock);
	if (status == 0)
		reset(device);
	for (size_t i = 0; status != 0 && i < array_size(transitions); i++) {
		const struct transition *transition = &transitions[i];

		if (transition->from != device->status || transition->to != to ||
			(transition->allowed && !transition->allowed(device)))
			continue;
		device->status = to;
		if (transition->enter)
			transition->enter(device);
		break;
	}
	(void)pthread_mutex_unlock(&device->lock);
}

uint8_t virtio_device_status(struct virtio_device *device)
{
	uint8_t status;

	(void)pthread_mutex_lock(&device->lock);
	status = device->status;
	(void)pthread_mutex_unlock(&device->lock);
	if (atomic_load(&device->broken))
		status |= VIRTIO_STATUS_NEEDS_RESET;
	return status;
}

void virtio_device_reset(struct virtio_device *device)
{
	(void)pthread_mutex_lock(&device->lock);
	reset(device);
	(void)pthread_mutex_unlock(&device->lock);
}

/* How many of size bytes at offset there are. */
static uint32_t config_bytes_at(const struct virtio_device *device, uint32_t offset, uint32_t size)
{
	if (offset >= device->config_bytes)
		return 0;
	return size < device->config_bytes - offset ? size : device->config_bytes - offset;
}

void virtio_device_read_config(
	struct virtio_device *device, uint32_t offset, void *bytes, uint32_t size)
{
	uint32_t present = config_bytes_at(device, offset, size);

	for (uint32_t i = 0; i < size; i++)
		((uint8_t *)bytes)[i] = 0;
	if (!present || !device->ops->read_config)
		return;
	(void)pthread_mutex_lock(&device->lock);
	lock_config(device);
	device->ops->read_config(device, offset, bytes, present);
	unlock_config(device);
	(void)pthread_mutex_unlock(&device->lock);
}

void virtio_device_write_config(
	struct virtio_device *device, uint32_t offset, const void *bytes, uint32_t size)
{
	/* Partly outside: not a field, so there is nothing that it could mean. */
	if (!size || config_bytes_at(device, offset, size) != size || !device->ops->write_config)
		return;
	(void)pthread_mutex_lock(&device->lock);
	/* VIRTIO 1.2 3.1.1 step 4: not before the features are agreed upon. */
	if (device->status == STATUS_FEATURED || device->status == STATUS_LIVE ||
		device->takes_early_writes) {
		lock_config(device);
		device->ops->write_config(device, offset, bytes, size);
		unlock_config(device);
	}
	(void)pthread_mutex_unlock(&device->lock);
}

uint32_t virtio_device_config_generation(struct virtio_device *device)
{
	uint32_t generation;

	lock_config(device);
	generation = device->config_generation;
	unlock_config(device);
	return generation;
}

void virtio_device_change_config(struct virtio_device *device,
	void (*change)(struct virtio_device *device, void *context), void *context)
{
	lock_config(device);
	change(device, context);
	device->config_generation++;
	notify_configuration(device);
	unlock_config(device);
}

void virtio_device_break(struct virtio_device *device, unsigned int queue, const char *why)
{
	if (atomic_exchange(&device->broken, true))
		return;
	lock_config(device);
	notify_configuration(device);
	unlock_config(device);
	if (device->fault_sink.broken)
		device->fault_sink.broken(device->fault_sink.owner, device, queue, why);
}

int virtio_device_init(struct virtio_device *device, struct err *err)
{
	int r;

	/* Without attributes none of these can fail. */
	(void)pthread_mutex_init(&device->lock, NULL);
	(void)pthread_mutex_init(&device->config_lock, NULL);
	(void)pthread_mutex_init(&device->quiesce_lock, NULL);
	(void)pthread_cond_init(&device->quiesce_done, NULL);
	device->quiescing = VIRTIO_QUIESCING_NONE;
	r = virtio_queues_init(device, err);
	if (r < 0)
		virtio_device_fini(device);
	return r;
}

void virtio_device_fini(struct virtio_device *device)
{
	virtio_device_reset(device);
	virtio_queues_fini(device);
	(void)pthread_cond_destroy(&device->quiesce_done);
	(void)pthread_mutex_destroy(&device->quiesce_lock);
	(void)pthread_mutex_destroy(&device->config_lock);
	(void)pthread_mutex_destroy(&device->lock);
}
