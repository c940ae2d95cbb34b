#include "fake_virtio.h"
#include "fake_wiring.h"
#include "virtio_mmio.h"

/* VIRTIO 1.2 4.2.2, transcribed. */
#define MAGIC               0x000
#define VERSION             0x004
#define DEVICE_ID           0x008
#define VENDOR_ID           0x00c
#define DEVICE_FEATURES     0x010
#define DEVICE_FEATURES_SEL 0x014
#define DRIVER_FEATURES     0x020
#define DRIVER_FEATURES_SEL 0x024
#define QUEUE_SEL           0x030
#define QUEUE_NUM_MAX       0x034
#define QUEUE_NUM           0x038
#define QUEUE_READY         0x044
#define QUEUE_NOTIFY        0x050
#define INTERRUPT_STATUS    0x060
#define INTERRUPT_ACK       0x064
#define STATUS              0x070
#define QUEUE_DESC          0x080
#define QUEUE_DRIVER        0x090
#define QUEUE_DEVICE        0x0a0
#define SHM_SEL             0x0ac
#define SHM_LEN             0x0b0
#define SHM_BASE            0x0b8
#define QUEUE_RESET         0x0c0
#define GENERATION          0x0fc
#define CONFIG              0x100

static struct virtio_mmio mmio;
static struct fake_irq irq;

static int setup_as(bool edge_triggered)
{
	struct irq line = fake_irq_line(&irq);

	irq = (struct fake_irq){0};
	fake_device_init();
	virtio_mmio_init(&mmio, &fake_device.device, &line, edge_triggered);
	return 0;
}

static int setup(void **state)
{
	(void)state;
	return setup_as(false);
}

static int teardown(void **state)
{
	(void)state;
	virtio_device_fini(&fake_device.device);
	virtio_mmio_fini(&mmio);
	return 0;
}

static uint64_t readn(uint64_t offset, unsigned int size)
{
	return virtio_mmio_bus_ops.read(&mmio, offset, size);
}

static void writen(uint64_t value, uint64_t offset, unsigned int size)
{
	virtio_mmio_bus_ops.write(&mmio, offset, size, value);
}

static uint32_t readl(uint64_t offset)
{
	return (uint32_t)readn(offset, 4);
}

static void writel(uint32_t value, uint64_t offset)
{
	writen(value, offset, 4);
}

/* Linux virtio_mmio_probe and register_virtio_device, up to the features. */
static void probe(void)
{
	assert_int_equal(readl(MAGIC), 'v' | 'i' << 8 | 'r' << 16 | 't' << 24);
	assert_int_equal(readl(VERSION), 2);
	assert_int_equal(readl(DEVICE_ID), 2);
	(void)readl(VENDOR_ID);
	writel(0, STATUS);
	assert_int_equal(readl(STATUS), 0);
	writel(readl(STATUS) | S_ACKNOWLEDGE, STATUS);
	writel(readl(STATUS) | S_DRIVER, STATUS);
}

static uint64_t device_features(void)
{
	uint64_t features;

	writel(1, DEVICE_FEATURES_SEL);
	features = (uint64_t)readl(DEVICE_FEATURES) << 32;
	writel(0, DEVICE_FEATURES_SEL);
	return features | readl(DEVICE_FEATURES);
}

static void negotiate(uint64_t features)
{
	writel(1, DRIVER_FEATURES_SEL);
	writel((uint32_t)(features >> 32), DRIVER_FEATURES);
	writel(0, DRIVER_FEATURES_SEL);
	writel((uint32_t)features, DRIVER_FEATURES);
	writel(readl(STATUS) | S_FEATURES_OK, STATUS);
}

static void write_area(uint64_t offset, uint64_t address)
{
	writel((uint32_t)address, offset);
	writel((uint32_t)(address >> 32), offset + 4);
}

/* vm_setup_vq */
static void set_up_queue(unsigned int queue, uint32_t size)
{
	writel(queue, QUEUE_SEL);
	assert_int_equal(readl(QUEUE_READY), 0);
	assert_int_equal(readl(QUEUE_NUM_MAX), FAKE_QUEUE_SIZE);
	writel(size, QUEUE_NUM);
	write_area(QUEUE_DESC, fake_area(queue, VIRTIO_QUEUE_DESCRIPTOR));
	write_area(QUEUE_DRIVER, fake_area(queue, VIRTIO_QUEUE_DRIVER));
	write_area(QUEUE_DEVICE, fake_area(queue, VIRTIO_QUEUE_DEVICE));
	writel(1, QUEUE_READY);
}

static void go_live(void)
{
	probe();
	assert_true(device_features() & F_RING_RESET);
	negotiate(F_VERSION_1 | F_RING_RESET | 0x1);
	assert_true(readl(STATUS) & S_FEATURES_OK);
	for (unsigned int i = 0; i < FAKE_QUEUES; i++) {
		set_up_queue(i, 32);
		assert_int_equal(readl(QUEUE_READY), 1);
	}
	writel(readl(STATUS) | S_DRIVER_OK, STATUS);
	assert_int_equal(readl(STATUS), 15);
}

static void use_buffer(unsigned int queue)
{
	fake_device.device.queues[queue].run->pushed = true;
	virtio_device_flush_queue(&fake_device.device, queue);
}

static void test_what_linux_does(void **state)
{
	(void)state;
	go_live();
	assert_int_equal(fake_device.device.accepted_features, F_VERSION_1 | F_RING_RESET | 0x1);
	assert_int_equal(fake_device.device.queues[1].run->config.size, 32);
	assert_int_equal(fake_device.device.queues[1].run->config.device_area,
		fake_area(1, VIRTIO_QUEUE_DEVICE));
	writel(2, QUEUE_NOTIFY);
	writel(FAKE_QUEUES, QUEUE_NOTIFY);
	writel(0x00010002, QUEUE_NOTIFY);
	assert_int_equal(fake_io_run(), 1);
	assert_int_equal(fake_device.notifies[2], 2);
	/* vm_interrupt: read, acknowledge what was read. */
	use_buffer(1);
	assert_true(irq.level);
	assert_int_equal(readl(INTERRUPT_STATUS), 1);
	fake_change_config();
	writel(1, INTERRUPT_ACK);
	assert_true(irq.level);
	assert_int_equal(readl(INTERRUPT_STATUS), 2);
	writel(2, INTERRUPT_ACK);
	assert_false(irq.level);
	assert_int_equal(readl(INTERRUPT_STATUS), 0);
	/* vm_del_vq after vm_reset. */
	use_buffer(0);
	writel(0, STATUS);
	assert_int_equal(readl(STATUS), 0);
	assert_int_equal(readl(INTERRUPT_STATUS), 0);
	assert_false(irq.level);
	for (uint32_t i = 0; i < FAKE_QUEUES; i++) {
		writel(i, QUEUE_SEL);
		writel(0, QUEUE_READY);
		assert_int_equal(readl(QUEUE_READY), 0);
	}
	assert_int_equal(fake_io_attached(), 0);
	go_live();
}

static void test_features(void **state)
{
	(void)state;
	probe();
	assert_int_equal(device_features() & F_NOTIFICATION_DATA, 0);
	assert_int_equal(device_features() & FAKE_FEATURES, FAKE_FEATURES);
	for (uint32_t word = 2; word; word *= 2) {
		writel(word, DEVICE_FEATURES_SEL);
		assert_int_equal(readl(DEVICE_FEATURES), 0);
	}
	negotiate(F_VERSION_1 | F_NOTIFICATION_DATA);
	assert_int_equal(readl(STATUS), 3);
	writel(5, DRIVER_FEATURES_SEL);
	writel(0, DRIVER_FEATURES);
	negotiate(F_VERSION_1);
	assert_int_equal(readl(STATUS), 11);
}

static void test_ring_reset(void **state)
{
	(void)state;
	go_live();
	writel(1, QUEUE_SEL);
	writel(0, QUEUE_RESET);
	writel(2, QUEUE_RESET);
	assert_int_equal(readl(QUEUE_READY), 1);
	writel(1, QUEUE_RESET);
	assert_int_equal(readl(QUEUE_RESET), 0);
	assert_int_equal(readl(QUEUE_READY), 0);
	set_up_queue(1, 16);
	assert_int_equal(readl(QUEUE_READY), 1);
	assert_int_equal(fake_device.device.queues[1].run->config.size, 16);
	writel(0, QUEUE_READY);
	assert_int_equal(readl(QUEUE_READY), 0);
	assert_int_equal(fake_io_attached(), 2);
}

static void test_sizes_that_do_not_fit(void **state)
{
	static const uint32_t sizes[] = {0, 0x10020, 0x80000020, 128, UINT32_MAX};

	(void)state;
	for (size_t i = 0; i < array_size(sizes); i++) {
		probe();
		negotiate(F_VERSION_1);
		set_up_queue(0, sizes[i]);
		assert_int_equal(readl(QUEUE_READY), 0);
		assert_int_equal(readl(STATUS), 11 | S_NEEDS_RESET);
	}
}

static void test_selectors_far_out(void **state)
{
	static const uint32_t queues[] = {FAKE_QUEUES, 63, 64, 0xffff, 0x10000, UINT32_MAX};

	(void)state;
	for (size_t i = 0; i < array_size(queues); i++) {
		probe();
		negotiate(F_VERSION_1 | F_RING_RESET);
		writel(queues[i], QUEUE_SEL);
		assert_int_equal(readl(QUEUE_NUM_MAX), 0);
		writel(16, QUEUE_NUM);
		writel(1, QUEUE_READY);
		assert_int_equal(readl(QUEUE_READY), 0);
		writel(0, QUEUE_READY);
		writel(1, QUEUE_RESET);
		write_area(QUEUE_DESC, 0);
		assert_int_equal(readl(STATUS), 11);
		writel(queues[i], QUEUE_NOTIFY);
	}
}

static void test_constants(void **state)
{
	(void)state;
	for (uint32_t region = 0; region < 3; region++) {
		writel(region, SHM_SEL);
		assert_int_equal(readl(SHM_LEN), UINT32_MAX);
		assert_int_equal(readl(SHM_LEN + 4), UINT32_MAX);
		assert_int_equal(readl(SHM_BASE), UINT32_MAX);
		assert_int_equal(readl(SHM_BASE + 4), UINT32_MAX);
	}
	assert_int_equal(readl(GENERATION), 0);
	fake_change_config();
	assert_int_equal(readl(GENERATION), 1);
	/* A status that is no byte is none. */
	writel(0x101, STATUS);
	assert_int_equal(readl(STATUS), 0);
}

static void test_configuration_space(void **state)
{
	(void)state;
	for (unsigned int size = 1; size <= 8; size *= 2) {
		for (uint64_t offset = 0; offset <= 0x100 - size; offset++) {
			uint64_t expected = 0;

			for (unsigned int i = 0; i < size; i++)
				if (offset + i < FAKE_CONFIG_BYTES)
					expected |= (0x10 + offset + i) << (8 * i);
			assert_int_equal(readn(CONFIG + offset, size), expected);
		}
	}
	go_live();
	writen(0x8877665544332211, CONFIG + 3, 8);
	assert_int_equal(readn(CONFIG + 3, 8), 0x8877665544332211);
	assert_int_equal(fake_device.config[2], 0x12);
	assert_int_equal(fake_device.config[11], 0x1b);
}

static void test_edges(void **state)
{
	(void)state;
	teardown(NULL);
	setup_as(true);
	go_live();
	use_buffer(0);
	assert_int_equal(irq.rises, 1);
	assert_false(irq.level);
	use_buffer(1);
	assert_int_equal(irq.rises, 1);
	fake_change_config();
	assert_int_equal(irq.rises, 2);
	writel(3, INTERRUPT_ACK);
	assert_int_equal(irq.rises, 2);
	use_buffer(1);
	assert_int_equal(irq.rises, 3);
}

/* Which accesses mean anything, by offset: r, w or both. */
static bool is_register(uint64_t offset, char direction)
{
	static const struct {
		uint16_t offset;
		const char *directions;
	} table[] = {{MAGIC, "r"}, {VERSION, "r"}, {DEVICE_ID, "r"}, {VENDOR_ID, "r"},
		{DEVICE_FEATURES, "r"}, {QUEUE_NUM_MAX, "r"}, {QUEUE_READY, "rw"},
		{INTERRUPT_STATUS, "r"}, {STATUS, "rw"}, {SHM_LEN, "r"}, {SHM_LEN + 4, "r"},
		{SHM_BASE, "r"}, {SHM_BASE + 4, "r"}, {QUEUE_RESET, "w"}, {GENERATION, "r"}};

	for (size_t i = 0; i < array_size(table); i++)
		if (table[i].offset == offset)
			return strchr(table[i].directions, direction) != NULL;
	return false;
}

static void test_every_access_in_every_state(void **state)
{
	static const uint64_t values[] = {0, 1, 2, 3, 11, 15, 0x80, 0xff, 0x100, 0x8000, 0xffff,
		0x10000, 0x80000000, UINT32_MAX, UINT64_MAX};
	static const uint8_t statuses[] = {0, 1, 3, 11, 15, 143};

	(void)state;
	for (size_t s = 0; s < array_size(statuses); s++) {
		for (uint64_t offset = 0; offset < VIRTIO_MMIO_BYTES; offset++) {
			for (unsigned int size = 1; size <= 8; size *= 2) {
				if (offset + size > VIRTIO_MMIO_BYTES)
					continue;
				writel(0, STATUS);
				for (size_t i = 0; i <= s && statuses[s]; i++) {
					if (statuses[i] == 11)
						negotiate(F_VERSION_1);
					writel(statuses[i], STATUS);
				}
				assert_int_equal(readl(STATUS), statuses[s]);
				if (offset < CONFIG && (size != 4 || !is_register(offset, 'r')))
					assert_int_equal(readn(offset, size), 0);
				for (size_t v = 0; v < array_size(values); v++)
					hostile_access(&virtio_mmio_bus_ops, &mmio, offset, size,
						values[v]);
				if (offset < CONFIG && size != 4)
					assert_int_equal(readl(STATUS), statuses[s]);
			}
		}
	}
}

static void test_random_accesses(void **state)
{
	uint64_t random = 7;

	(void)state;
	for (unsigned int i = 0; i < 200; i++) {
		if (i % 2)
			go_live();
		for (unsigned int j = 0; j < 300; j++) {
			uint64_t offset = fake_random(&random) % 0x120 & ~3ULL;
			uint64_t value = fake_random(&random) >> fake_random(&random) % 64;

			hostile_access(&virtio_mmio_bus_ops, &mmio, offset, 4, value);
			if (j % 16 == 0)
				(void)fake_io_run();
		}
	}
	go_live();
	virtio_mmio_reset(&mmio);
	assert_int_equal(readl(STATUS), 0);
}

#define test(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(test_what_linux_does),
		test(test_features),
		test(test_ring_reset),
		test(test_sizes_that_do_not_fit),
		test(test_selectors_far_out),
		test(test_constants),
		test(test_configuration_space),
		test(test_edges),
		test(test_every_access_in_every_state),
		test(test_random_accesses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
