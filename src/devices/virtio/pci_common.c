/*
 * VIRTIO 1.2 4.1.4.3: the common configuration structure of virtio-pci, as one table. See
 * virtio_pci.h.
 *
 * What a write means in which state is the device's business; here is only which field it was.
 */
#include "pci_private.h"

static uint32_t load(const _Atomic uint32_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

static void store(_Atomic uint32_t *word, uint32_t value)
{
	atomic_store_explicit(word, value, memory_order_relaxed);
}

void virtio_pci_reset_registers(struct virtio_pci *pci)
{
	store(&pci->device_feature_select, 0);
	store(&pci->driver_feature_select, 0);
	store(&pci->queue_select, 0);
	atomic_store(&pci->config_vector, VIRTIO_PCI_NO_VECTOR);
	for (unsigned int i = 0; i < VIRTIO_QUEUES_MAX; i++)
		atomic_store(&pci->queue_vectors[i], VIRTIO_PCI_NO_VECTOR);
	(void)virtio_isr_clear(&pci->isr, UINT32_MAX);
}

static uint32_t read_device_feature_select(struct virtio_pci *pci, uint32_t unused)
{
	(void)unused;
	return load(&pci->device_feature_select);
}

static void write_device_feature_select(struct virtio_pci *pci, uint32_t unused, uint32_t value)
{
	(void)unused;
	store(&pci->device_feature_select, value);
}

static uint32_t read_device_feature(struct virtio_pci *pci, uint32_t unused)
{
	uint32_t word = load(&pci->device_feature_select);

	(void)unused;
	return word < 2 ? (uint32_t)(virtio_device_features(pci->device) >> (32 * word)) : 0;
}

static uint32_t read_driver_feature_select(struct virtio_pci *pci, uint32_t unused)
{
	(void)unused;
	return load(&pci->driver_feature_select);
}

static void write_driver_feature_select(struct virtio_pci *pci, uint32_t unused, uint32_t value)
{
	(void)unused;
	store(&pci->driver_feature_select, value);
}

static uint32_t read_driver_feature(struct virtio_pci *pci, uint32_t unused)
{
	uint32_t word = load(&pci->driver_feature_select);

	(void)unused;
	if (word >= 2)
		return 0;
	return (uint32_t)(virtio_device_accepted_features(pci->device) >> (32 * word));
}

static void write_driver_feature(struct virtio_pci *pci, uint32_t unused, uint32_t value)
{
	(void)unused;
	virtio_device_accept_features(pci->device, load(&pci->driver_feature_select), value);
}

/* VIRTIO 1.2 4.1.5.1.2: a vector that is not there reads back as none. */
static uint16_t valid_vector(const struct virtio_pci *pci, uint32_t vector)
{
	return vector < pci->msix.vector_count ? (uint16_t)vector : VIRTIO_PCI_NO_VECTOR;
}

static uint32_t read_config_vector(struct virtio_pci *pci, uint32_t unused)
{
	(void)unused;
	return atomic_load(&pci->config_vector);
}

static void write_config_vector(struct virtio_pci *pci, uint32_t unused, uint32_t value)
{
	(void)unused;
	atomic_store(&pci->config_vector, valid_vector(pci, value));
}

static uint32_t read_queue_count(struct virtio_pci *pci, uint32_t unused)
{
	(void)unused;
	return pci->device->queue_count;
}

static uint32_t read_status(struct virtio_pci *pci, uint32_t unused)
{
	(void)unused;
	return virtio_device_status(pci->device);
}

static void write_status(struct virtio_pci *pci, uint32_t unused, uint32_t value)
{
	(void)unused;
	virtio_device_set_status(pci->device, (uint8_t)value);
	if (value == 0)
		virtio_pci_reset_registers(pci);
}

static uint32_t read_config_generation(struct virtio_pci *pci, uint32_t unused)
{
	(void)unused;
	return (uint8_t)virtio_device_config_generation(pci->device);
}

static uint32_t read_queue_select(struct virtio_pci *pci, uint32_t unused)
{
	(void)unused;
	return load(&pci->queue_select);
}

static void write_queue_select(struct virtio_pci *pci, uint32_t unused, uint32_t value)
{
	(void)unused;
	store(&pci->queue_select, value);
}

static bool queue_is_there(const struct virtio_pci *pci, uint32_t queue)
{
	return queue < pci->device->queue_count;
}

/* Zero when there is no such queue (4.1.4.3.1). */
static uint32_t read_queue_size(struct virtio_pci *pci, uint32_t unused)
{
	(void)unused;
	return virtio_device_queue(pci->device, load(&pci->queue_select)).size;
}

static void write_queue_size(struct virtio_pci *pci, uint32_t unused, uint32_t value)
{
	(void)unused;
	virtio_device_set_queue_size(pci->device, load(&pci->queue_select), (uint16_t)value);
}

static uint32_t read_queue_vector(struct virtio_pci *pci, uint32_t unused)
{
	uint32_t queue = load(&pci->queue_select);

	(void)unused;
	return queue_is_there(pci, queue) ? atomic_load(&pci->queue_vectors[queue])
	                                  : VIRTIO_PCI_NO_VECTOR;
}

static void write_queue_vector(struct virtio_pci *pci, uint32_t unused, uint32_t value)
{
	uint32_t queue = load(&pci->queue_select);

	(void)unused;
	if (!queue_is_there(pci, queue))
		return;
	atomic_store(&pci->queue_vectors[queue], valid_vector(pci, value));
	virtio_device_notifier_changed(pci->device);
}

static uint32_t read_queue_enable(struct virtio_pci *pci, uint32_t unused)
{
	(void)unused;
	return virtio_device_queue(pci->device, load(&pci->queue_select)).enabled;
}

/* 4.1.4.3.2: drivers must not write 0; nothing but a reset disables. */
static void write_queue_enable(struct virtio_pci *pci, uint32_t unused, uint32_t value)
{
	(void)unused;
	if (value == 1)
		virtio_device_enable_queue(pci->device, load(&pci->queue_select));
}

/* Both the notification's offset (in units of the multiplier) and its data are the index. */
static uint32_t read_queue_index(struct virtio_pci *pci, uint32_t unused)
{
	uint32_t queue = load(&pci->queue_select);

	(void)unused;
	return queue_is_there(pci, queue) ? queue : 0;
}

/* Reads 0: a reset is complete when its write returns (4.1.4.3.1). */
static uint32_t read_queue_reset(struct virtio_pci *pci, uint32_t unused)
{
	(void)pci;
	(void)unused;
	return 0;
}

static void write_queue_reset(struct virtio_pci *pci, uint32_t unused, uint32_t value)
{
	uint32_t queue = load(&pci->queue_select);

	(void)unused;
	if (value != 1 || !queue_is_there(pci, queue))
		return;
	if (virtio_device_reset_queue(pci->device, queue))
		atomic_store(&pci->queue_vectors[queue], VIRTIO_PCI_NO_VECTOR);
}

#define HIGH 0x80000000U

static uint32_t read_queue_area(struct virtio_pci *pci, uint32_t area)
{
	struct virtq_config config = virtio_device_queue(pci->device, load(&pci->queue_select));
	uint64_t address = (area & ~HIGH) == VIRTIO_QUEUE_DESCRIPTOR ? config.descriptor_area
	                   : (area & ~HIGH) == VIRTIO_QUEUE_DRIVER   ? config.driver_area
	                                                             : config.device_area;

	return (uint32_t)(area & HIGH ? address >> 32 : address);
}

static void write_queue_area(struct virtio_pci *pci, uint32_t area, uint32_t value)
{
	virtio_device_set_queue_area(pci->device, load(&pci->queue_select),
		(enum virtio_queue_area)(area & ~HIGH), (area & HIGH) != 0, value);
}

/* By offset; width 0: no field starts here. NULL: not in this direction. */
static const struct common_field {
	uint8_t width;
	const char *name;
	uint32_t (*read)(struct virtio_pci *pci, uint32_t argument);
	void (*write)(struct virtio_pci *pci, uint32_t argument, uint32_t value);
	uint32_t argument;
	bool is_low_half; /* of a 64-bit field */
} fields[VIRTIO_PCI_COMMON_BYTES] = {
	[0x00] = {4, "device_feature_select", read_device_feature_select,
		write_device_feature_select, 0, false},
	[0x04] = {4, "device_feature", read_device_feature, NULL, 0, false},
	[0x08] = {4, "driver_feature_select", read_driver_feature_select,
		write_driver_feature_select, 0, false},
	[0x0c] = {4, "driver_feature", read_driver_feature, write_driver_feature, 0, false},
	[0x10] = {2, "config_msix_vector", read_config_vector, write_config_vector, 0, false},
	[0x12] = {2, "num_queues", read_queue_count, NULL, 0, false},
	[0x14] = {1, "device_status", read_status, write_status, 0, false},
	[0x15] = {1, "config_generation", read_config_generation, NULL, 0, false},
	[0x16] = {2, "queue_select", read_queue_select, write_queue_select, 0, false},
	[0x18] = {2, "queue_size", read_queue_size, write_queue_size, 0, false},
	[0x1a] = {2, "queue_msix_vector", read_queue_vector, write_queue_vector, 0, false},
	[0x1c] = {2, "queue_enable", read_queue_enable, write_queue_enable, 0, false},
	[0x1e] = {2, "queue_notify_off", read_queue_index, NULL, 0, false},
	[0x20] = {4, "queue_desc", read_queue_area, write_queue_area, VIRTIO_QUEUE_DESCRIPTOR,
		true},
	[0x24] = {4, "queue_desc (high)", read_queue_area, write_queue_area,
		VIRTIO_QUEUE_DESCRIPTOR | HIGH, false},
	[0x28] = {4, "queue_driver", read_queue_area, write_queue_area, VIRTIO_QUEUE_DRIVER, true},
	[0x2c] = {4, "queue_driver (high)", read_queue_area, write_queue_area,
		VIRTIO_QUEUE_DRIVER | HIGH, false},
	[0x30] = {4, "queue_device", read_queue_area, write_queue_area, VIRTIO_QUEUE_DEVICE, true},
	[0x34] = {4, "queue_device (high)", read_queue_area, write_queue_area,
		VIRTIO_QUEUE_DEVICE | HIGH, false},
	[0x38] = {2, "queue_notify_data", read_queue_index, NULL, 0, false},
	[0x3a] = {2, "queue_reset", read_queue_reset, write_queue_reset, 0, false},
};

/* VIRTIO 1.2 4.1.3.1: accesses are as wide as the field. */
static const struct common_field *find_field(uint64_t offset, unsigned int size)
{
	const struct common_field *field;

	if (offset >= VIRTIO_PCI_COMMON_BYTES)
		return NULL;
	field = &fields[offset];
	return field->width == size || (size == 8 && field->is_low_half) ? field : NULL;
}

uint64_t virtio_pci_common_read(struct virtio_pci *pci, uint64_t offset, unsigned int size)
{
	const struct common_field *field = find_field(offset, size), *high;
	uint64_t value;

	if (!field)
		return 0;
	value = field->read(pci, field->argument);
	if (size == 8) {
		high = &fields[offset + 4];
		value |= (uint64_t)high->read(pci, high->argument) << 32;
	}
	return value;
}

void virtio_pci_common_write(
	struct virtio_pci *pci, uint64_t offset, unsigned int size, uint64_t value)
{
	const struct common_field *field = find_field(offset, size), *high;

	if (!field || !field->write)
		return;
	field->write(pci, field->argument, (uint32_t)value);
	if (size == 8) {
		high = &fields[offset + 4];
		high->write(pci, high->argument, (uint32_t)(value >> 32));
	}
}
