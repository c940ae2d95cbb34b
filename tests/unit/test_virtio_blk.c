#include "virtio_blk_fixture.h"

static const uint64_t ring_kinds[] = {
	0, F_EVENT_IDX, F_PACKED, F_PACKED | F_EVENT_IDX | F_INDIRECT};

static void every_request(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < array_size(ring_kinds) * 2; i++) {
		struct disk_options options = {.ephemeral = i >= array_size(ring_kinds)};
		uint64_t range[2] = {20, 4};
		uint32_t used;

		start(&options, i % 2 ? IO_ENGINE_AUTO : IO_ENGINE_THREADS);
		drive(ring_kinds[i % array_size(ring_kinds)] | F_FLUSH | F_DISCARD |
			F_WRITE_ZEROES);
		memset(slot_data(0), 0x5a, 8192);
		assert_int_equal(run(T_OUT, 16, 8192, NULL), 0);
		assert_int_equal(run(T_FLUSH, 0, 0, NULL), 0);
		memset(slot_data(0), 0, 8192);
		assert_int_equal(run(T_IN, 15, 4096, &used), 0);
		assert_int_equal(used, 4097);
		assert_int_equal(slot_data(0)[511], 0);
		assert_int_equal(slot_data(0)[512], 0x5a);
		memcpy(slot_data(0), range, 16);
		assert_int_equal(run(T_WRITE_ZEROES, 0, 16, NULL), 0);
		assert_int_equal(run(T_IN, 19, 512 * 6, &used), 0);
		assert_int_equal(slot_data(0)[511], 0x5a);
		assert_int_equal(slot_data(0)[512], 0);
		assert_int_equal(slot_data(0)[5 * 512 - 1], 0);
		assert_int_equal(slot_data(0)[5 * 512], 0x5a);
		memcpy(slot_data(0), range, 16);
		assert_int_equal(run(T_DISCARD, 0, 16, NULL), 0);
		memset(slot_data(0), 0xcc, 64);
		assert_int_equal(run(T_GET_ID, 0, 20, &used), 0);
		assert_int_equal(used, 21);
		assert_memory_equal(slot_data(0), "0123456789abcdefghij\xcc", 21);
		assert_int_equal(run(T_IN, SIZE / 512, 512, &used), 1);
		assert_int_equal(used, 1);
		assert_int_equal(run(9, 0, 0, NULL), 2);
		assert_true(t.events.notifications[0] > 0);
		assert_int_equal(t.events.faults, 0);
		stop(true);
	}
}

/* Header over one, two and three descriptors, data and status in one piece or two. */
static void split_anyhow(void **state)
{
	struct disk_options options = {0};

	(void)state;
	start(&options, IO_ENGINE_AUTO);
	drive(F_FLUSH);
	for (uint32_t first = 0; first <= 16; first++) {
		for (uint32_t second = 0; second <= 16 - first; second += 3) {
			uint64_t at = slot_address(0), data = at + 512;
			struct driver_buffer write[] = {
				{at, first, false},
				{at + first, second, false},
				{at + first + second, 16 - first - second, false},
				{data, 100 + first, false},
				{data + 100 + first, 924 - first, false},
				{at + 64, 1, true},
			};
			struct driver_buffer joined[] = {
				{at, 16, false},
				{data, 1024 - first, true},
				/* the end of the data and the status behind it are one */
				{data + 1024 - first, first + 1, true},
			};
			uint16_t id;

			put_header(0, T_OUT, 8);
			for (unsigned int i = 0; i < 1024; i++)
				slot_data(0)[i] = (uint8_t)(i + first + second);
			(void)add(0, 0, write, array_size(write));
			publish(0);
			assert_int_equal(wait_used(0, &id), 1);
			assert_int_equal(slot_status(0), 0);
			put_header(0, T_IN, 8);
			memset(slot_data(0), 0xee, 1026);
			(void)add(0, 0, joined, array_size(joined));
			publish(0);
			assert_int_equal(wait_used(0, &id), 1025);
			for (unsigned int i = 0; i < 1024; i++)
				assert_int_equal(slot_data(0)[i], (uint8_t)(i + first + second));
			assert_int_equal(slot_data(0)[1024], 0);
			assert_int_equal(slot_data(0)[1025], 0xee);
		}
	}
	assert_int_equal(t.events.faults, 0);
	stop(true);
}

static void read_only(void **state)
{
	struct disk_options options = {.read_only = true};

	(void)state;
	start(&options, IO_ENGINE_AUTO);
	assert_true(virtio_device_features(t.device) & F_RO);
	assert_false(
		virtio_device_features(t.device) & (F_DISCARD | F_WRITE_ZEROES | F_CONFIG_WCE));
	drive(0); /* F_RO is not accepted */
	assert_int_equal(run(T_OUT, 0, 512, NULL), 1);
	assert_int_equal(run(T_FLUSH, 0, 0, NULL), 0);
	assert_int_equal(run(T_IN, 0, 512, NULL), 0);
	stop(true);
}

static void no_status(void **state)
{
	struct disk_options options = {0};
	struct driver_buffer header;
	uint16_t id;

	(void)state;
	start(&options, IO_ENGINE_AUTO);
	drive(0);
	header = (struct driver_buffer){slot_address(0), 16, false};
	put_header(0, T_IN, 0);
	(void)add(0, 0, &header, 1);
	publish(0);
	assert_int_equal(wait_used(0, &id), 0);
	while (!(virtio_device_status(t.device) & 64))
		(void)sched_yield();
	while (t.events.faults == 0)
		(void)sched_yield();
	assert_int_equal(t.events.config_changes, 1);
	/* A reset heals it. */
	drive(0);
	assert_int_equal(run(T_IN, 0, 512, NULL), 0);
	assert_int_equal(t.events.faults, 1);
	stop(true);
}

/* Both queues full, several times; each request is answered once and has its own data. */
static void run_many_at_once(bool split)
{
	struct disk_options options = {0};
	unsigned int per_queue = QUEUE_SIZE / 3;

	t.split = split;
	start(&options, IO_ENGINE_AUTO);
	drive(F_MQ | F_FLUSH | F_EVENT_IDX);
	for (unsigned int round = 0; round < 40; round++) {
		uint32_t type = round % 2 ? T_IN : T_OUT;
		unsigned int answered = 0;

		for (unsigned int i = 0; i < QUEUES * per_queue; i++) {
			memset(slot_data(i), type == T_OUT ? (int)(round + i) : 0, 4096);
			(void)add_request(i % QUEUES, i, type, i * 8, 4096);
		}
		for (unsigned int queue = 0; queue < QUEUES; queue++)
			publish(queue);
		for (unsigned int queue = 0; queue < QUEUES; queue++)
			for (unsigned int i = 0; i < per_queue; i++, answered++) {
				uint16_t id;

				assert_int_equal(wait_used(queue, &id), type == T_IN ? 4097 : 1);
			}
		assert_int_equal(answered, QUEUES * per_queue);
		for (unsigned int i = 0; i < QUEUES * per_queue; i++) {
			assert_int_equal(slot_status(i), 0);
			if (type == T_IN)
				assert_int_equal(slot_data(i)[4095], (uint8_t)(round - 1 + i));
		}
	}
	assert_true(t.events.notifications[0] <= 40 * per_queue);
	stop(true);
}

static void many_at_once(void **state)
{
	(void)state;
	run_many_at_once(false);
	run_many_at_once(true);
}

/* One queue on each of two threads: resets of the device and of single queues while both are busy.
 */
static void two_threads(void **state)
{
	struct disk_options options = {0};

	(void)state;
	t.split = true;
	start(&options, IO_ENGINE_AUTO);
	for (unsigned int round = 0; round < 60; round++) {
		drive(F_MQ | F_FLUSH | F_CONFIG_WCE | F_RING_RESET | (round % 2 ? F_PACKED : 0));
		for (unsigned int i = 0; i < 20; i++)
			(void)add_request(i % QUEUES, i, i % 3 ? T_OUT : T_IN, i * 8, 4096);
		publish(0);
		publish(1);
		if (round % 3 == 0) {
			assert_true(virtio_device_reset_queue(t.device, round / 3 % QUEUES));
			set_up_queue(round / 3 % QUEUES, round % 2 ? F_PACKED : 0);
			(void)add_request(round / 3 % QUEUES, 40, T_OUT, 0, 512);
			publish(round / 3 % QUEUES);
			assert_int_equal(wait_used(round / 3 % QUEUES, &(uint16_t){0}), 1);
			assert_int_equal(slot_status(40), 0);
		}
		virtio_device_set_status(t.device, 0);
		assert_int_equal(virtio_device_status(t.device), 0);
	}
	/* The new size is there for both. */
	assert_int_equal(truncate(t.files.path, SIZE * 2), 0);
	assert_int_equal(virtio_blk_refresh_size(t.blk, NULL), 1);
	drive(F_MQ);
	for (unsigned int queue = 0; queue < QUEUES; queue++) {
		(void)add_request(queue, queue, T_OUT, SIZE / 512, 512);
		publish(queue);
		assert_int_equal(wait_used(queue, &(uint16_t){0}), 1);
		assert_int_equal(slot_status(queue), 0);
	}
	assert_int_equal(t.events.faults, 0);
	stop(true);
}

/* Disks whose requests depend on each other stay on one thread. */
static void not_to_be_split(void **state)
{
	struct disk_options options[] = {
		{.ephemeral = true},
		{.rate = {.operations_per_second = 100}},
	};

	(void)state;
	for (unsigned int i = 0; i < array_size(options); i++) {
		struct disk *other = NULL;

		start(&options[i], IO_ENGINE_AUTO);
		assert_int_equal(disk_split(t.files.disk, &other, NULL), -EOPNOTSUPP);
		assert_null(other);
		stop(true);
	}
}

/* Waiting for the rate limit: a reset does not wait for it, and the device works afterwards. */
static void reset_in_flight(void **state)
{
	struct disk_options options = {.rate = {.bytes_per_second = 64 << 20,
					       .operations_per_second = 20000,
					       .burst_operations = 1}};

	(void)state;
	start(&options, IO_ENGINE_AUTO);
	for (unsigned int round = 0; round < 20; round++) {
		drive(round % 2 ? F_PACKED : 0);
		for (unsigned int i = 0; i < 20; i++)
			(void)add_request(i % QUEUES, i, i % 3 ? T_OUT : T_IN, i * 8, 4096);
		publish(0);
		publish(1);
		if (round % 3 == 0)
			assert_int_equal(wait_used(0, &(uint16_t){0}) & 1, 1);
		virtio_device_set_status(t.device, 0);
		assert_int_equal(virtio_device_status(t.device), 0);
	}
	drive(0);
	assert_int_equal(run(T_IN, 0, 512, NULL), 0);
	stop(true);
}

static void answer_held(void *context)
{
	struct disk_request *request = t.fake.held;

	(void)context;
	t.fake.held = NULL;
	request->result = 0;
	request->done(request);
}

static void *reset_thread(void *context)
{
	_Atomic bool *done = context;

	virtio_device_set_status(t.device, 0);
	*done = true;
	return NULL;
}

/* A reset returns when what the disk has is done, and not before. */
static void reset_waits(void **state)
{
	_Atomic bool done = false;
	pthread_t thread;

	(void)state;
	make_fake_disk();
	start(NULL, IO_ENGINE_THREADS);
	drive(0);
	t.fake.hold = true;
	(void)add_request(0, 0, T_OUT, 0, 512);
	publish(0);
	while (!t.fake.is_held)
		(void)sched_yield();
	assert_int_equal(pthread_create(&thread, NULL, reset_thread, &done), 0);
	for (unsigned int i = 0; i < 1000; i++)
		(void)sched_yield();
	assert_false(done);
	io_thread_call(t.files.thread, answer_held, NULL);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(done);
	t.fake.hold = false;
	drive(0);
	assert_int_equal(run(T_OUT, 0, 512, NULL), 0);
	stop(false);
}

static void disk_errors(void **state)
{
	static const int codes[] = {-ENOSPC, -EIO, -EFBIG, -EDQUOT};
	uint64_t ranges[4] = {0, 8, 16, 8};
	uint32_t used;

	(void)state;
	make_fake_disk();
	start(NULL, IO_ENGINE_AUTO);
	drive(F_FLUSH);
	for (unsigned int i = 0; i < array_size(codes); i++) {
		t.fake.result = codes[i];
		assert_int_equal(run(T_OUT, 0, 512, NULL), 1);
		assert_int_equal(run(T_FLUSH, 0, 0, NULL), 1);
		assert_int_equal(run(T_IN, 0, 512, &used), 1);
		assert_int_equal(used, 1);
	}
	/* Of several ranges the first that fails is the last that is tried. */
	memcpy(slot_data(0), ranges, sizeof(ranges));
	t.fake.count = 0;
	assert_int_equal(run(T_DISCARD, 0, 32, NULL), 1);
	assert_int_equal(t.fake.count, 1);
	t.fake.result = 0;
	assert_int_equal(run(T_DISCARD, 0, 32, NULL), 0);
	assert_int_equal(t.fake.count, 3);
	assert_int_equal(run(T_OUT, 0, 512, NULL), 0);
	assert_int_equal(t.events.faults, 0);
	stop(false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_request),
		cmocka_unit_test(split_anyhow),
		cmocka_unit_test(read_only),
		cmocka_unit_test(no_status),
		cmocka_unit_test(many_at_once),
		cmocka_unit_test(two_threads),
		cmocka_unit_test(not_to_be_split),
		cmocka_unit_test(reset_in_flight),
		cmocka_unit_test(reset_waits),
		cmocka_unit_test(disk_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
