/*
 * VIRTIO 1.2 4.2.2: the registers of virtio-mmio version 2, as one table. See virtio_mmio.h.
 *
 * What a write means in which state is the device's business; here is only which register it was.
 * Reserved offsets and the wrong direction read zero and write nothing.
 */
#include "virtio_mmio.h"

#define MAGIC_VALUE   0x74726976U /* "virt" */
#define VERSION       2U
#define VENDOR_ID     0x4c4c5548U /* "HULL" */
#define CONFIG_OFFSET 0x100U

static uint32_t load(const _Atomic uint32_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

static void store(_Atomic uint32_t *word, uint32_t value)
{
	atomic_store_explicit(word, value, memory_order_relaxed);
}

static uint32_t read_constant(struct virtio_mmio *mmio, uint32_t constant)
{
	(void)mmio;
	return constant;
}

static uint32_t read_device_id(struct virtio_mmio *mmio, uint32_t unused)
{
	(void)unused;
	return mmio->device->device_id;
}

static uint32_t read_device_features(struct virtio_mmio *mmio, uint32_t unused)
{
	uint32_t word = load(&mmio->device_features_select);

	(void)unused;
	return word < 2 ? (uint32_t)(virtio_device_features(mmio->device) >> (32 * word)) : 0;
}

static void write_device_features_select(struct virtio_mmio *mmio, uint32_t unused, uint32_t value)
{
	(void)unused;
	store(&mmio->device_features_select, value);
}

static void write_driver_features(struct virtio_mmio *mmio, uint32_t unused, uint32_t value)
{
	(void)unused;
	virtio_device_accept_features(mmio->device, load(&mmio->driver_features_select), value);
}

static void write_driver_features_select(struct virtio_mmio *mmio, uint32_t unused, uint32_t value)
{
	(void)unused;
	store(&mmio->driver_features_select, value);
}

static void write_queue_select(struct virtio_mmio *mmio, uint32_t unused, uint32_t value)
{
	(void)unused;
	store(&mmio->queue_select, value);
}

static uint32_t read_queue_size_max(struct virtio_mmio *mmio, uint32_t unused)
{
	(void)unused;
	return virtio_device_queue(mmio->device, load(&mmio->queue_select)).size_max;
}

static void write_queue_size(struct virtio_mmio *mmio, uint32_t unused, uint32_t value)
{
	/* The register is wider than a size can be; what does not fit must not become one. */
	uint16_t size = value <= UINT16_MAX ? (uint16_t)value : UINT16_MAX;

	(void)unused;
	virtio_device_set_queue_size(mmio->device, load(&mmio->queue_select), size);
}

static uint32_t read_queue_ready(struct virtio_mmio *mmio, uint32_t unused)
{
	(void)unused;
	return virtio_device_queue(mmio->device, load(&mmio->queue_select)).enabled;
}

static void write_queue_ready(struct virtio_mmio *mmio, uint32_t unused, uint32_t value)
{
	(void)unused;
	if (value == 1)
		virtio_device_enable_queue(mmio->device, load(&mmio->queue_select));
	else if (value == 0)
		virtio_device_disable_queue(mmio->device, load(&mmio->queue_select));
}

static void write_queue_notify(struct virtio_mmio *mmio, uint32_t unused, uint32_t value)
{
	(void)unused;
	virtio_device_notify(mmio->device, value);
}

static uint32_t read_interrupt_status(struct virtio_mmio *mmio, uint32_t unused)
{
	(void)unused;
	return virtio_isr_bits(&mmio->isr);
}

static void write_interrupt_ack(struct virtio_mmio *mmio, uint32_t unused, uint32_t value)
{
	(void)unused;
	(void)virtio_isr_clear(&mmio->isr, value);
}

static uint32_t read_status(struct virtio_mmio *mmio, uint32_t unused)
{
	(void)unused;
	return virtio_device_status(mmio->device);
}

/* What a reset means beyond the device; nothing is in flight any more that could interrupt. */
static void reset_registers(struct virtio_mmio *mmio)
{
	store(&mmio->device_features_select, 0);
	store(&mmio->driver_features_select, 0);
	store(&mmio->queue_select, 0);
	(void)virtio_isr_clear(&mmio->isr, UINT32_MAX);
}

static void write_status(struct virtio_mmio *mmio, uint32_t unused, uint32_t value)
{
	(void)unused;
	if (value > UINT8_MAX)
		return;
	virtio_device_set_status(mmio->device, (uint8_t)value);
	if (value == 0)
		reset_registers(mmio);
}

static void write_queue_reset(struct virtio_mmio *mmio, uint32_t unused, uint32_t value)
{
	(void)unused;
	if (value == 1)
		virtio_device_reset_queue(mmio->device, load(&mmio->queue_select));
}

static uint32_t read_config_generation(struct virtio_mmio *mmio, uint32_t unused)
{
	(void)unused;
	return virtio_device_config_generation(mmio->device);
}

#define HIGH 0x80000000U

static void write_queue_area(struct virtio_mmio *mmio, uint32_t area, uint32_t value)
{
	virtio_device_set_queue_area(mmio->device, load(&mmio->queue_select),
		(enum virtio_queue_area)(area & ~HIGH), (area & HIGH) != 0, value);
}

/* Four bytes wide each. NULL: not in this direction. */
static const struct mmio_register {
	const char *name;
	uint32_t (*read)(struct virtio_mmio *mmio, uint32_t argument);
	void (*write)(struct virtio_mmio *mmio, uint32_t argument, uint32_t value);
	uint32_t argument;
} registers[CONFIG_OFFSET / 4] = {
	[0x000 / 4] = {"MagicValue", read_constant, NULL, MAGIC_VALUE},
	[0x004 / 4] = {"Version", read_constant, NULL, VERSION},
	[0x008 / 4] = {"DeviceID", read_device_id, NULL, 0},
	[0x00c / 4] = {"VendorID", read_constant, NULL, VENDOR_ID},
	[0x010 / 4] = {"DeviceFeatures", read_device_features, NULL, 0},
	[0x014 / 4] = {"DeviceFeaturesSel", NULL, write_device_features_select, 0},
	[0x020 / 4] = {"DriverFeatures", NULL, write_driver_features, 0},
	[0x024 / 4] = {"DriverFeaturesSel", NULL, write_driver_features_select, 0},
	[0x030 / 4] = {"QueueSel", NULL, write_queue_select, 0},
	[0x034 / 4] = {"QueueSizeMax", read_queue_size_max, NULL, 0},
	[0x038 / 4] = {"QueueSize", NULL, write_queue_size, 0},
	[0x044 / 4] = {"QueueReady", read_queue_ready, write_queue_ready, 0},
	[VIRTIO_MMIO_QUEUE_NOTIFY / 4] = {"QueueNotify", NULL, write_queue_notify, 0},
	[0x060 / 4] = {"InterruptStatus", read_interrupt_status, NULL, 0},
	[0x064 / 4] = {"InterruptACK", NULL, write_interrupt_ack, 0},
	[0x070 / 4] = {"Status", read_status, write_status, 0},
	[0x080 / 4] = {"QueueDescLow", NULL, write_queue_area, VIRTIO_QUEUE_DESCRIPTOR},
	[0x084 / 4] = {"QueueDescHigh", NULL, write_queue_area, VIRTIO_QUEUE_DESCRIPTOR | HIGH},
	[0x090 / 4] = {"QueueDriverLow", NULL, write_queue_area, VIRTIO_QUEUE_DRIVER},
	[0x094 / 4] = {"QueueDriverHigh", NULL, write_queue_area, VIRTIO_QUEUE_DRIVER | HIGH},
	[0x0a0 / 4] = {"QueueDeviceLow", NULL, write_queue_area, VIRTIO_QUEUE_DEVICE},
	[0x0a4 / 4] = {"QueueDeviceHigh", NULL, write_queue_area, VIRTIO_QUEUE_DEVICE | HIGH},
	/* 4.2.2: a region that does not exist, whichever is selected, has length and base -1. */
	[0x0b0 / 4] = {"SHMLenLow", read_constant, NULL, UINT32_MAX},
	[0x0b4 / 4] = {"SHMLenHigh", read_constant, NULL, UINT32_MAX},
	[0x0b8 / 4] = {"SHMBaseLow", read_constant, NULL, UINT32_MAX},
	[0x0bc / 4] = {"SHMBaseHigh", read_constant, NULL, UINT32_MAX},
	/* Reads 0: a reset is complete when its write returns. */
	[0x0c0 / 4] = {"QueueReset", NULL, write_queue_reset, 0},
	[0x0fc / 4] = {"ConfigGeneration", read_config_generation, NULL, 0},
};

/* VIRTIO 1.2 4.2.2.2: 32-bit wide and aligned. */
static const struct mmio_register *find_register(uint64_t offset, unsigned int size)
{
	return size == 4 && offset % 4 == 0 ? &registers[offset / 4] : NULL;
}

static uint64_t virtio_mmio_read(void *owner, uint64_t offset, unsigned int size)
{
	struct virtio_mmio *mmio = owner;
	const struct mmio_register *reg;
	uint64_t value = 0;

	if (offset >= CONFIG_OFFSET) {
		virtio_device_read_config(
			mmio->device, (uint32_t)(offset - CONFIG_OFFSET), &value, size);
		return value;
	}
	reg = find_register(offset, size);
	return reg && reg->read ? reg->read(mmio, reg->argument) : 0;
}

static void virtio_mmio_write(void *owner, uint64_t offset, unsigned int size, uint64_t value)
{
	struct virtio_mmio *mmio = owner;
	const struct mmio_register *reg;

	if (offset >= CONFIG_OFFSET) {
		virtio_device_write_config(
			mmio->device, (uint32_t)(offset - CONFIG_OFFSET), &value, size);
		return;
	}
	reg = find_register(offset, size);
	if (reg && reg->write)
		reg->write(mmio, reg->argument, (uint32_t)value);
}

const struct bus_ops virtio_mmio_bus_ops = {virtio_mmio_read, virtio_mmio_write};

static void mmio_used_buffer(void *transport, unsigned int queue)
{
	struct virtio_mmio *mmio = transport;

	(void)queue;
	virtio_isr_raise(&mmio->isr, VIRTIO_ISR_QUEUE);
}

static void mmio_configuration_changed(void *transport)
{
	struct virtio_mmio *mmio = transport;

	virtio_isr_raise(&mmio->isr, VIRTIO_ISR_CONFIGURATION);
}

void virtio_mmio_init(struct virtio_mmio *mmio, struct virtio_device *device, const struct irq *irq,
	bool edge_triggered)
{
	*mmio = (struct virtio_mmio){.device = device};
	virtio_isr_init(&mmio->isr, irq, edge_triggered);
	/* No NOTIFICATION_DATA: the value written would not be the queue's index alone, and an
	 * ioeventfd could not tell the queues apart. */
	device->transport_features = 0;
	device->notifier = (struct virtio_notifier){
		.used_buffer = mmio_used_buffer,
		.configuration_changed = mmio_configuration_changed,
		.transport = mmio,
	};
}

void virtio_mmio_fini(struct virtio_mmio *mmio)
{
	virtio_isr_fini(&mmio->isr);
}

void virtio_mmio_reset(struct virtio_mmio *mmio)
{
	virtio_device_reset(mmio->device);
	reset_registers(mmio);
}
