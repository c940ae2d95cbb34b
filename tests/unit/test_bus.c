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
	struct bus bus = {.name = "test"};

	(void)state;
	assert_int_equal(attach(&bus, 0x100, 0x10, NULL), 0);
	assert_int_equal(attach(&bus, 0x120, 0x10, NULL), 0);
	assert_int_equal(attach(&bus, 0x110, 0x10, NULL), 0);
	assert_int_equal(attach(&bus, 0x10f, 1, NULL), -EEXIST);
	assert_int_equal(attach(&bus, 0xf0, 0x11, NULL), -EEXIST);
	assert_int_equal(attach(&bus, 0x100, 0x10, NULL), -EEXIST);
	assert_int_equal(attach(&bus, 0x50, 0, NULL), -EINVAL);
	assert_int_equal(attach(&bus, UINT64_MAX, 2, NULL), -EINVAL);
	assert_int_equal(attach(&bus, UINT64_MAX, 1, NULL), 0);
}

static void both_ends_are_checked(void **state)
{
	struct bus bus = {.name = "test"};
	struct recorder recorder = {0};
	uint64_t value;

	(void)state;
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
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(overlaps_are_refused),
		cmocka_unit_test(both_ends_are_checked),
	};

	return cmocka_run_group_tests_name("bus", tests, NULL, NULL);
}
