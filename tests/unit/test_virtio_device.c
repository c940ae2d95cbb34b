#include "fake_virtio.h"

#include "cmocka_all.h"

static struct {
	_Atomic unsigned int used[FAKE_QUEUES];
	_Atomic unsigned int config;
} told;

static void record_used(void *transport, unsigned int queue)
{
	assert_ptr_equal(transport, &told);
	told.used[queue]++;
}

static void record_config(void *transport)
{
	assert_ptr_equal(transport, &told);
	told.config++;
}

static int setup(void **state)
{
	(void)state;
	memset(&told, 0, sizeof(told));
	fake_io.attach_fails = false;
	fake_device_init();
	fake_device.device.notifier = (struct virtio_notifier){.used_buffer = record_used,
		.configuration_changed = record_config,
		.transport = &told};
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	virtio_device_fini(&fake_device.device);
	assert_int_equal(fake_io_attached(), 0);
	return 0;
}

static void accept_features(uint64_t features)
{
	virtio_device_accept_features(&fake_device.device, 1, (uint32_t)(features >> 32));
	virtio_device_accept_features(&fake_device.device, 0, (uint32_t)features);
}

static uint8_t write_status(uint8_t status)
{
	virtio_device_set_status(&fake_device.device, status);
	return virtio_device_status(&fake_device.device);
}

/* Brings the device from anything to one of the statuses that a good driver passes through. */
static void go_to(uint8_t status, uint64_t features)
{
	static const uint8_t steps[] = {1, 3, 11, 15};

	assert_int_equal(write_status(0), 0);
	for (size_t i = 0; i < array_size(steps) && steps[i] <= (status & 0x7f); i++) {
		if (steps[i] == 11)
			accept_features(features);
		(void)write_status(steps[i]);
	}
	if (status & S_FAILED)
		(void)write_status(status);
	assert_int_equal(virtio_device_status(&fake_device.device), status);
}

static void set_areas(unsigned int queue)
{
	for (int area = VIRTIO_QUEUE_DESCRIPTOR; area <= VIRTIO_QUEUE_DEVICE; area++) {
		uint64_t address = fake_area(queue, (enum virtio_queue_area)area);

		virtio_device_set_queue_area(&fake_device.device, queue,
			(enum virtio_queue_area)area, false, (uint32_t)address);
		virtio_device_set_queue_area(&fake_device.device, queue,
			(enum virtio_queue_area)area, true, (uint32_t)(address >> 32));
	}
}

static bool enable(unsigned int queue, uint16_t size)
{
	virtio_device_set_queue_size(&fake_device.device, queue, size);
	set_areas(queue);
	virtio_device_enable_queue(&fake_device.device, queue);
	return virtio_device_queue(&fake_device.device, queue).enabled;
}

/* A driver that has set up two of three queues. */
static void go_live(void)
{
	go_to(11, F_VERSION_1 | F_RING_RESET);
	assert_true(enable(0, 16));
	assert_true(enable(2, 64));
	assert_int_equal(write_status(15), 15);
}

/* What VIRTIO 1.2 2.1 and 3.1.1 say about writing value, as sentences instead of a table. */
static uint8_t expected_status(uint8_t from, uint8_t value, bool features_are_good)
{
	uint8_t to = value & 0xbf;

	if (value == 0)
		return 0;
	if ((to & from) != from || (from & S_FAILED))
		return from; /* backwards, or given up */
	if (to == (from | S_FAILED))
		return to;
	if (from == 0 && (to == 1 || to == 3))
		return to;
	if (from == 1 && to == 3)
		return to;
	if (from == 3 && to == 11 && features_are_good)
		return to;
	if (from == 11 && to == 15)
		return to;
	return from;
}

static void test_every_status_from_every_status(void **state)
{
	static const uint8_t from[] = {0, 1, 3, 11, 15, 128, 129, 131, 139, 143};
	unsigned int cases = 0;

	(void)state;
	for (size_t i = 0; i < array_size(from); i++) {
		for (unsigned int value = 0; value < 256; value++, cases++) {
			go_to(from[i], F_VERSION_1);
			if (from[i] == 3)
				accept_features(F_VERSION_1);
			assert_int_equal(write_status((uint8_t)value),
				expected_status(from[i], (uint8_t)value, true));
			if (from[i] != 3)
				continue;
			go_to(3, 0);
			assert_int_equal(write_status((uint8_t)value),
				expected_status(3, (uint8_t)value, false));
		}
	}
	assert_int_equal(cases, 2560);
}

static void test_features_are_accepted_or_not(void **state)
{
	static const struct {
		uint64_t features;
		bool good;
	} table[] = {
		{F_VERSION_1, true},
		{F_VERSION_1 | FAKE_FEATURES, true},
		{F_VERSION_1 | 0x20, true},
		{F_VERSION_1 | F_RING_RESET | UINT64_C(1) << 34 | 3U << 28, true},
		{0, false},
		{FAKE_FEATURES, false},
		{F_VERSION_1 | 0x2, false},
		{F_VERSION_1 | UINT64_C(1) << 33, false},
		{F_VERSION_1 | UINT64_C(1) << 35, false},
		{F_VERSION_1 | F_NOTIFICATION_DATA, false},
		{F_VERSION_1 | UINT64_C(1) << 63, false},
		{UINT64_MAX, false},
	};

	(void)state;
	for (size_t i = 0; i < array_size(table); i++) {
		go_to(3, 0);
		accept_features(table[i].features);
		assert_int_equal(write_status(11), table[i].good ? 11 : 3);
	}
	/* A second try after a refusal. */
	go_to(3, 0);
	accept_features(UINT64_MAX);
	assert_int_equal(write_status(11), 3);
	accept_features(F_VERSION_1);
	assert_int_equal(write_status(11), 11);
	/* Too late, and too early. */
	accept_features(F_VERSION_1 | FAKE_FEATURES);
	assert_int_equal(virtio_device_accepted_features(&fake_device.device), F_VERSION_1);
	assert_int_equal(write_status(0), 0);
	accept_features(F_VERSION_1);
	assert_int_equal(virtio_device_accepted_features(&fake_device.device), 0);
	/* Words that nobody offers. */
	for (uint32_t word = 2; word; word *= 2) {
		go_to(3, 0);
		accept_features(F_VERSION_1);
		virtio_device_accept_features(&fake_device.device, word, 0);
		assert_int_equal(write_status(11), 11);
		go_to(3, 0);
		accept_features(F_VERSION_1);
		virtio_device_accept_features(&fake_device.device, word, 1);
		assert_int_equal(write_status(11), 3);
	}
}

static void test_withheld_features(void **state)
{
	(void)state;
	fake_device.device.withheld_features = UINT64_MAX;
	assert_int_equal(virtio_device_features(&fake_device.device), F_VERSION_1);
	fake_device.device.withheld_features = 0;
	fake_device.device.transport_features = F_NOTIFICATION_DATA;
	assert_true(virtio_device_features(&fake_device.device) & F_NOTIFICATION_DATA);
	go_to(3, 0);
	accept_features(F_VERSION_1 | F_NOTIFICATION_DATA);
	assert_int_equal(write_status(11), 11);
}

static void test_queues_are_configured_in_one_state_only(void **state)
{
	static const struct {
		uint8_t status;
		bool configurable;
	} table[] = {{0, false}, {1, false}, {3, false}, {11, true}, {15, false}, {139, false},
		{143, false}};

	(void)state;
	for (size_t i = 0; i < array_size(table); i++) {
		struct virtq_config config;

		go_to(table[i].status, F_VERSION_1);
		assert_int_equal(enable(1, 8), table[i].configurable);
		config = virtio_device_queue(&fake_device.device, 1);
		assert_int_equal(config.size_max, FAKE_QUEUE_SIZE);
		assert_int_equal(config.size, table[i].configurable ? 8 : FAKE_QUEUE_SIZE);
		assert_int_equal(config.descriptor_area,
			table[i].configurable ? fake_area(1, VIRTIO_QUEUE_DESCRIPTOR) : 0);
		assert_int_equal(config.device_area,
			table[i].configurable ? fake_area(1, VIRTIO_QUEUE_DEVICE) : 0);
		assert_int_equal(fake_device.faults, 0);
	}
}

static void test_an_enabled_queue_is_frozen(void **state)
{
	struct virtq_config before, after;

	(void)state;
	go_to(11, F_VERSION_1);
	assert_true(enable(0, 16));
	before = virtio_device_queue(&fake_device.device, 0);
	for (int live = 0; live < 2; live++) {
		virtio_device_set_queue_size(&fake_device.device, 0, 32);
		for (int area = VIRTIO_QUEUE_DESCRIPTOR; area <= VIRTIO_QUEUE_DEVICE; area++) {
			virtio_device_set_queue_area(&fake_device.device, 0,
				(enum virtio_queue_area)area, false, 0xdead0000);
			virtio_device_set_queue_area(
				&fake_device.device, 0, (enum virtio_queue_area)area, true, 0xdead);
		}
		after = virtio_device_queue(&fake_device.device, 0);
		assert_true(fake_config_is(&before, &after));
		assert_int_equal(write_status(15), 15);
	}
	assert_int_equal(fake_device.device.queues[0].run->config.size, 16);
}

static void test_queues_that_are_not_there(void **state)
{
	static const unsigned int queues[] = {
		FAKE_QUEUES, VIRTIO_QUEUES_MAX - 1, VIRTIO_QUEUES_MAX, 0xffff, UINT32_MAX};

	(void)state;
	go_to(11, F_VERSION_1 | F_RING_RESET);
	for (size_t i = 0; i < array_size(queues); i++) {
		assert_false(enable(queues[i], 16));
		assert_int_equal(virtio_device_queue(&fake_device.device, queues[i]).size_max, 0);
		virtio_device_disable_queue(&fake_device.device, queues[i]);
		assert_false(virtio_device_reset_queue(&fake_device.device, queues[i]));
	}
	assert_int_equal(write_status(15), 15);
	for (size_t i = 0; i < array_size(queues); i++)
		virtio_device_notify(&fake_device.device, queues[i]);
	assert_int_equal(fake_io_run(), 0);
}

static void test_a_bad_queue_breaks_the_device(void **state)
{
	static const uint16_t sizes[] = {0, 3, 65, 128, 0x8000, 0xffff};

	(void)state;
	for (size_t i = 0; i < array_size(sizes); i++) {
		fake_device.faults = 0;
		told.config = 0;
		go_to(11, F_VERSION_1);
		assert_true(enable(0, 16));
		assert_false(enable(1, sizes[i]));
		assert_false(enable(1, sizes[i]));
		assert_int_equal(virtio_device_status(&fake_device.device), 11 | S_NEEDS_RESET);
		assert_int_equal(fake_device.faults, 1);
		assert_int_equal(fake_device.fault_queue, 1);
		assert_int_equal(told.config, 0);
		/* 2.1.2: told once it may be told; nothing runs. */
		assert_int_equal(write_status(15 | S_NEEDS_RESET), 15 | S_NEEDS_RESET);
		assert_int_equal(told.config, 1);
		assert_int_equal(fake_device.activations, 0);
		assert_int_equal(fake_io_attached(), 0);
	}
	go_live();
	assert_int_equal(fake_device.activations, 1);
}

static void test_bad_addresses(void **state)
{
	static const struct {
		enum virtio_queue_area area;
		bool high;
		uint32_t value;
	} table[] = {
		{VIRTIO_QUEUE_DESCRIPTOR, false, FAKE_RAM_BASE + 8},
		{VIRTIO_QUEUE_DESCRIPTOR, false, FAKE_RAM_BASE + FAKE_RAM_BYTES - 16},
		{VIRTIO_QUEUE_DESCRIPTOR, true, UINT32_MAX},
		{VIRTIO_QUEUE_DRIVER, false, FAKE_RAM_BASE + 1},
		{VIRTIO_QUEUE_DRIVER, false, 0},
		{VIRTIO_QUEUE_DEVICE, false, FAKE_RAM_BASE + 2},
		{VIRTIO_QUEUE_DEVICE, true, 1},
	};

	(void)state;
	for (size_t i = 0; i < array_size(table); i++) {
		go_to(11, F_VERSION_1);
		set_areas(0);
		virtio_device_set_queue_area(
			&fake_device.device, 0, table[i].area, table[i].high, table[i].value);
		virtio_device_enable_queue(&fake_device.device, 0);
		assert_false(virtio_device_queue(&fake_device.device, 0).enabled);
		assert_int_equal(virtio_device_status(&fake_device.device), 11 | S_NEEDS_RESET);
	}
}

static void test_live(void **state)
{
	(void)state;
	/* Before: ignored, also by the counter of the eventfd. */
	virtio_device_notify(&fake_device.device, 0);
	go_live();
	assert_int_equal(fake_device.activations, 1);
	assert_int_equal(fake_io_attached(), 2);
	assert_int_equal(fake_device.notifies[0], 1);
	assert_int_equal(fake_device.notifies[1], 0);
	assert_int_equal(fake_device.notifies[2], 1);
	assert_int_equal(fake_io_run(), 0);
	virtio_device_notify(&fake_device.device, 0);
	virtio_device_notify(&fake_device.device, 0);
	virtio_device_notify(&fake_device.device, 1);
	assert_int_equal(fake_io_run(), 1);
	assert_int_equal(fake_device.notifies[0], 2);
	/* The ioeventfd's way. */
	fake_wake(fake_device.device.queues[2].notify_fd);
	assert_int_equal(fake_io_run(), 1);
	assert_int_equal(fake_device.notifies[2], 2);
	/* Used buffers are told of when the queue says so. */
	virtio_device_flush_queue(&fake_device.device, 2);
	assert_int_equal(told.used[2], 0);
	fake_device.device.queues[2].run->pushed = true;
	virtio_device_flush_queue(&fake_device.device, 2);
	assert_int_equal(told.used[2], 1);
	/* Given up: stopped; the queues still read as they were. */
	assert_int_equal(write_status(143), 143);
	assert_int_equal(fake_io_attached(), 0);
	assert_true(virtio_device_queue(&fake_device.device, 2).enabled);
	assert_int_equal(write_status(0), 0);
	assert_false(virtio_device_queue(&fake_device.device, 2).enabled);
	assert_int_equal(virtio_device_queue(&fake_device.device, 2).descriptor_area, 0);
}

static void test_queues_that_others_run(void **state)
{
	const struct virtq *run = fake_device.device.queues[2].run;

	(void)state;
	fake_device.hands_over = true;
	go_live();
	assert_int_equal(fake_device.activations, 1);
	assert_int_equal(fake_io_attached(), 0);
	assert_false(run->running);
	/* The doorbell is theirs. */
	virtio_device_notify(&fake_device.device, 2);
	(void)fake_io_run();
	assert_int_equal(fake_device.notifies[2], 0);
	virtio_device_take_queue(&fake_device.device, 2, 7);
	assert_true(run->running);
	assert_int_equal(fake_io_attached(), 1);
	assert_int_equal(fake_device.notifies[2], 1);
	virtio_device_set_status(&fake_device.device, 0);
	assert_false(run->running);
	assert_int_equal(fake_io_attached(), 0);
}

static void test_ring_features_reach_the_queue(void **state)
{
	(void)state;
	go_to(11, F_VERSION_1 | UINT64_C(1) << 34 | 1U << 29);
	assert_true(enable(0, 16));
	assert_int_equal(write_status(15), 15);
	assert_int_equal(fake_device.device.queues[0].run->features.format, VIRTQ_PACKED);
	assert_true(fake_device.device.queues[0].run->features.event_idx);
	assert_false(fake_device.device.queues[0].run->features.indirect);
	assert_false(fake_device.device.queues[0].run->features.in_order);
	go_to(11, F_VERSION_1 | 1U << 28);
	assert_true(enable(0, 16));
	assert_int_equal(write_status(15), 15);
	assert_int_equal(fake_device.device.queues[0].run->features.format, VIRTQ_SPLIT);
	assert_true(fake_device.device.queues[0].run->features.indirect);
}

static void test_breaking(void **state)
{
	(void)state;
	go_live();
	virtio_device_break(&fake_device.device, 2, "its driver is odd");
	virtio_device_break(&fake_device.device, 0, "again");
	assert_int_equal(fake_device.faults, 1);
	assert_int_equal(fake_device.fault_queue, 2);
	assert_int_equal(told.config, 1);
	assert_int_equal(virtio_device_status(&fake_device.device), 15 | S_NEEDS_RESET);
	virtio_device_notify(&fake_device.device, 0);
	(void)fake_io_run();
	assert_int_equal(fake_device.notifies[0], 1);
	/* Linux writes back what it has read. */
	assert_int_equal(write_status(15 | S_NEEDS_RESET), 15 | S_NEEDS_RESET);
	assert_int_equal(write_status(143 | S_NEEDS_RESET), 143 | S_NEEDS_RESET);
	go_live();
	virtio_device_notify(&fake_device.device, 0);
	(void)fake_io_run();
	assert_int_equal(fake_device.notifies[0], 3);
	virtio_device_break(&fake_device.device, 0, "once more");
	assert_int_equal(fake_device.faults, 2);
}

/* While its thread polls, a queue is looked at in place of being notified of. */
static void test_resting(void **state)
{
	struct virtio_device *device = &fake_device.device;
	struct virtq *run = device->queues[0].run;

	(void)state;
	go_live();
	assert_false(virtio_device_rest_queue(device, 0));
	assert_int_equal(run->asked, 1);
	run->available = true;
	assert_true(virtio_device_rest_queue(device, 0));
	run->available = false;

	fake_io.polls = true;
	assert_false(virtio_device_rest_queue(device, 0));
	assert_int_equal(run->asked, 2);
	assert_ptr_equal(fake_io.awake, &device->queues[0].poller);
	assert_false(fake_io.awake->look(fake_io.awake));
	run->available = true;
	assert_true(fake_io.awake->look(fake_io.awake));
	fake_io.awake->ready(fake_io.awake);
	assert_int_equal(fake_device.notifies[0], 2);
	assert_true(fake_io.awake->rest(fake_io.awake));
	run->available = false;
	assert_false(fake_io.awake->rest(fake_io.awake));
	assert_int_equal(run->asked, 4);

	/* A broken device takes nothing; one that was reset is not looked at. */
	run->available = true;
	virtio_device_break(device, 0, "its driver is odd");
	assert_false(fake_io.awake->look(fake_io.awake));
	assert_false(fake_io.awake->rest(fake_io.awake));
	assert_int_equal(write_status(0), 0);
	assert_null(fake_io.awake);
	fake_io.polls = false;
}

static void test_failures_to_activate(void **state)
{
	(void)state;
	fake_device.activate_result = -EIO;
	go_to(11, F_VERSION_1);
	assert_true(enable(0, 16));
	assert_int_equal(write_status(15), 15 | S_NEEDS_RESET);
	assert_int_equal(fake_device.notifies[0], 0);
	assert_int_equal(fake_device.faults, 1);
	fake_device.activate_result = 0;
	fake_io.attach_fails = true;
	go_to(11, F_VERSION_1);
	assert_true(enable(0, 16));
	assert_int_equal(write_status(15), 15 | S_NEEDS_RESET);
	assert_int_equal(fake_device.faults, 2);
	assert_int_equal(write_status(0), 0);
}

static void test_ring_reset(void **state)
{
	(void)state;
	go_live();
	assert_true(virtio_device_reset_queue(&fake_device.device, 0));
	assert_false(virtio_device_queue(&fake_device.device, 0).enabled);
	assert_int_equal(virtio_device_queue(&fake_device.device, 0).size, FAKE_QUEUE_SIZE);
	assert_int_equal(fake_io_attached(), 1);
	virtio_device_notify(&fake_device.device, 0);
	assert_int_equal(fake_io_run(), 0);
	/* The other one goes on. */
	virtio_device_notify(&fake_device.device, 2);
	assert_int_equal(fake_io_run(), 1);
	/* 2.6.1.2: with other parameters. */
	assert_true(enable(0, 8));
	assert_int_equal(fake_device.device.queues[0].run->config.size, 8);
	assert_int_equal(fake_device.device.queues[0].run->starts, 2);
	assert_int_equal(fake_io_attached(), 2);
	assert_int_equal(fake_device.notifies[0], 2);
	/* One that was never enabled cannot be by way of a reset. */
	assert_true(virtio_device_reset_queue(&fake_device.device, 1));
	assert_false(enable(1, 8));
	assert_int_equal(fake_device.faults, 0);
	/* A bad one. */
	assert_true(virtio_device_reset_queue(&fake_device.device, 0));
	assert_false(enable(0, 7));
	assert_int_equal(virtio_device_status(&fake_device.device), 15 | S_NEEDS_RESET);
	/* Not negotiated. */
	go_to(11, F_VERSION_1);
	assert_true(enable(0, 16));
	assert_false(virtio_device_reset_queue(&fake_device.device, 0));
	assert_true(virtio_device_queue(&fake_device.device, 0).enabled);
	assert_int_equal(write_status(15), 15);
	assert_false(virtio_device_reset_queue(&fake_device.device, 0));
	assert_int_equal(fake_io_attached(), 1);
}

static void test_disabling(void **state)
{
	(void)state;
	go_to(11, F_VERSION_1);
	assert_true(enable(0, 16));
	virtio_device_disable_queue(&fake_device.device, 0);
	assert_false(virtio_device_queue(&fake_device.device, 0).enabled);
	assert_true(enable(0, 32));
	assert_int_equal(write_status(15), 15);
	assert_int_equal(fake_device.device.queues[0].run->config.size, 32);
	virtio_device_disable_queue(&fake_device.device, 0);
	assert_int_equal(fake_io_attached(), 0);
	assert_false(fake_device.device.queues[0].run->running);
	assert_false(enable(0, 32));
}

static void change_first_byte(struct virtio_device *device, void *context)
{
	(void)device;
	fake_device.config[0] = *(const uint8_t *)context;
}

static void test_configuration_space(void **state)
{
	uint8_t bytes[32], value = 0x99;
	uint32_t generation = virtio_device_config_generation(&fake_device.device);

	(void)state;
	for (uint32_t offset = 0; offset < 40; offset++) {
		for (uint32_t size = 1; size <= sizeof(bytes); size++) {
			memset(bytes, 0xee, sizeof(bytes));
			virtio_device_read_config(&fake_device.device, offset, bytes, size);
			for (uint32_t i = 0; i < sizeof(bytes); i++)
				assert_int_equal(bytes[i], i >= size ? 0xee
							   : offset + i < FAKE_CONFIG_BYTES
								   ? 0x10 + offset + i
								   : 0);
		}
	}
	virtio_device_read_config(&fake_device.device, UINT32_MAX, bytes, 8);
	assert_int_equal(bytes[0], 0);
	/* Not before the features are agreed upon, and only what is inside. */
	for (uint8_t status = 0; status <= 3; status = (uint8_t)(2 * status + 1)) {
		go_to(status, 0);
		virtio_device_write_config(&fake_device.device, 0, &value, 1);
	}
	assert_int_equal(fake_device.config_writes, 0);
	go_to(11, F_VERSION_1);
	virtio_device_write_config(&fake_device.device, 23, &value, 1);
	assert_int_equal(fake_device.config[23], 0x99);
	virtio_device_write_config(&fake_device.device, 23, bytes, 2);
	virtio_device_write_config(&fake_device.device, 24, bytes, 1);
	virtio_device_write_config(&fake_device.device, UINT32_MAX, bytes, 8);
	virtio_device_write_config(&fake_device.device, 0, bytes, 0);
	assert_int_equal(fake_device.config_writes, 1);
	/* Some devices want them whenever they come, even of a driver that has given up. */
	fake_device.device.takes_early_writes = true;
	for (uint8_t status = 0; status <= 3; status = (uint8_t)(2 * status + 1)) {
		go_to(status, 0);
		virtio_device_write_config(&fake_device.device, 0, &value, 1);
	}
	virtio_device_set_status(&fake_device.device, 3 | 128);
	virtio_device_write_config(&fake_device.device, 0, &value, 1);
	assert_int_equal(fake_device.config_writes, 5);
	fake_device.device.takes_early_writes = false;
	go_to(11, F_VERSION_1);
	generation = virtio_device_config_generation(&fake_device.device);
	/* Changes: a new generation always, told only to a driver that is there. */
	fake_change_config();
	assert_int_equal(told.config, 0);
	assert_int_equal(virtio_device_config_generation(&fake_device.device), generation + 1);
	assert_int_equal(write_status(15), 15);
	virtio_device_change_config(&fake_device.device, change_first_byte, &value);
	assert_int_equal(told.config, 1);
	assert_int_equal(virtio_device_config_generation(&fake_device.device), generation + 2);
	virtio_device_read_config(&fake_device.device, 0, bytes, 1);
	assert_int_equal(bytes[0], 0x99);
	assert_int_equal(write_status(0), 0);
	fake_change_config();
	assert_int_equal(told.config, 1);
}

/* --- With a real I/O thread whose requests complete one by one. --- */

#define IN_FLIGHT 40

static void test_reset_waits_for_what_is_in_flight(void **state)
{
	(void)state;
	fake_io_start(fake_complete);
	fake_device.takes = IN_FLIGHT;
	go_live();
	assert_true(virtio_device_reset_queue(&fake_device.device, 0));
	assert_int_equal(told.used[0], IN_FLIGHT);
	assert_true(enable(0, 16));
	assert_int_equal(write_status(0), 0);
	assert_int_equal(told.used[0], 2 * IN_FLIGHT);
	assert_int_equal(told.used[2], IN_FLIGHT);
	go_live();
	virtio_device_disable_queue(&fake_device.device, 2);
	assert_int_equal(told.used[2], 2 * IN_FLIGHT);
	assert_int_equal(write_status(143), 143);
	assert_int_equal(told.used[0], 3 * IN_FLIGHT);
	/* A broken device comes to rest, too. */
	go_live();
	virtio_device_break(&fake_device.device, 0, "while busy");
	virtio_device_reset(&fake_device.device);
	assert_int_equal(told.used[0], 4 * IN_FLIGHT);
	fake_io_stop();
}

/* As go_live, for one among several that do other things to the device. */
static void drive(void)
{
	virtio_device_set_status(&fake_device.device, 3);
	accept_features(F_VERSION_1 | F_RING_RESET);
	virtio_device_set_status(&fake_device.device, 11);
	(void)enable(0, 16);
	virtio_device_set_status(&fake_device.device, 15);
}

static void *hammer(void *seed)
{
	uint64_t random = *(const uint64_t *)seed;

	for (unsigned int i = 0; i < 300; i++) {
		static const uint8_t statuses[] = {0, 1, 3, 11, 15, 143};
		uint8_t bytes[8];
		unsigned int queue;

		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		queue = (unsigned int)(random >> 20) % (FAKE_QUEUES + 1);
		switch (random % 10) {
		case 0:
			virtio_device_set_status(&fake_device.device,
				statuses[(random >> 8) % array_size(statuses)]);
			break;
		case 1:
			drive();
			break;
		case 2:
			(void)enable(queue, 16);
			break;
		case 3:
			(void)virtio_device_reset_queue(&fake_device.device, queue);
			break;
		case 4:
			virtio_device_disable_queue(&fake_device.device, queue);
			break;
		case 5:
			fake_change_config();
			break;
		case 6:
			virtio_device_read_config(&fake_device.device, 0, bytes, sizeof(bytes));
			break;
		case 7:
			(void)virtio_device_status(&fake_device.device);
			break;
		default:
			virtio_device_notify(&fake_device.device, queue);
			break;
		}
	}
	return NULL;
}

static void test_processors_at_once(void **state)
{
	static const uint64_t seeds[] = {1, 22, 333};
	pthread_t threads[array_size(seeds)];

	(void)state;
	fake_io_start(fake_complete);
	fake_device.takes = 3;
	for (size_t i = 0; i < array_size(seeds); i++) {
		uint64_t *seed = (uint64_t *)(uintptr_t)&seeds[i];

		assert_int_equal(pthread_create(&threads[i], NULL, hammer, seed), 0);
	}
	for (size_t i = 0; i < array_size(seeds); i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	/* Until the queues are back, the I/O thread may read it. */
	assert_int_equal(write_status(0), 0);
	fake_device.takes = 0;
	go_live();
	assert_int_equal(write_status(0), 0);
	fake_io_stop();
}

#define test(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(test_every_status_from_every_status),
		test(test_features_are_accepted_or_not),
		test(test_withheld_features),
		test(test_queues_are_configured_in_one_state_only),
		test(test_an_enabled_queue_is_frozen),
		test(test_queues_that_are_not_there),
		test(test_a_bad_queue_breaks_the_device),
		test(test_bad_addresses),
		test(test_live),
		test(test_queues_that_others_run),
		test(test_ring_features_reach_the_queue),
		test(test_breaking),
		test(test_resting),
		test(test_failures_to_activate),
		test(test_ring_reset),
		test(test_disabling),
		test(test_configuration_space),
		test(test_reset_waits_for_what_is_in_flight),
		test(test_processors_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
