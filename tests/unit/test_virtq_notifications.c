/* Who is notified when: flags, event index, wrapping. */
#include "virtq_fixture.h"

/* The device comes to every position, the driver asks at every position: the answer is whether it
 * was passed. */
static void begin_at(struct fixture *f, const struct virtq_features *features, uint16_t size,
	uint32_t start, uint32_t event)
{
	bool split = features->format == VIRTQ_SPLIT;
	bool wrap = start < size;
	struct virtq_position position = {
		(uint16_t)(start % size), (uint16_t)(start % size), wrap, wrap};

	fixture_begin(f, size, 4, *features);
	virtq_stop(f->queue);
	if (split) {
		position.next_available = position.next_used = (uint16_t)(start -
									  8); /* through 0 */
		driver_poke16(&f->driver, f->driver.driver_area + 2, position.next_used);
		driver_poke16(
			&f->driver, f->driver.driver_area + 4 + 2u * size, (uint16_t)(event - 8));
	} else {
		driver_poke16(&f->driver, f->driver.driver_area,
			(uint16_t)(event % size | (event < size ? 0x8000u : 0)));
		driver_poke16(&f->driver, f->driver.driver_area + 2, 2);
		for (uint16_t i = 0; i < size; i++)
			driver_poke16(&f->driver, RINGS + 16u * i + 14,
				wrap == (i >= position.next_used) ? 0 : 0x8080);
	}
	f->driver.next_available = f->driver.next_used = position.next_used;
	f->driver.available_wrap = f->driver.used_wrap = wrap;
	virtq_start_at(f->queue, &f->config, &f->features, &position);
}

/* One chain of one descriptor: the used position moves by one. */
static void give_one(struct fixture *f)
{
	static const struct driver_buffer buffer = {BUFFERS, 8, true};
	uint16_t id;

	assert_true(driver_add(&f->driver, &buffer, 1, 0, &id));
}

static void event_index(void **state)
{
	static const uint16_t size = 8;

	(void)state;
	for (uint32_t i = 0; i < 2u * 4 * size * size; i++) {
		const struct virtq_features *features = &formats[2 + i % 2];
		uint32_t start = i / 2 % (2u * size), event = i / 2 / (2u * size);
		struct fixture f;

		begin_at(&f, features, size, start, event);
		for (uint32_t k = 0; k < 3; k++) {
			uint32_t at = start + k;

			if (features->format == VIRTQ_PACKED)
				at %= 2u * size;
			give_one(&f);
			(void)driver_publish(&f.driver);
			virtq_push(f.queue, fixture_pop(&f));
			if (k == 0) /* after a restore: always */
				assert_true(virtq_flush(f.queue));
			else
				assert_int_equal(virtq_flush(f.queue), at == event);
		}
		fixture_end(&f);
	}
}

/* An offset outside the ring asks for nothing that makes sense: better too many than too few. */
static void event_outside_the_ring(void **state)
{
	struct fixture f;

	(void)state;
	for (uint16_t offset = 8; offset < 24; offset++) {
		fixture_begin(&f, 8, 4, formats[3]);
		driver_poke16(&f.driver, f.driver.driver_area, offset | 0x8000);
		driver_poke16(&f.driver, f.driver.driver_area + 2, 2);
		(void)fixture_add(&f);
		(void)driver_publish(&f.driver);
		virtq_push(f.queue, fixture_pop(&f));
		assert_true(virtq_flush(f.queue));
		fixture_end(&f);
	}
}

/* A batch is asked about as a whole. */
static void event_index_in_a_batch(void **state)
{
	(void)state;
	for (size_t format = 2; format < 4; format++) {
		bool split = formats[format].format == VIRTQ_SPLIT;

		for (uint16_t event = 0; event < 8; event++) {
			struct fixture f;

			fixture_begin(&f, 16, 4, formats[format]);
			driver_poke16(&f.driver, f.driver.driver_area + (split ? 4 + 32 : 0),
				split ? event : event | 0x8000);
			if (!split)
				driver_poke16(&f.driver, f.driver.driver_area + 2, 2);
			for (unsigned int k = 0; k < 5; k++)
				give_one(&f);
			(void)driver_publish(&f.driver);
			for (unsigned int k = 0; k < 5; k++)
				virtq_push(f.queue, fixture_pop(&f));
			assert_int_equal(virtq_flush(f.queue), event < 5);
			fixture_end(&f);
		}
	}
}

static void interrupts_off(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_size(formats); i++) {
		struct fixture f;
		uint16_t id;
		uint32_t length;

		fixture_begin(&f, 8, 4, formats[i]);
		if (formats[i].format == VIRTQ_SPLIT && formats[i].event_idx) {
			fixture_end(&f);
			continue;
		}
		driver_disable_interrupts(&f.driver);
		(void)fixture_add(&f);
		(void)driver_publish(&f.driver);
		virtq_push(f.queue, fixture_pop(&f));
		assert_false(virtq_flush(f.queue));
		assert_true(driver_enable_interrupts(&f.driver));
		assert_true(driver_get_used(&f.driver, &id, &length));
		assert_false(driver_enable_interrupts(&f.driver));
		(void)fixture_add(&f);
		(void)driver_publish(&f.driver);
		virtq_push(f.queue, fixture_pop(&f));
		assert_true(virtq_flush(f.queue));
		fixture_end(&f);
	}
}

/* The driver is told what we want; enabling says what came meanwhile. */
static void asking_for_notifications(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_size(formats); i++) {
		struct fixture f;

		fixture_begin(&f, 64, 4, formats[i]);
		for (unsigned int k = 0; k < 20; k++) {
			(void)fixture_add(&f);
			assert_true(driver_publish(&f.driver));
			virtq_disable_notifications(f.queue);
			virtq_push(f.queue, fixture_pop(&f));
			(void)fixture_add(&f);
			assert_false(driver_publish(&f.driver));
			assert_true(virtq_enable_notifications(f.queue));
			virtq_push(f.queue, fixture_pop(&f));
			assert_false(virtq_enable_notifications(f.queue));
			(void)!virtq_flush(f.queue);
			for (uint16_t n = 0, id; n < 2; n++)
				assert_true(driver_get_used(&f.driver, &id, &(uint32_t){0}));
		}
		fixture_end(&f);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(event_index),
		cmocka_unit_test(event_outside_the_ring),
		cmocka_unit_test(event_index_in_a_batch),
		cmocka_unit_test(interrupts_off),
		cmocka_unit_test(asking_for_notifications),
	};

	return cmocka_run_group_tests_name("virtq_notifications", tests, NULL, NULL);
}
