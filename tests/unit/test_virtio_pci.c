#include "fake_msi.h"
#include "fake_virtio.h"
#include "fake_wiring.h"
#include "virtio_pci.h"

/* PCI Local Bus 3.0, chapter 6. */
#define COMMAND      0x04
#define STATUS       0x06
#define BAR(n)       (0x10U + 4U * (n))
#define CAPABILITIES 0x34

/* VIRTIO 1.2 4.1.4.3, transcribed. */
#define DEVICE_FEATURE_SELECT 0
#define DEVICE_FEATURE        4
#define DRIVER_FEATURE_SELECT 8
#define DRIVER_FEATURE        12
#define CONFIG_VECTOR         16
#define NUM_QUEUES            18
#define DEVICE_STATUS         20
#define GENERATION            21
#define QUEUE_SELECT          22
#define QUEUE_SIZE            24
#define QUEUE_VECTOR          26
#define QUEUE_ENABLE          28
#define QUEUE_NOTIFY_OFF      30
#define QUEUE_DESC            32
#define QUEUE_DRIVER          40
#define QUEUE_DEVICE          48
#define QUEUE_NOTIFY_DATA     56
#define QUEUE_RESET           58
#define COMMON_BYTES          60

#define SLOT       4
#define BAR_BASE   UINT64_C(0xc00000000)
#define MSIX_BASE  UINT64_C(0xc00100000)
#define MSIX_READY 0x8000

static struct virtio_pci pci;
static struct pci_host host;
static struct fake_irq irq;
static struct fake_msi msi;
static unsigned int bar_changes;

/* What the driver has found. */
static struct {
	uint32_t common, isr, device, notify, notify_multiplier, device_bytes, notify_bytes;
	unsigned int window, msix;
} found;

static void record_bar(void *owner, struct virtio_pci *moved, unsigned int index)
{
	assert_ptr_equal(owner, &msi);
	assert_ptr_equal(moved, &pci);
	assert_true(index == 0 || index == 2);
	bar_changes++;
}

static uint32_t config_read(unsigned int reg, unsigned int size)
{
	return (uint32_t)pci_host_ecam_bus_ops.read(&host, SLOT << 15 | reg, size);
}

static void config_write(unsigned int reg, unsigned int size, uint32_t value)
{
	pci_host_ecam_bus_ops.write(&host, SLOT << 15 | reg, size, value);
}

static uint64_t bar_read(uint64_t offset, unsigned int size)
{
	return virtio_pci_bar_bus_ops.read(&pci, offset, size);
}

static void bar_write(uint64_t offset, unsigned int size, uint64_t value)
{
	virtio_pci_bar_bus_ops.write(&pci, offset, size, value);
}

static uint32_t common_read(unsigned int field, unsigned int size)
{
	return (uint32_t)bar_read(found.common + field, size);
}

static void common_write(unsigned int field, unsigned int size, uint32_t value)
{
	bar_write(found.common + field, size, value);
}

static void find_capability(unsigned int capability)
{
	uint32_t offset = config_read(capability + 8, 4), length = config_read(capability + 12, 4);
	uint32_t type = config_read(capability + 3, 1);

	if (type != 5) {
		assert_int_equal(config_read(capability + 4, 1), 0);
		assert_true(offset + length <= 0x4000);
	}
	switch (type) {
	case 1:
		found.common = offset;
		assert_true(length >= 56);
		break;
	case 2:
		found.notify = offset;
		found.notify_bytes = length;
		found.notify_multiplier = config_read(capability + 16, 4);
		assert_int_equal(config_read(capability + 2, 1), 20);
		break;
	case 3:
		found.isr = offset;
		assert_true(length >= 1);
		break;
	case 4:
		found.device = offset;
		found.device_bytes = length;
		break;
	default:
		assert_int_equal(type, 5);
		assert_int_equal(config_read(capability + 2, 1), 20);
		found.window = capability;
		break;
	}
}

static void find_capabilities(void)
{
	unsigned int count = 0;

	memset(&found, 0xff, sizeof(found));
	assert_true(config_read(STATUS, 2) & 0x10);
	for (unsigned int at = config_read(CAPABILITIES, 1); at; at = config_read(at + 1, 1)) {
		assert_true(++count < 48 && at % 4 == 0 && at >= 0x40);
		if (config_read(at, 1) == 0x11)
			found.msix = at;
		else
			find_capability(at);
	}
	assert_int_equal(count, 6);
}

static int setup_with(bool intx, unsigned int vectors_max)
{
	struct virtio_pci_wiring wiring = {.msi = fake_msi_sink(&msi),
		.vectors_max = vectors_max,
		.bar_changed = record_bar,
		.owner = &msi};

	if (intx)
		wiring.irq = fake_irq_line(&irq);
	irq = (struct fake_irq){0};
	memset(&msi, 0, sizeof(msi));
	bar_changes = 0;
	fake_device_init();
	assert_int_equal(virtio_pci_init(&pci, &fake_device.device, &wiring, NULL), 0);
	pci_host_init(&host, NULL, NULL);
	assert_int_equal(pci_host_attach(&host, SLOT, 0, &pci.pci, NULL), 0);
	find_capabilities();
	return 0;
}

static int setup(void **state)
{
	(void)state;
	return setup_with(true, 0);
}

static int teardown(void **state)
{
	(void)state;
	virtio_device_fini(&fake_device.device);
	virtio_pci_fini(&pci);
	pci_host_fini(&host);
	return 0;
}

static uint64_t device_features(void)
{
	uint64_t features;

	common_write(DEVICE_FEATURE_SELECT, 4, 0);
	features = common_read(DEVICE_FEATURE, 4);
	common_write(DEVICE_FEATURE_SELECT, 4, 1);
	return features | (uint64_t)common_read(DEVICE_FEATURE, 4) << 32;
}

static void negotiate(uint64_t features)
{
	common_write(DRIVER_FEATURE_SELECT, 4, 0);
	common_write(DRIVER_FEATURE, 4, (uint32_t)features);
	common_write(DRIVER_FEATURE_SELECT, 4, 1);
	common_write(DRIVER_FEATURE, 4, (uint32_t)(features >> 32));
	common_write(DEVICE_STATUS, 1, common_read(DEVICE_STATUS, 1) | S_FEATURES_OK);
}

/* Linux virtio_pci_modern up to FEATURES_OK. */
static void probe(uint64_t features)
{
	common_write(DEVICE_STATUS, 1, 0);
	assert_int_equal(common_read(DEVICE_STATUS, 1), 0);
	common_write(DEVICE_STATUS, 1, S_ACKNOWLEDGE);
	common_write(DEVICE_STATUS, 1, S_ACKNOWLEDGE | S_DRIVER);
	negotiate(features);
	assert_true(common_read(DEVICE_STATUS, 1) & S_FEATURES_OK);
}

static void write_area(unsigned int field, uint64_t address)
{
	common_write(field, 4, (uint32_t)address);
	common_write(field + 4, 4, (uint32_t)(address >> 32));
}

/* setup_vq, vp_active_vq */
static void set_up_queue(unsigned int queue, uint16_t size)
{
	common_write(QUEUE_SELECT, 2, queue);
	assert_int_equal(common_read(QUEUE_SIZE, 2), FAKE_QUEUE_SIZE);
	assert_int_equal(common_read(QUEUE_ENABLE, 2), 0);
	common_write(QUEUE_SIZE, 2, size);
	write_area(QUEUE_DESC, fake_area(queue, VIRTIO_QUEUE_DESCRIPTOR));
	write_area(QUEUE_DRIVER, fake_area(queue, VIRTIO_QUEUE_DRIVER));
	write_area(QUEUE_DEVICE, fake_area(queue, VIRTIO_QUEUE_DEVICE));
	common_write(QUEUE_VECTOR, 2, queue + 1);
	assert_int_equal(common_read(QUEUE_VECTOR, 2),
		pci.msix.vector_count > queue + 1 ? queue + 1 : 0xffff);
	common_write(QUEUE_ENABLE, 2, 1);
}

static void go_live(void)
{
	probe(F_VERSION_1 | F_RING_RESET | F_NOTIFICATION_DATA);
	common_write(CONFIG_VECTOR, 2, 0);
	assert_int_equal(common_read(CONFIG_VECTOR, 2), 0);
	for (unsigned int i = 0; i < FAKE_QUEUES; i++) {
		set_up_queue(i, 32);
		assert_int_equal(common_read(QUEUE_ENABLE, 2), 1);
	}
	common_write(DEVICE_STATUS, 1, common_read(DEVICE_STATUS, 1) | S_DRIVER_OK);
	assert_int_equal(common_read(DEVICE_STATUS, 1), 15);
}

static void enable_msix(void)
{
	config_write(found.msix + 2, 2, MSIX_READY);
	for (unsigned int i = 0; i <= FAKE_QUEUES; i++) {
		virtio_pci_msix_bus_ops.write(&pci, 16 * i, 8, 0xfee00000 + 0x1000 * i);
		virtio_pci_msix_bus_ops.write(&pci, 16 * i + 8, 8, 0x40 + i);
	}
}

static void use_buffer(unsigned int queue)
{
	fake_device.device.queues[queue].run->pushed = true;
	virtio_device_flush_queue(&fake_device.device, queue);
}

static void use_buffer_if_running(void)
{
	for (unsigned int i = 0; i < FAKE_QUEUES; i++)
		if (fake_device.device.queues[i].run->running)
			use_buffer(i);
	(void)fake_io_run();
}

static void test_identity(void **state)
{
	(void)state;
	assert_int_equal(config_read(0, 4), 0x10421af4);
	assert_int_equal(config_read(8, 1), 1);
	assert_int_equal(config_read(0x0b, 1), 1);
	assert_int_equal(config_read(0x2c, 4), 0x00421af4);
	assert_int_equal(config_read(0x3d, 1), 1);
	assert_int_equal(found.device_bytes, FAKE_CONFIG_BYTES);
	assert_int_equal(found.notify_multiplier, 4);
	assert_int_equal(found.notify_bytes, 4 * FAKE_QUEUES);
	assert_int_equal(config_read(found.msix + 2, 2), FAKE_QUEUES);
}

/* Linux __pci_read_base and pci_enable_device; then the machine is told where. */
static void test_bars(void **state)
{
	static const uint32_t sizes[] = {0x4000, 0, 0x1000};

	(void)state;
	for (unsigned int i = 0; i <= 2; i += 2) {
		config_write(BAR(i), 4, UINT32_MAX);
		assert_int_equal(config_read(BAR(i), 4), (~(sizes[i] - 1)) | 4);
		config_write(BAR(i + 1), 4, UINT32_MAX);
		assert_int_equal(config_read(BAR(i + 1), 4), UINT32_MAX);
	}
	assert_int_equal(bar_changes, 0);
	config_write(BAR(0), 4, (uint32_t)BAR_BASE);
	config_write(BAR(1), 4, BAR_BASE >> 32);
	config_write(BAR(2), 4, (uint32_t)MSIX_BASE);
	config_write(BAR(3), 4, MSIX_BASE >> 32);
	config_write(COMMAND, 2, 6);
	assert_int_equal(bar_changes, 2);
	assert_true(pci.pci.bars[0].enabled);
	assert_int_equal(pci.pci.bars[0].base, BAR_BASE);
	assert_int_equal(pci.pci.bars[2].base, MSIX_BASE);
	assert_int_equal(pci.pci.bars[0].size, VIRTIO_PCI_BAR_BYTES);
	assert_int_equal(pci.pci.bars[2].size, VIRTIO_PCI_MSIX_BAR_BYTES);
	pci_host_reset(&host);
	assert_int_equal(bar_changes, 4);
	assert_false(pci.pci.bars[0].enabled);
}

static void test_interrupts_by_descriptor(void **state)
{
	(void)state;
	go_live();
	assert_int_equal(virtio_device_used_buffer_fd(&fake_device.device, 0), -1);
	fake_device.notifier_changes = 0;
	enable_msix();
	assert_int_equal(fake_device.notifier_changes, 1);
	assert_int_equal(virtio_device_used_buffer_fd(&fake_device.device, 0), 501);
	assert_int_equal(virtio_device_used_buffer_fd(&fake_device.device, 1), 502);
	common_write(QUEUE_SELECT, 2, 1);
	common_write(QUEUE_VECTOR, 2, 0);
	assert_int_equal(fake_device.notifier_changes, 2);
	assert_int_equal(virtio_device_used_buffer_fd(&fake_device.device, 1), 500);
	common_write(QUEUE_VECTOR, 2, 0xffff);
	assert_int_equal(virtio_device_used_buffer_fd(&fake_device.device, 1), -1);
	common_write(QUEUE_SELECT, 2, FAKE_QUEUES);
	common_write(QUEUE_VECTOR, 2, 0);
	assert_int_equal(fake_device.notifier_changes, 3);
	config_write(found.msix + 2, 2, 0);
	assert_int_equal(fake_device.notifier_changes, 4);
	assert_int_equal(virtio_device_used_buffer_fd(&fake_device.device, 0), -1);
}

static void test_what_linux_does_with_msix(void **state)
{
	(void)state;
	assert_true(device_features() & F_NOTIFICATION_DATA);
	assert_int_equal(common_read(NUM_QUEUES, 2), FAKE_QUEUES);
	enable_msix();
	go_live();
	for (unsigned int i = 0; i < FAKE_QUEUES; i++) {
		common_write(QUEUE_SELECT, 2, i);
		assert_int_equal(found.notify + common_read(QUEUE_NOTIFY_OFF, 2) * 4,
			virtio_pci_notify_offset(i));
		assert_int_equal(common_read(QUEUE_NOTIFY_DATA, 2), i);
	}
	/* With data, and without. */
	bar_write(virtio_pci_notify_offset(1), 4, 0x00050001);
	assert_int_equal(fake_io_run(), 1);
	assert_int_equal(fake_device.notifies[1], 2);
	bar_write(virtio_pci_notify_offset(2), 2, 2);
	assert_int_equal(fake_io_run(), 1);
	assert_int_equal(fake_device.notifies[2], 2);
	use_buffer(1);
	assert_int_equal(msi.vectors[2].fired, 1);
	assert_int_equal(msi.vectors[2].address, 0xfee02000);
	assert_int_equal(msi.vectors[2].data, 0x42);
	fake_change_config();
	assert_int_equal(msi.vectors[0].fired, 1);
	assert_int_equal(irq.rises, 0);
	/* 4.1.4.5.1: the configuration bit is there with MSI-X, too; the queue's is not. */
	assert_int_equal(bar_read(found.isr, 1), 2);
	assert_int_equal(bar_read(found.isr, 1), 0);
	/* Masked: pending, where the driver can see it, and sent later. */
	virtio_pci_msix_bus_ops.write(&pci, 16 * 2 + 12, 4, 1);
	use_buffer(1);
	assert_int_equal(msi.vectors[2].fired, 1);
	assert_int_equal(virtio_pci_msix_bus_ops.read(&pci, 0x800, 8), 4);
	assert_int_equal(config_read(found.msix + 8, 4), 0x800 | 2);
	virtio_pci_msix_bus_ops.write(&pci, 16 * 2 + 12, 4, 0);
	assert_int_equal(msi.vectors[2].fired, 2);
	common_write(DEVICE_STATUS, 1, 0);
	common_write(QUEUE_SELECT, 2, 1);
	assert_int_equal(common_read(QUEUE_VECTOR, 2), 0xffff);
	assert_int_equal(common_read(CONFIG_VECTOR, 2), 0xffff);
	assert_int_equal(common_read(QUEUE_ENABLE, 2), 0);
}

static void test_vectors(void **state)
{
	static const uint16_t bad[] = {FAKE_QUEUES + 1, 128, 0x7fff, 0xfffe, 0xffff};

	(void)state;
	for (size_t i = 0; i < array_size(bad); i++) {
		common_write(CONFIG_VECTOR, 2, 0);
		common_write(CONFIG_VECTOR, 2, bad[i]);
		assert_int_equal(common_read(CONFIG_VECTOR, 2), 0xffff);
		common_write(QUEUE_VECTOR, 2, 0);
		common_write(QUEUE_VECTOR, 2, bad[i]);
		assert_int_equal(common_read(QUEUE_VECTOR, 2), 0xffff);
	}
	enable_msix();
	go_live();
	common_write(QUEUE_SELECT, 2, 0);
	common_write(QUEUE_VECTOR, 2, 0xffff);
	use_buffer(0);
	for (unsigned int i = 0; i < MSIX_VECTORS_MAX; i++)
		assert_int_equal(msi.vectors[i].fired, 0);
	assert_int_equal(irq.rises, 0);
	/* Two share one. */
	common_write(QUEUE_VECTOR, 2, 3);
	use_buffer(0);
	use_buffer(2);
	assert_int_equal(msi.vectors[3].fired, 2);
}

/* Fewer vectors than there are queues: all of them share what there is, or use the line. */
static void test_one_vector(void **state)
{
	teardown(state);
	setup_with(true, 1);
	assert_int_equal(config_read(found.msix + 2, 2) & 0x7ff, 0);
	go_live();
	use_buffer(0);
	assert_true(irq.level);
	assert_int_equal(bar_read(found.isr, 1), 1);
	assert_false(irq.level);
	enable_msix();
	common_write(QUEUE_SELECT, 2, 0);
	common_write(QUEUE_VECTOR, 2, 0);
	assert_int_equal(common_read(QUEUE_VECTOR, 2), 0);
	use_buffer(0);
	fake_change_config();
	assert_int_equal(msi.vectors[0].fired, 2);
	assert_false(irq.level);
}

static void test_intx(void **state)
{
	(void)state;
	go_live();
	use_buffer(0);
	assert_true(irq.level);
	assert_true(config_read(STATUS, 2) & 8);
	/* vp_interrupt: one read says why and takes it back. */
	assert_int_equal(bar_read(found.isr, 1), 1);
	assert_false(irq.level);
	assert_false(config_read(STATUS, 2) & 8);
	fake_change_config();
	use_buffer(1);
	assert_int_equal(bar_read(found.isr, 1), 3);
	/* Command bit 10 keeps the line down, not the state. */
	config_write(COMMAND, 2, 0x400);
	use_buffer(1);
	assert_false(irq.level);
	assert_true(config_read(COMMAND, 4) & 8 << 16);
	config_write(COMMAND, 2, 0);
	assert_true(irq.level);
	/* So does MSI-X. */
	config_write(found.msix + 2, 2, MSIX_READY);
	assert_false(irq.level);
	assert_false(config_read(STATUS, 1) & 8);
	config_write(found.msix + 2, 2, 0);
	assert_true(irq.level);
	common_write(DEVICE_STATUS, 1, 0);
	assert_false(irq.level);
	assert_int_equal(bar_read(found.isr, 1), 0);
}

static void test_without_intx(void **state)
{
	(void)state;
	teardown(NULL);
	setup_with(false, 0);
	assert_int_equal(config_read(0x3d, 1), 0);
	go_live();
	use_buffer(0);
	assert_false(config_read(STATUS, 2) & 8);
	assert_int_equal(irq.rises, 0);
}

static void window_seek(uint32_t bar, uint32_t offset, uint32_t length)
{
	config_write(found.window + 4, 1, bar);
	config_write(found.window + 8, 4, offset);
	config_write(found.window + 12, 4, length);
}

/* VIRTIO 1.2 4.1.4.9: a driver without mapped BARs, as boot firmware is. */
static void test_window(void **state)
{
	unsigned int data = found.window + 16;

	(void)state;
	window_seek(0, found.common + NUM_QUEUES, 2);
	assert_int_equal(config_read(data, 2), FAKE_QUEUES);
	window_seek(0, found.common + DEVICE_STATUS, 1);
	config_write(data, 1, 1);
	assert_int_equal(common_read(DEVICE_STATUS, 1), 1);
	config_write(data, 4, 0xffffff03);
	assert_int_equal(common_read(DEVICE_STATUS, 1), 3);
	assert_int_equal(config_read(data, 1), 3);
	window_seek(0, found.common + DEVICE_FEATURE_SELECT, 4);
	config_write(data, 4, 0x11223344);
	assert_int_equal(common_read(DEVICE_FEATURE_SELECT, 4), 0x11223344);
	window_seek(0, found.device + 4, 4);
	assert_int_equal(config_read(data, 4), 0x17161514);
	assert_int_equal(config_read(data + 3, 1), 0x17);
	/* Reading why it interrupts takes it back here, too. */
	go_live();
	use_buffer(0);
	window_seek(0, found.isr, 1);
	assert_int_equal(config_read(data, 1), 1);
	assert_false(irq.level);
	window_seek(0, virtio_pci_notify_offset(1), 2);
	config_write(data, 2, 1);
	assert_int_equal(fake_io_run(), 1);
}

static void test_windows_that_lead_nowhere(void **state)
{
	static const struct {
		uint32_t bar, offset, length;
	} table[] = {{1, DEVICE_STATUS, 1}, {2, DEVICE_STATUS, 1}, {6, DEVICE_STATUS, 1},
		{255, DEVICE_STATUS, 1}, {0, DEVICE_STATUS, 0}, {0, DEVICE_STATUS, 3},
		{0, DEVICE_STATUS, 8}, {0, DEVICE_STATUS, UINT32_MAX}, {0, DEVICE_STATUS - 1, 2},
		{0, 0x4000, 1}, {0, 0x4000 + DEVICE_STATUS, 1}, {0, UINT32_MAX, 1},
		{0, UINT32_MAX - 3, 4}, {0, 0x80000000 + DEVICE_STATUS, 1},
		{0, DEVICE_FEATURE_SELECT + 2, 4}};
	unsigned int data = found.window + 16;

	(void)state;
	common_write(DEVICE_FEATURE_SELECT, 4, 0x5a5a5a5a);
	for (size_t i = 0; i < array_size(table); i++) {
		window_seek(table[i].bar, table[i].offset, table[i].length);
		config_write(data, 4, 0x01010101);
		assert_int_equal(config_read(data, 4), 0x01010101);
		assert_int_equal(common_read(DEVICE_STATUS, 1), 0);
		assert_int_equal(common_read(DEVICE_FEATURE_SELECT, 4), 0x5a5a5a5a);
	}
	for (unsigned int i = 0; i < 20; i++) {
		window_seek(i, i * 3, i * 5);
		(void)config_read(data, 4);
	}
}

static void test_ring_reset(void **state)
{
	(void)state;
	go_live();
	common_write(QUEUE_SELECT, 2, 1);
	common_write(QUEUE_ENABLE, 2, 0);
	assert_int_equal(common_read(QUEUE_ENABLE, 2), 1);
	common_write(QUEUE_RESET, 2, 0);
	assert_int_equal(common_read(QUEUE_ENABLE, 2), 1);
	common_write(QUEUE_RESET, 2, 1);
	assert_int_equal(common_read(QUEUE_RESET, 2), 0);
	assert_int_equal(common_read(QUEUE_ENABLE, 2), 0);
	assert_int_equal(common_read(QUEUE_VECTOR, 2), 0xffff);
	set_up_queue(1, 8);
	assert_int_equal(common_read(QUEUE_ENABLE, 2), 1);
	assert_int_equal(fake_device.device.queues[1].run->config.size, 8);
	/* CVE-2026-5747: not any more once it runs. */
	common_write(QUEUE_SIZE, 2, 64);
	assert_int_equal(common_read(QUEUE_SIZE, 2), 8);
}

static void test_queues_that_are_not_there(void **state)
{
	static const uint16_t queues[] = {FAKE_QUEUES, 63, 64, 0x100, 0x7fff, 0xffff};

	(void)state;
	probe(F_VERSION_1 | F_RING_RESET);
	for (size_t i = 0; i < array_size(queues); i++) {
		common_write(QUEUE_SELECT, 2, queues[i]);
		assert_int_equal(common_read(QUEUE_SELECT, 2), queues[i]);
		assert_int_equal(common_read(QUEUE_SIZE, 2), 0);
		common_write(QUEUE_VECTOR, 2, 0);
		assert_int_equal(common_read(QUEUE_VECTOR, 2), 0xffff);
		common_write(QUEUE_ENABLE, 2, 1);
		common_write(QUEUE_RESET, 2, 1);
		assert_int_equal(common_read(QUEUE_ENABLE, 2), 0);
		assert_int_equal(common_read(QUEUE_NOTIFY_OFF, 2), 0);
		write_area(QUEUE_DESC, UINT64_MAX);
		assert_int_equal(bar_read(found.common + QUEUE_DESC, 8), 0);
	}
	assert_int_equal(common_read(DEVICE_STATUS, 1), 11);
}

static void test_wide_accesses(void **state)
{
	(void)state;
	probe(F_VERSION_1);
	common_write(QUEUE_SELECT, 2, 2);
	bar_write(found.common + QUEUE_DESC, 8, 0x1122334455667788);
	bar_write(found.common + QUEUE_DRIVER, 8, 0x99);
	bar_write(found.common + QUEUE_DEVICE, 8, UINT64_MAX);
	assert_int_equal(bar_read(found.common + QUEUE_DESC, 8), 0x1122334455667788);
	assert_int_equal(common_read(QUEUE_DESC, 4), 0x55667788);
	assert_int_equal(common_read(QUEUE_DESC + 4, 4), 0x11223344);
	assert_int_equal(bar_read(found.common + QUEUE_DRIVER, 8), 0x99);
	assert_int_equal(bar_read(found.common + QUEUE_DEVICE, 8), UINT64_MAX);
	/* Not across two fields. */
	assert_int_equal(bar_read(found.common + QUEUE_DESC + 4, 8), 0);
	assert_int_equal(bar_read(found.common + DEVICE_FEATURE, 8), 0);
}

static unsigned int field_width(uint64_t offset)
{
	static const uint8_t widths[COMMON_BYTES] = {[0] = 4,
		[4] = 4,
		[8] = 4,
		[12] = 4,
		[16] = 2,
		[18] = 2,
		[20] = 1,
		[21] = 1,
		[22] = 2,
		[24] = 2,
		[26] = 2,
		[28] = 2,
		[30] = 2,
		[32] = 4,
		[36] = 4,
		[40] = 4,
		[44] = 4,
		[48] = 4,
		[52] = 4,
		[56] = 2,
		[58] = 2};

	return offset < COMMON_BYTES ? widths[offset] : 0;
}

static bool is_field(uint64_t offset, unsigned int size)
{
	bool is_quad = offset == QUEUE_DESC || offset == QUEUE_DRIVER || offset == QUEUE_DEVICE;

	return size == field_width(offset) || (size == 8 && is_quad);
}

static void test_every_access_in_every_state(void **state)
{
	static const uint64_t values[] = {
		0, 1, 2, 3, 11, 15, 0x80, 0xff, 0xffff, UINT32_MAX, UINT64_MAX};
	static const uint8_t statuses[] = {0, 3, 11, 15, 143};

	(void)state;
	enable_msix();
	for (size_t s = 0; s < array_size(statuses); s++) {
		for (uint64_t offset = 0; offset < 0x80; offset++) {
			for (unsigned int size = 1; size <= 8; size *= 2) {
				common_write(DEVICE_STATUS, 1, 0);
				if (statuses[s] == 3)
					common_write(DEVICE_STATUS, 1, 3);
				else if (statuses[s] == 11)
					probe(F_VERSION_1 | F_RING_RESET);
				else if (statuses[s] >= 15)
					go_live();
				if (statuses[s] == 143)
					common_write(DEVICE_STATUS, 1, 143);
				for (size_t v = 0; v < array_size(values); v++) {
					if (!is_field(offset, size))
						assert_int_equal(bar_read(offset, size), 0);
					hostile_access(&virtio_pci_bar_bus_ops, &pci, offset, size,
						values[v]);
				}
				if (!is_field(offset, size))
					assert_int_equal(
						common_read(DEVICE_STATUS, 1), statuses[s]);
			}
		}
	}
}

static void test_every_offset_of_the_bars(void **state)
{
	(void)state;
	go_live();
	for (uint64_t page = 0x1000; page < VIRTIO_PCI_BAR_BYTES; page += 0x1000) {
		for (uint64_t offset = page; offset < page + 0x1000; offset++) {
			for (unsigned int size = 1; size <= 8; size *= 2) {
				if (offset + size > VIRTIO_PCI_BAR_BYTES)
					continue;
				hostile_access(&virtio_pci_bar_bus_ops, &pci, offset, size, 0);
				if (offset < found.notify + found.notify_bytes)
					(void)fake_io_run();
				else
					assert_int_equal(fake_io_run(), 0);
			}
		}
	}
	(void)fake_io_run();
	/* A notification is two or four bytes, at its place. */
	for (unsigned int size = 1; size <= 8; size *= 2)
		for (unsigned int skew = 0; skew < 4; skew++) {
			bar_write(found.notify + skew, size, 0);
			assert_int_equal(fake_io_run(), skew == 0 && (size == 2 || size == 4));
		}
	hostile_accesses(&virtio_pci_msix_bus_ops, &pci, VIRTIO_PCI_MSIX_BAR_BYTES, 8);
}

static void test_hostile_configuration_space(void **state)
{
	uint64_t random = 99;

	(void)state;
	for (unsigned int i = 0; i < 60000; i++) {
		unsigned int size = 1U << fake_random(&random) % 4;
		uint64_t reg = fake_random(&random) % 0x108;
		uint64_t value = fake_random(&random) >> fake_random(&random) % 64;

		hostile_access(&pci_host_ecam_bus_ops, &host, SLOT << 15 | reg, size, value);
		if (i % 8 == 0)
			window_seek(0, (uint32_t)(value % 0x3100), size);
		if (i % 64 == 0)
			use_buffer_if_running();
	}
	pci_host_reset(&host);
	find_capabilities();
	assert_int_equal(config_read(0, 4), 0x10421af4);
	assert_int_equal(common_read(DEVICE_STATUS, 1), 0);
	assert_false(irq.level);
	enable_msix();
	go_live();
	use_buffer(0);
	assert_true(msi.vectors[1].unmasked);
}

static void test_random_accesses(void **state)
{
	uint64_t random = 7;

	(void)state;
	for (unsigned int i = 0; i < 200; i++) {
		pci_host_reset(&host);
		if (i % 3 == 0)
			enable_msix();
		if (i % 2 == 0)
			go_live();
		for (unsigned int j = 0; j < 300; j++) {
			uint64_t value = fake_random(&random) >> fake_random(&random) % 64;
			uint64_t offset = fake_random(&random) % COMMON_BYTES;
			unsigned int width = field_width(offset);

			hostile_access(&virtio_pci_bar_bus_ops, &pci,
				offset | (uint64_t)(j % 8 == 0) * (j % 4) << 12, width ? width : 1,
				value);
			if (j % 16 == 0)
				use_buffer_if_running();
		}
	}
}

static void test_too_large(void **state)
{
	static const struct virtio_pci_wiring wiring = {0};
	struct err err = {0};
	struct virtio_device large = {.name = "large", .config_bytes = 0x1001, .queue_count = 1};
	struct virtio_pci other;

	(void)state;
	assert_int_equal(virtio_pci_init(&other, &large, &wiring, &err), -EINVAL);
	assert_non_null(strstr(err.text, "large"));
}

#define test(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(test_identity),
		test(test_bars),
		test(test_interrupts_by_descriptor),
		test(test_what_linux_does_with_msix),
		test(test_vectors),
		test(test_one_vector),
		test(test_intx),
		test(test_without_intx),
		test(test_window),
		test(test_windows_that_lead_nowhere),
		test(test_ring_reset),
		test(test_queues_that_are_not_there),
		test(test_wide_accesses),
		test(test_every_access_in_every_state),
		test(test_every_offset_of_the_bars),
		test(test_hostile_configuration_space),
		test(test_random_accesses),
		test(test_too_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
