/* A device, its transport, real queues and a real I/O thread together; the driver's thread stands
 * for a vCPU. Requests stay in flight for a moment, so that resets find some. */
#include "io_thread_fixture.h"
#include "virtio_driver.h"
#include "virtio_mmio.h"

#include "clock.h"

#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define RAM_BASE    UINT64_C(0x200000)
#define RAM_BYTES   0x20000
#define BUFFERS     (RAM_BASE + 0x10000)
#define RING_SIZE   64
#define IN_FLIGHT   32
#define REQUEST_NS  UINT64_C(200000)
#define F_VERSION_1 (UINT64_C(1) << 32)
#define F_PACKED    (UINT64_C(1) << 34)

static _Alignas(4096) uint8_t ram[RAM_BYTES];
static const struct gmem memory = {
	.regions = {{.base = {RAM_BASE}, .size_bytes = RAM_BYTES, .host = ram, .fd = -1}},
	.region_count = 1,
};

/* Answers each request with the bytes that it brought, some time later. */
static struct {
	struct virtio_device device;
	struct chain *chains[IN_FLIGHT]; /* [io] */
	unsigned int count;              /* [io] */
	bool armed, quiescing;           /* [io] */
	struct io_timer timer;           /* [io] */
	unsigned int faults;
} echo;

static struct virtio_mmio mmio;
static struct virtio_driver driver;
static int interrupt_fd;

static void answer(struct chain *chain)
{
	uint32_t word;

	assert_int_equal(chain_read(chain, &word, sizeof(word)), 0);
	assert_int_equal(chain_write(chain, &word, sizeof(word)), 0);
	virtq_push(echo.device.queues[0].run, chain);
}

static void arm(void)
{
	if (echo.armed || !echo.count)
		return;
	echo.armed = true;
	io_timer_arm(echo.device.io_thread, &echo.timer, clock_monotonic_ns() + REQUEST_NS);
}

static void echo_notify(struct virtio_device *device, unsigned int queue)
{
	struct virtq *run = device->queues[queue].run;
	int r = 0;

	virtq_disable_notifications(run);
	while (echo.count < IN_FLIGHT && (r = virtq_pop(run, &echo.chains[echo.count])) == 1)
		echo.count++;
	if (r < 0)
		virtio_device_break(device, queue, "the ring is broken");
	else if (echo.count < IN_FLIGHT && virtq_enable_notifications(run))
		echo_notify(device, queue);
	arm();
}

static void echo_expired(struct io_timer *timer)
{
	(void)timer;
	echo.armed = false;
	for (unsigned int i = 0; i < echo.count; i++)
		answer(echo.chains[i]);
	echo.count = 0;
	virtio_device_flush_queue(&echo.device, 0);
	if (echo.quiescing) {
		echo.quiescing = false;
		virtio_device_quiesced(&echo.device, VIRTIO_QUEUES_MAX);
	} else if (!atomic_load(&echo.device.broken)) {
		echo_notify(&echo.device, 0);
	}
}

static void echo_quiesce(struct virtio_device *device, unsigned int queue)
{
	if (echo.count)
		echo.quiescing = true;
	else
		virtio_device_quiesced(device, queue);
}

static void echo_broken(
	void *owner, const struct virtio_device *device, unsigned int queue, const char *why)
{
	(void)owner;
	(void)device;
	(void)queue;
	(void)why;
	echo.faults++;
}

static void set_level(void *controller, unsigned int line, bool level)
{
	static const uint64_t one = 1;

	(void)controller;
	(void)line;
	if (level)
		assert_int_equal(write(interrupt_fd, &one, sizeof(one)), sizeof(one));
}

static uint32_t readl(uint64_t offset)
{
	return (uint32_t)virtio_mmio_bus_ops.read(&mmio, offset, 4);
}

static void writel(uint32_t value, uint64_t offset)
{
	virtio_mmio_bus_ops.write(&mmio, offset, 4, value);
}

static void bring_up(struct io_thread *thread)
{
	static const struct virtio_device_ops ops = {
		.queue_notify = echo_notify, .quiesce = echo_quiesce};
	static const struct irq_ops irq_ops = {set_level};
	struct irq irq = {.ops = &irq_ops};

	memset(&echo, 0, sizeof(echo));
	echo.timer.expired = echo_expired;
	echo.device.ops = &ops;
	echo.device.name = "echo";
	echo.device.queue_count = 1;
	echo.device.queue_size_max = RING_SIZE;
	echo.device.gmem = &memory;
	echo.device.io_thread = thread;
	echo.device.fault_sink.broken = echo_broken;
	interrupt_fd = eventfd(0, EFD_CLOEXEC);
	assert_true(interrupt_fd >= 0);
	assert_int_equal(virtio_device_init(&echo.device, NULL), 0);
	virtio_mmio_init(&mmio, &echo.device, &irq, false);
}

static void tear_down(void)
{
	virtio_device_fini(&echo.device);
	virtio_mmio_fini(&mmio);
	(void)close(interrupt_fd);
}

static void go_live(bool packed)
{
	const uint64_t areas[] = {driver.descriptor_area, driver.driver_area, driver.device_area};

	writel(0, 0x70);
	writel(3, 0x70);
	writel(1, 0x24);
	writel((uint32_t)((F_VERSION_1 | (packed ? F_PACKED : 0)) >> 32), 0x20);
	writel(11, 0x70);
	writel(RING_SIZE, 0x38);
	for (unsigned int i = 0; i < array_size(areas); i++)
		writel((uint32_t)areas[i], 0x80 + 0x10 * i);
	writel(1, 0x44);
	writel(15, 0x70);
	assert_int_equal(readl(0x70), 15);
}

/* Puts a request into the ring; its number comes back. */
static void submit(uint32_t number)
{
	uint64_t at = BUFFERS + 16 * (number % RING_SIZE);
	struct driver_buffer buffers[] = {{at, 4, false}, {at + 8, 4, true}};
	uint16_t id;

	driver_poke(&driver, at, &number, sizeof(number));
	assert_true(driver_add(&driver, buffers, 2, 0, &id));
	if (driver_publish(&driver))
		writel(0, 0x50);
}

/* vm_interrupt, and what has come. */
static unsigned int collect(void)
{
	unsigned int count = 0;
	uint16_t id;
	uint32_t length, status = readl(0x60);

	writel(status, 0x64);
	while (driver_get_used(&driver, &id, &length)) {
		assert_int_equal(length, 4);
		count++;
	}
	return count;
}

static void wait_for_interrupt(void)
{
	uint64_t count;

	assert_int_equal(read(interrupt_fd, &count, sizeof(count)), sizeof(count));
}

static void echo_many(struct io_thread *thread, bool packed)
{
	bring_up(thread);
	driver_init(&driver, ram, RAM_BASE, RAM_BASE, RING_SIZE, packed);
	go_live(packed);
	for (uint32_t round = 0; round < 20; round++) {
		unsigned int answered = 0;

		for (uint32_t i = 0; i < 24; i++)
			submit(24 * round + i);
		while (answered < 24) {
			wait_for_interrupt();
			answered += collect();
		}
		assert_int_equal(answered, 24);
	}
	tear_down();
}

static void test_split(void **state)
{
	echo_many(thread_of(state), false);
}

static void test_packed(void **state)
{
	echo_many(thread_of(state), true);
}

/* All that the device had taken is in the used ring when the write of 0 returns. */
static void test_resets_with_requests_in_flight(void **state)
{
	struct io_thread *thread = thread_of(state);

	bring_up(thread);
	for (unsigned int round = 0; round < 30; round++) {
		unsigned int answered;
		uint16_t used;

		driver_init(&driver, ram, RAM_BASE, RAM_BASE, RING_SIZE, false);
		go_live(false);
		for (uint32_t i = 0; i < round; i++)
			submit(i);
		writel(0, 0x70);
		assert_int_equal(readl(0x70), 0);
		assert_int_equal(readl(0x60), 0);
		assert_int_equal(echo.count, 0);
		answered = collect();
		used = driver_peek16(&driver, driver.device_area + 2);
		assert_int_equal(answered, used);
		assert_in_range(answered, 0, round);
	}
	tear_down();
}

static void test_a_broken_ring(void **state)
{
	struct io_thread *thread = thread_of(state);

	bring_up(thread);
	driver_init(&driver, ram, RAM_BASE, RAM_BASE, RING_SIZE, false);
	go_live(false);
	driver_poke16(&driver, driver.driver_area + 2, 1000);
	writel(0, 0x50);
	wait_for_interrupt();
	assert_int_equal(readl(0x60), 2);
	assert_int_equal(readl(0x70), 15 | 64);
	driver_init(&driver, ram, RAM_BASE, RAM_BASE, RING_SIZE, false);
	go_live(false);
	assert_int_equal(echo.faults, 1);
	submit(1);
	wait_for_interrupt();
	while (collect() != 1)
		wait_for_interrupt();
	tear_down();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_packed),
		cmocka_unit_test(test_resets_with_requests_in_flight),
		cmocka_unit_test(test_a_broken_ring),
	};

	return run_on_all_engines(tests, array_size(tests));
}
