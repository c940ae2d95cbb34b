#include "debug_exit.h"
#include "fake_wiring.h"

#define PORT 0xf4

static struct fake_end end;
static struct debug_exit debug_exit;

static int setup(void **state)
{
	(void)state;
	end = (struct fake_end){0};
	bus_init(&fake_ports, "PIO");
	debug_exit = (struct debug_exit){.end = fake_end_sink(&end)};
	fake_ports_attach(PORT, 4, &debug_exit_bus_ops, &debug_exit);
	return 0;
}

static void writes(void **state)
{
	static const struct {
		uint64_t port;
		unsigned int size;
		uint64_t value;
		uint32_t reported;
	} cases[] = {
		{PORT, 1, 0, 0},
		{PORT, 1, 0x31, 0x31},
		{PORT, 1, 0xffffff31, 0x31},
		{PORT, 2, 0x1234, 0x1234},
		{PORT, 4, 0x89abcdef, 0x89abcdef},
		{PORT, 4, UINT64_MAX, UINT32_MAX},
		{PORT + 3, 1, 7, 7},
		{PORT + 2, 2, 0xffff, 0xffff},
	};

	(void)state;
	for (size_t i = 0; i < array_size(cases); i++) {
		end = (struct fake_end){0};
		assert_true(bus_write(&fake_ports, cases[i].port, cases[i].size, cases[i].value));
		assert_int_equal(end.reports, 1);
		assert_int_equal(end.end, GUEST_END_DEBUG_EXIT);
		assert_int_equal(end.value, cases[i].reported);
	}
	end = (struct fake_end){0};
	assert_int_equal(inl(PORT), 0);
	assert_int_equal(end.reports, 0);
	hostile_accesses(&debug_exit_bus_ops, &debug_exit, 4, 8);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(writes, setup),
	};

	return cmocka_run_group_tests_name("debug_exit", tests, NULL, NULL);
}
