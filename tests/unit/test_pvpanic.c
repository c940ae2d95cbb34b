#include "fake_wiring.h"
#include "pvpanic.h"

#define PORT 0x505

static struct fake_end end;
static struct pvpanic pvpanic;

static int setup(void **state)
{
	(void)state;
	end = (struct fake_end){0};
	bus_init(&fake_ports, "PIO");
	pvpanic = (struct pvpanic){.end = fake_end_sink(&end)};
	fake_ports_attach(PORT, 1, &pvpanic_bus_ops, &pvpanic);
	return 0;
}

/* Linux, drivers/misc/pvpanic: what is offered is masked with what is known, then one event sent.
 */
static void linux_events(void **state)
{
	uint8_t capability = 0x07;

	(void)state;
	capability &= inb(PORT);
	assert_int_equal(capability, 0x03);
	outb(0x02, PORT);
	assert_int_equal(end.end, GUEST_END_CRASH_LOADED);
	outb(0x01, PORT);
	assert_int_equal(end.end, GUEST_END_PANIC);
	assert_int_equal(end.reports, 2);
}

static void every_value(void **state)
{
	(void)state;
	for (unsigned int value = 0; value < 256; value++) {
		end = (struct fake_end){0};
		outb((uint8_t)value, PORT);
		assert_int_equal(end.reports, value & 3 ? 1 : 0);
		if (value & 1)
			assert_int_equal(end.end, GUEST_END_PANIC);
		else if (value & 2)
			assert_int_equal(end.end, GUEST_END_CRASH_LOADED);
		assert_int_equal(inb(PORT), 0x03);
	}
	hostile_accesses(&pvpanic_bus_ops, &pvpanic, 1, 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(linux_events, setup),
		cmocka_unit_test_setup(every_value, setup),
	};

	return cmocka_run_group_tests_name("pvpanic", tests, NULL, NULL);
}
