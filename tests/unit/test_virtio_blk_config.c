#include "virtio_blk_fixture.h"

/* VIRTIO 1.2 5.2.5.2 and 5.2.6.2: when a write is stable once it is answered. */
static void write_cache(void **state)
{
	static const struct {
		uint64_t features;
		int written; /* to writeback; -1: nothing */
		bool write_cache, writes_through;
		bool reads, durable;
	} rows[] = {
		{F_FLUSH, -1, true, false, true, false},
		{0, -1, true, false, false, true},
		{F_FLUSH | F_CONFIG_WCE, -1, true, false, true, false},
		{F_FLUSH | F_CONFIG_WCE, 0, true, false, false, true},
		{F_FLUSH | F_CONFIG_WCE, 1, true, false, true, false},
		{F_CONFIG_WCE, -1, true, false, false, true},
		{F_CONFIG_WCE, 1, true, false, true, false},
		{F_FLUSH, 0, true, false, true, false}, /* not accepted: not written */
		{F_FLUSH, -1, true, true, false, true},
		{F_FLUSH | F_CONFIG_WCE, -1, true, true, false, true},
		{F_FLUSH | F_CONFIG_WCE, 1, true, true, true, false},
		{F_FLUSH, -1, false, false, false, false},
		{0, -1, false, false, false, false},
	};

	(void)state;
	for (unsigned int i = 0; i < array_size(rows); i++) {
		uint8_t value;

		make_fake_disk();
		t.fake.disk.write_cache = rows[i].write_cache;
		t.fake.disk.writes_through = rows[i].writes_through;
		start(NULL, IO_ENGINE_AUTO);
		assert_int_equal((virtio_device_features(t.device) & F_CONFIG_WCE) != 0,
			rows[i].write_cache);
		drive(rows[i].features);
		value = (uint8_t)rows[i].written;
		if (rows[i].written >= 0)
			virtio_device_write_config(t.device, 32, &value, 1);
		virtio_device_read_config(t.device, 32, &value, 1);
		assert_int_equal(value, rows[i].reads);
		assert_int_equal(run(T_OUT, 0, 512, NULL), 0);
		assert_int_equal(t.fake.durable, rows[i].durable);
		assert_int_equal(run(T_IN, 0, 512, NULL), 0);
		assert_false(t.fake.durable);
		/* A reset forgets what was written. */
		drive(F_FLUSH | (rows[i].write_cache ? F_CONFIG_WCE : 0));
		virtio_device_read_config(t.device, 32, &value, 1);
		assert_int_equal(value, rows[i].write_cache && !rows[i].writes_through);
		stop(false);
	}
}

static uint64_t read_config(uint32_t offset, uint32_t size)
{
	uint64_t value = 0;

	virtio_device_read_config(t.device, offset, &value, size);
	return value;
}

static void config_space(void **state)
{
	static const struct {
		uint32_t offset, size;
		uint64_t value;
	} rows[] = {
		{0, 8, SIZE / 512}, /* capacity */
		{8, 4, 0},          /* size_max: not offered */
		{12, 4, 254},       /* seg_max */
		{16, 4, 0},         /* geometry */
		{20, 4, 512},       /* blk_size */
		{24, 1, 3},         /* physical_block_exp */
		{25, 1, 0},         /* alignment_offset */
		{26, 2, 8},         /* min_io_size */
		{28, 4, 128},       /* opt_io_size */
		{33, 1, 0},         /* unused0 */
		{34, 2, QUEUES},    /* num_queues */
		{36, 4, 1 << 22},   /* max_discard_sectors */
		{40, 4, 32},        /* max_discard_seg */
		{44, 4, 8},         /* discard_sector_alignment */
		{48, 4, 1 << 17},   /* max_write_zeroes_sectors */
		{52, 4, 32},        /* max_write_zeroes_seg */
		{56, 1, 1},         /* write_zeroes_may_unmap */
		{57, 2, 0},
		{59, 1, 0} /* unused1 */,
		{60, 4, 0},
	};
	uint8_t ones[60];

	(void)state;
	make_fake_disk();
	start(NULL, IO_ENGINE_AUTO);
	assert_int_equal(t.device->device_id, 2);
	assert_int_equal(virtio_device_features(t.device) & (F_CONFIG_WCE * 16 - 1),
		F_SEG_MAX | F_BLK_SIZE | F_FLUSH | F_TOPOLOGY | F_CONFIG_WCE | F_MQ | F_DISCARD |
			F_WRITE_ZEROES);
	drive(F_FLUSH | F_CONFIG_WCE);
	memset(ones, 0xff, sizeof(ones));
	virtio_device_write_config(t.device, 0, ones, 32);
	virtio_device_write_config(t.device, 28, ones, 8);
	virtio_device_write_config(t.device, 33, ones, 27);
	for (unsigned int i = 0; i < array_size(rows); i++)
		assert_int_equal(read_config(rows[i].offset, rows[i].size), rows[i].value);
	stop(false);
}

static void resize(void **state)
{
	struct disk_options options = {0};
	struct err err = {0};
	uint32_t generation;

	(void)state;
	start(&options, IO_ENGINE_AUTO);
	drive(F_FLUSH);
	generation = virtio_device_config_generation(t.device);
	assert_int_equal(virtio_blk_refresh_size(t.blk, &err), 0);
	assert_int_equal(run(T_IN, SIZE / 512, 512, NULL), 1);
	assert_int_equal(truncate(t.files.path, SIZE * 2), 0);
	assert_int_equal(virtio_blk_refresh_size(t.blk, &err), 1);
	assert_int_equal(t.events.config_changes, 1);
	assert_int_not_equal(virtio_device_config_generation(t.device), generation);
	assert_int_equal(read_config(0, 8), SIZE * 2 / 512);
	assert_int_equal(run(T_IN, SIZE / 512, 512, NULL), 0);
	assert_int_equal(truncate(t.files.path, SIZE), 0);
	/* Beyond the end of a file that has shrunk: an error, noticed or not. */
	assert_int_equal(run(T_IN, SIZE / 512, 512, NULL), 1);
	assert_int_equal(virtio_blk_refresh_size(t.blk, &err), 1);
	assert_int_equal(t.events.config_changes, 2);
	assert_int_equal(read_config(0, 8), SIZE / 512);
	assert_int_equal(run(T_IN, SIZE / 512, 512, NULL), 1);
	assert_int_equal(run(T_OUT, SIZE / 512, 512, NULL), 1);
	assert_int_equal(run(T_IN, 0, 512, NULL), 0);
	stop(true);
}

static void refusals(void **state)
{
	struct virtio_blk_options options = {.name = "disk 'x'", .queues = 0};
	struct virtio_blk *blk = NULL;
	struct err err = {0};

	(void)state;
	assert_int_equal(virtio_blk_create(&options, &blk, &err), -EINVAL);
	options.queues = 65;
	assert_int_equal(virtio_blk_create(&options, &blk, &err), -EINVAL);
	options.queues = 1;
	options.serial = "0123456789abcdefghijk";
	assert_int_equal(virtio_blk_create(&options, &blk, &err), -EINVAL);
	assert_non_null(strstr(err.text, "disk 'x'"));
	virtio_blk_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(write_cache),
		cmocka_unit_test(config_space),
		cmocka_unit_test(resize),
		cmocka_unit_test(refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
