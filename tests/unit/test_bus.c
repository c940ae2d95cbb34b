#include "bus.h"
#include "cmocka_all.h"

#include <errno.h>

struct recorder {
	uint64_t offset;
	unsigned int size;
	uint64_t value;
};

static uint64_t record_read(void *device, uint64_t offset, unsigned int size)
{
	struct recorder *recorder = device;

	recorder->offset = offset;
	recorder->size = size;
	return UINT64_C(0x1122334455667788);
}

static void record_write(void *device, uint64_t offset, unsigned int size, uint64_t value)
{
	*(struct recorder *)device = (struct recorder){offset, size, value};
}

static const struct bus_ops recorder_ops = {record_read, record_write};

static int attach(struct bus *bus, uint64_t base, uint64_t size, void *device)
{
	return bus_attach(bus,
		&(struct bus_range){.base = base,
			.size = size,
			.ops = &recorder_ops,
			.device = device,
			.name = "x"},
		NULL);
}

static void overlaps_are_refused(void **state)
{
	struct bus bus;

	(void)state;
	bus_init(&bus, "test");
	assert_int_equal(attach(&bus, 0x100, 0x10, NULL), 0);
	assert_int_equal(attach(&bus, 0x120, 0x10, NULL), 0);
	assert_int_equal(attach(&bus, 0x110, 0x10, NULL), 0);
	assert_int_equal(attach(&bus, 0x10f, 1, NULL), -EEXIST);
	assert_int_equal(attach(&bus, 0xf0, 0x11, NULL), -EEXIST);
	assert_int_equal(attach(&bus, 0x100, 0x10, NULL), -EEXIST);
	assert_int_equal(attach(&bus, 0x50, 0, NULL), -EINVAL);
	assert_int_equal(attach(&bus, UINT64_MAX, 2, NULL), -EINVAL);
	assert_int_equal(attach(&bus, UINT64_MAX, 1, NULL), 0);
	bus_fini(&bus);
}

static void both_ends_are_checked(void **state)
{
	struct bus bus;
	struct recorder recorder = {0};
	uint64_t value;

	(void)state;
	bus_init(&bus, "test");
	assert_int_equal(attach(&bus, 0x100, 4, &recorder), 0);
	assert_true(bus_read(&bus, 0x102, 2, &value));
	assert_int_equal(value, 0x7788);
	assert_int_equal(recorder.offset, 2);
	assert_false(bus_read(&bus, 0x102, 4, &value));
	assert_int_equal(value, UINT32_MAX);
	assert_false(bus_read(&bus, 0xff, 2, &value));
	assert_false(bus_read(&bus, 0x104, 1, &value));
	assert_int_equal(value, 0xff);
	assert_false(bus_write(&bus, 0x103, 2, 1));
	assert_true(bus_write(&bus, 0x103, 1, 0x5a));
	assert_int_equal(recorder.value, 0x5a);
	assert_false(bus_read(&bus, UINT64_MAX, 8, &value));
	assert_true(value == UINT64_MAX);
	bus_fini(&bus);
}

static void ranges_come_and_go(void **state)
{
	struct recorder first = {0}, second = {0};
	struct bus bus;
	uint64_t value;

	(void)state;
	bus_init(&bus, "test");
	assert_int_equal(attach(&bus, 0x100, 4, &first), 0);
	assert_int_equal(attach(&bus, 0x200, 4, &second), 0);
	bus_detach(&bus, 0x100, &second); /* not its range */
	bus_detach(&bus, 0x101, &first);
	assert_true(bus_read(&bus, 0x100, 1, &value));
	bus_detach(&bus, 0x100, &first);
	assert_false(bus_read(&bus, 0x100, 1, &value));
	assert_true(bus_read(&bus, 0x203, 1, &value));
	assert_int_equal(attach(&bus, 0x1fc, 4, &first), 0);
	bus_detach(&bus, 0x200, &second);
	bus_detach(&bus, 0x200, &second);
	assert_int_equal(bus.range_count, 1);
	bus_fini(&bus);
	bus_fini(&bus);
}

struct mover {
	struct bus *bus;
	_Atomic bool stop;
};

static void *look_up(void *argument)
{
	struct mover *mover = argument;
	uint64_t value;

	while (!mover->stop) {
		(void)bus_read(mover->bus, 0x300, 1, &value);
		assert_true(bus_read(mover->bus, 0x100, 1, &value));
	}
	return NULL;
}

/* A range that stays is found at every moment while others move. */
static void lookups_while_ranges_move(void **state)
{
	struct recorder stays = {0}, moves = {0};
	struct bus bus;
	struct mover mover = {.bus = &bus};
	pthread_t thread;

	(void)state;
	bus_init(&bus, "test");
	assert_int_equal(attach(&bus, 0x100, 4, &stays), 0);
	assert_int_equal(pthread_create(&thread, NULL, look_up, &mover), 0);
	for (unsigned int i = 0; i < 20000; i++) {
		assert_int_equal(attach(&bus, i % 2 ? 0x10 : 0x300, 4, &moves), 0);
		bus_detach(&bus, i % 2 ? 0x10 : 0x300, &moves);
	}
	mover.stop = true;
	assert_int_equal(pthread_join(thread, NULL), 0);
	bus_fini(&bus);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(overlaps_are_refused),
		cmocka_unit_test(both_ends_are_checked),
		cmocka_unit_test(ranges_come_and_go),
		cmocka_unit_test(lookups_while_ranges_move),
	};

	return cmocka_run_group_tests_name("bus", tests, NULL, NULL);
}
