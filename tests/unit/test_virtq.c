/* A queue over time: wrapping, order, broken promises, stopping and starting. */
#include "virtq_fixture.h"

#include <errno.h>

static void config_by_table(void **state)
{
	static const struct {
		const char *name;
		enum virtq_format format;
		bool good;
		uint16_t size;
		uint64_t descriptor_area, driver_area, device_area;
	} cases[] = {
		{"split", VIRTQ_SPLIT, true, 256, 0x1000, 0x2000, 0x3000},
		{"packed", VIRTQ_PACKED, true, 256, 0x1000, 0x2000, 0x3000},
		{"size 0", VIRTQ_SPLIT, false, 0, 0x1000, 0x2000, 0x3000},
		{"packed, size 0", VIRTQ_PACKED, false, 0, 0x1000, 0x2000, 0x3000},
		{"size 1", VIRTQ_SPLIT, true, 1, 0x1000, 0x2000, 0x3000},
		{"packed, size 1", VIRTQ_PACKED, true, 1, 0x1000, 0x2000, 0x3000},
		{"size 3", VIRTQ_SPLIT, false, 3, 0x1000, 0x2000, 0x3000},
		{"packed, size 3", VIRTQ_PACKED, true, 3, 0x1000, 0x2000, 0x3000},
		{"above size_max", VIRTQ_SPLIT, false, 512, 0x1000, 0x4000, 0x5000},
		{"packed, above size_max", VIRTQ_PACKED, false, 257, 0x1000, 0x4000, 0x5000},
		{"descriptors by 8", VIRTQ_SPLIT, false, 8, 0x1008, 0x2000, 0x3000},
		{"driver area by 1", VIRTQ_SPLIT, false, 8, 0x1000, 0x2001, 0x3000},
		{"driver area by 2", VIRTQ_SPLIT, true, 8, 0x1000, 0x2002, 0x3000},
		{"packed, driver area by 2", VIRTQ_PACKED, false, 8, 0x1000, 0x2002, 0x3000},
		{"packed, driver area by 4", VIRTQ_PACKED, true, 8, 0x1000, 0x2004, 0x3000},
		{"device area by 2", VIRTQ_SPLIT, false, 8, 0x1000, 0x2000, 0x3002},
		{"device area by 4", VIRTQ_SPLIT, true, 8, 0x1000, 0x2000, 0x3004},
		{"packed, device area by 2", VIRTQ_PACKED, false, 8, 0x1000, 0x2000, 0x3002},
		{"descriptors at the end", VIRTQ_SPLIT, true, 8, LOW_END - 128, 0x2000, 0x3000},
		{"descriptors past the end", VIRTQ_SPLIT, false, 8, LOW_END - 112, 0x2000, 0x3000},
		{"driver area at the end", VIRTQ_SPLIT, true, 8, 0x1000, LOW_END - 22, 0x3000},
		{"driver area past the end", VIRTQ_SPLIT, false, 8, 0x1000, LOW_END - 20, 0x3000},
		{"device area at the end", VIRTQ_SPLIT, true, 8, 0x1000, 0x2000, LOW_END - 72},
		{"device area past the end", VIRTQ_SPLIT, false, 8, 0x1000, 0x2000, LOW_END - 68},
		{"packed, at the end", VIRTQ_PACKED, true, 8, LOW_END - 128, LOW_END - 4,
			LOW_END - 8},
		{"packed, past the end", VIRTQ_PACKED, false, 8, LOW_END - 112, 0x2000, 0x3000},
		{"packed, device area behind", VIRTQ_PACKED, false, 8, 0x1000, 0x2000, LOW_END},
		{"in the hole", VIRTQ_SPLIT, false, 8, 0xe0000000, 0x2000, 0x3000},
		{"across regions", VIRTQ_SPLIT, false, 8, LOW_BYTES - 16, 0x2000, 0x3000},
		{"wraps", VIRTQ_SPLIT, false, 8, UINT64_MAX - 15, 0x2000, 0x3000},
		{"high", VIRTQ_SPLIT, true, 256, HIGH, HIGH + 0x1000, HIGH + 0x2000},
	};
	struct fixture f;

	(void)state;
	fixture_begin(&f, 8, 4, (struct virtq_features)SPLIT);
	for (size_t i = 0; i < array_size(cases); i++) {
		struct virtq_config config = {256, cases[i].size, true, cases[i].descriptor_area,
			cases[i].driver_area, cases[i].device_area};
		struct virtq_features features = {.format = cases[i].format};

		if (virtq_config_check(&config, &f.gmem, &features) !=
			(cases[i].good ? 0 : -EINVAL))
			fail_msg("%s", cases[i].name);
	}
	fixture_end(&f);
}

static void creation(void **state)
{
	struct virtq *queue = NULL;
	struct gmem gmem = {0};

	(void)state;
	assert_int_equal(virtq_create(&gmem, 0, 1, &queue), -EINVAL);
	assert_int_equal(virtq_create(&gmem, VIRTQ_SIZE_MAX + 1, 1, &queue), -EINVAL);
	assert_int_equal(virtq_create(&gmem, 1, 0, &queue), -EINVAL);
	assert_null(queue);
	assert_int_equal(virtq_create(&gmem, 1, 1, &queue), 0);
	assert_false(virtq_is_running(queue));
	assert_int_equal(virtq_outstanding(queue), 0);
	virtq_destroy(queue);
	virtq_destroy(NULL);
}

/* Data goes both ways, lengths are what was written. */
static void round_trip(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_size(formats); i++) {
		struct chain *chain;
		struct fixture f;
		uint16_t id, used;
		uint32_t length;
		char in[8];

		fixture_begin(&f, 8, 4, formats[i]);
		assert_int_equal(virtq_pop(f.queue, &chain), 0);
		id = fixture_add(&f);
		driver_poke(&f.driver, BUFFERS, "question", 8);
		assert_int_equal(virtq_pop(f.queue, &chain), 0);
		assert_true(driver_publish(&f.driver));
		chain = fixture_pop(&f);
		assert_int_equal(chain_read(chain, in, 8), 0);
		assert_memory_equal(in, "question", 8);
		assert_int_equal(chain_write(chain, "answer", 6), 0);
		virtq_push(f.queue, chain);
		assert_int_equal(virtq_outstanding(f.queue), 0);
		assert_false(driver_get_used(&f.driver, &used, &length));
		assert_true(virtq_flush(f.queue));
		assert_false(virtq_flush(f.queue));
		assert_true(driver_get_used(&f.driver, &used, &length));
		assert_int_equal(used, id);
		assert_int_equal(length, 6);
		assert_int_equal(driver_peek32(&f.driver, BUFFERS + 0x1000), 0x77736e61);
		fixture_end(&f);
	}
}

/* Through all 16 bits of the indices and many laps, at ring sizes of every sort. */
static void many_laps(void **state)
{
	static const uint16_t sizes[] = {2, 3, 4, 5, 8, 13, 64, 1000, 1024};

	(void)state;
	for (size_t i = 0; i < array_size(formats); i++) {
		for (size_t s = 0; s < array_size(sizes); s++) {
			uint32_t left = 70000;
			struct fixture f;

			if (formats[i].format == VIRTQ_SPLIT && (sizes[s] & (sizes[s] - 1)))
				continue;
			fixture_begin(&f, sizes[s], 4, formats[i]);
			while (left) {
				uint32_t burst = left % (sizes[s] / 2u) + 1;
				uint16_t id;
				uint32_t length;

				burst = burst < left ? burst : left;
				for (uint32_t k = 0; k < burst; k++)
					(void)fixture_add(&f);
				(void)driver_publish(&f.driver);
				for (uint32_t k = 0; k < burst; k++)
					virtq_push(f.queue, fixture_pop(&f));
				(void)!virtq_flush(f.queue);
				for (uint32_t k = 0; k < burst; k++)
					assert_true(driver_get_used(&f.driver, &id, &length));
				left -= burst;
			}
			fixture_end(&f);
		}
	}
}

static void out_of_order(void **state)
{
	(void)state;
	for (size_t i = 0; i < 4; i++) {
		static const unsigned int order[] = {2, 0, 3, 1};
		struct chain *chains[4];
		uint16_t ids[4], id;
		struct fixture f;
		uint32_t length;

		fixture_begin(&f, 8, 4, formats[i]);
		for (unsigned int k = 0; k < 4; k++)
			ids[k] = fixture_add(&f);
		assert_true(driver_publish(&f.driver));
		for (unsigned int k = 0; k < 4; k++)
			chains[k] = fixture_pop(&f);
		for (unsigned int k = 0; k < 4; k++)
			for (unsigned int l = 0; l < k; l++)
				assert_int_not_equal(chains[k]->head, chains[l]->head);
		for (unsigned int k = 0; k < 4; k++) {
			assert_int_equal(chain_count_written(chains[order[k]], order[k]), 0);
			virtq_push(f.queue, chains[order[k]]);
			if (k == 1)
				assert_true(virtq_flush(f.queue));
		}
		(void)!virtq_flush(f.queue);
		for (unsigned int k = 0; k < 4; k++) {
			assert_true(driver_get_used(&f.driver, &id, &length));
			assert_int_equal(id, ids[order[k]]);
			assert_int_equal(length, order[k]);
		}
		assert_false(driver_get_used(&f.driver, &id, &length));
		fixture_end(&f);
	}
}

/* 2.7.9, 2.8.8: the queue puts the order right; complete chains share one element. */
static void in_order(void **state)
{
	(void)state;
	for (size_t i = 4; i < array_size(formats); i++) {
		static const uint32_t written[] = {8, 8, 3, 8, 8};
		static const uint32_t told[] = {UINT32_MAX, UINT32_MAX, 3, UINT32_MAX, 8};
		struct chain *chains[5];
		uint16_t ids[5], id;
		struct fixture f;
		uint32_t length;

		fixture_begin(&f, 16, 4, formats[i]);
		for (unsigned int k = 0; k < 5; k++)
			ids[k] = fixture_add(&f);
		(void)driver_publish(&f.driver);
		for (unsigned int k = 0; k < 5; k++)
			chains[k] = fixture_pop(&f);
		for (unsigned int k = 5; k-- > 1;) {
			assert_int_equal(chain_count_written(chains[k], written[k]), 0);
			virtq_push(f.queue, chains[k]);
			assert_false(virtq_flush(f.queue));
		}
		assert_false(driver_get_used(&f.driver, &id, &length));
		assert_int_equal(virtq_outstanding(f.queue), 1);
		assert_int_equal(chain_count_written(chains[0], written[0]), 0);
		virtq_push(f.queue, chains[0]);
		assert_true(virtq_flush(f.queue));
		for (unsigned int k = 0; k < 5; k++) {
			assert_true(driver_get_used(&f.driver, &id, &length));
			assert_int_equal(id, ids[k]);
			assert_int_equal(length, told[k]);
		}
		assert_false(driver_get_used(&f.driver, &id, &length));
		fixture_end(&f);
	}
}

static void index_jumps(void **state)
{
	static const struct {
		uint16_t index;
		int result;
	} cases[] = {{0, 0}, {1, 1}, {8, 1}, {9, -EPROTO}, {0x8000, -EPROTO}, {0xffff, -EPROTO}};
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < array_size(cases); i++) {
		struct chain *chain;

		fixture_begin(&f, 8, 4, (struct virtq_features)SPLIT);
		driver_poke16(&f.driver, f.driver.driver_area + 2, cases[i].index);
		assert_int_equal(virtq_pop(f.queue, &chain), cases[i].result);
		if (cases[i].result == 1) {
			virtq_push(f.queue, chain);
			(void)!virtq_flush(f.queue);
		}
		fixture_end(&f);
	}
	/* Going back, and one more than it can have with one still out. */
	for (uint16_t jump = 0; jump < 2; jump++) {
		struct chain *first, *second;

		fixture_begin(&f, 2, 4, (struct virtq_features)SPLIT);
		(void)fixture_add(&f);
		(void)driver_publish(&f.driver);
		first = fixture_pop(&f);
		driver_poke16(&f.driver, f.driver.driver_area + 6, 1); /* a head that is not out */
		driver_poke16(&f.driver, f.driver.driver_area + 2, jump ? 3 : 0);
		assert_int_equal(virtq_pop(f.queue, &second), -EPROTO);
		/* What is out can still be given back. */
		virtq_push(f.queue, first);
		assert_true(virtq_flush(f.queue));
		assert_int_equal(driver_peek16(&f.driver, f.driver.device_area + 2), 1);
		assert_int_equal(virtq_pop(f.queue, &second), -EPROTO);
		fixture_end(&f);
	}
}

static void one_head_twice(void **state)
{
	(void)state;
	for (unsigned int distance = 0; distance < 2; distance++) {
		struct chain *first, *second;
		struct fixture f;
		uint16_t head = 0, other = 3;

		fixture_begin(&f, 8, 4, (struct virtq_features)SPLIT);
		driver_poke_descriptor(&f.driver, RINGS, BUFFERS, 8, DRIVER_F_WRITE, 0);
		driver_poke_descriptor(&f.driver, RINGS + 48, BUFFERS, 8, 0, 0);
		driver_poke(&f.driver, f.driver.driver_area + 4, &head, 2);
		driver_poke(&f.driver, f.driver.driver_area + 6, distance ? &other : &head, 2);
		driver_poke(&f.driver, f.driver.driver_area + 8, &head, 2);
		driver_poke16(&f.driver, f.driver.driver_area + 2, 3);
		first = fixture_pop(&f);
		if (distance)
			virtq_push(f.queue, fixture_pop(&f));
		assert_int_equal(virtq_pop(f.queue, &second), -EPROTO);
		assert_int_equal(virtq_outstanding(f.queue), 1);
		virtq_push(f.queue, first);
		(void)!virtq_flush(f.queue);
		fixture_end(&f);
	}
}

static void one_buffer_id_twice(void **state)
{
	struct chain *first, *second;
	struct fixture f;

	(void)state;
	fixture_begin(&f, 8, 4, (struct virtq_features)PACKED);
	driver_poke_descriptor(&f.driver, RINGS, BUFFERS, 8, 9, 1u << 7);
	driver_poke_descriptor(&f.driver, RINGS + 16, BUFFERS, 8, 9, 1u << 7);
	first = fixture_pop(&f);
	assert_int_equal(virtq_pop(f.queue, &second), -EPROTO);
	assert_int_equal(virtq_outstanding(f.queue), 1);
	virtq_push(f.queue, first);
	(void)!virtq_flush(f.queue);
	fixture_end(&f);
}

/* The ring is full of what we have; a descriptor of the next lap cannot be available. */
static void packed_overrun(void **state)
{
	struct chain *chains[4], *more;
	struct fixture f;

	(void)state;
	for (unsigned int list = 0; list < 2; list++) {
		fixture_begin(&f, 4, 4, (struct virtq_features)PACKED);
		for (uint16_t i = 0; i < 4; i++)
			driver_poke_descriptor(&f.driver, RINGS + 16u * i, BUFFERS, 8, i, 1u << 7);
		for (unsigned int i = 0; i < 4 - list; i++)
			chains[i] = fixture_pop(&f);
		driver_poke_descriptor(&f.driver, RINGS, BUFFERS, 8, 99, 1u << 15);
		if (list) /* the last position of this lap and the first of the next */
			driver_poke_descriptor(
				&f.driver, RINGS + 48, BUFFERS, 8, 3, 1u << 7 | DRIVER_F_NEXT);
		assert_int_equal(virtq_pop(f.queue, &more), -EPROTO);
		for (unsigned int i = 0; i < 4 - list; i++)
			virtq_push(f.queue, chains[i]);
		(void)!virtq_flush(f.queue);
		fixture_end(&f);
	}
}

static void starting_again(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_size(formats); i++) {
		struct chain *chain;
		struct fixture f;

		fixture_begin(&f, 8, 4, formats[i]);
		for (unsigned int round = 0; round < 5; round++) {
			for (unsigned int k = 0; k < 3; k++)
				(void)fixture_add(&f);
			(void)driver_publish(&f.driver);
			/* Break it, and leave it in the middle of things. */
			virtq_push(f.queue, fixture_pop(&f));
			virtq_push(f.queue, fixture_pop(&f));
			if (round % 2)
				(void)!virtq_flush(f.queue);
			virtq_stop(f.queue);
			assert_false(virtq_is_running(f.queue));
			driver_init(&f.driver, f.driver.memory, 0, RINGS, round % 2 ? 8 : 4,
				formats[i].format == VIRTQ_PACKED);
			f.driver.event_index = formats[i].event_idx;
			f.driver.in_order = formats[i].in_order;
			fixture_start(&f);
			assert_int_equal(virtq_pop(f.queue, &chain), 0);
			(void)fixture_add(&f);
			assert_true(driver_publish(&f.driver));
			virtq_push(f.queue, fixture_pop(&f));
			assert_true(virtq_flush(f.queue));
			assert_true(driver_get_used(&f.driver, &(uint16_t){0}, &(uint32_t){0}));
			virtq_stop(f.queue);
			driver_init(&f.driver, f.driver.memory, 0, RINGS, 8,
				formats[i].format == VIRTQ_PACKED);
			fixture_start(&f);
			f.driver.event_index = formats[i].event_idx;
			f.driver.in_order = formats[i].in_order;
		}
		fixture_end(&f);
	}
}

/* Somebody started it with what was not checked: it lives and gives nothing. */
static void unchecked_configuration(void **state)
{
	struct virtq_position odd = {3, 2, true, true};
	struct chain *chain;
	struct fixture f;

	(void)state;
	fixture_begin(&f, 8, 4, (struct virtq_features)SPLIT);
	virtq_stop(f.queue);
	f.config.device_area = LOW_END;
	virtq_start(f.queue, &f.config, &f.features);
	assert_int_equal(virtq_pop(f.queue, &chain), -EPROTO);
	assert_false(virtq_enable_notifications(f.queue));
	virtq_disable_notifications(f.queue);
	assert_false(virtq_flush(f.queue));
	virtq_stop(f.queue);
	f.config.device_area = f.driver.device_area;
	virtq_start_at(f.queue, &f.config, &f.features, &odd);
	assert_int_equal(virtq_pop(f.queue, &chain), -EPROTO);
	virtq_stop(f.queue);
	/* Larger than the queue was made for. */
	virtq_destroy(f.queue);
	assert_int_equal(virtq_create(&f.gmem, 4, 4, &f.queue), 0);
	virtq_start(f.queue, &f.config, &f.features);
	(void)fixture_add(&f);
	(void)driver_publish(&f.driver);
	assert_int_equal(virtq_pop(f.queue, &chain), -EPROTO);
	fixture_end(&f);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(config_by_table),
		cmocka_unit_test(creation),
		cmocka_unit_test(round_trip),
		cmocka_unit_test(many_laps),
		cmocka_unit_test(out_of_order),
		cmocka_unit_test(in_order),
		cmocka_unit_test(index_jumps),
		cmocka_unit_test(one_head_twice),
		cmocka_unit_test(one_buffer_id_twice),
		cmocka_unit_test(packed_overrun),
		cmocka_unit_test(starting_again),
		cmocka_unit_test(unchecked_configuration),
	};

	return cmocka_run_group_tests_name("virtq", tests, NULL, NULL);
}
