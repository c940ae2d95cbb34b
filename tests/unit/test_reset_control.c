#include "fake_wiring.h"
#include "reset_control.h"

#define PORT 0xcf9

static struct fake_end end;
static struct reset_control control;

static int setup(void **state)
{
	struct guest_end_sink sink = fake_end_sink(&end);

	(void)state;
	end = (struct fake_end){0};
	bus_init(&fake_ports, "PIO");
	reset_control_init(&control, &sink);
	fake_ports_attach(PORT, 1, &reset_control_bus_ops, &control);
	return 0;
}

/* Linux, native_machine_emergency_restart, BOOT_CF9_FORCE. */
static void linux_reboot(void **state)
{
	static const uint8_t codes[] = {0x06, 0x0e}; /* warm, cold */

	(void)state;
	for (size_t i = 0; i < array_size(codes); i++) {
		uint8_t before;

		end = (struct fake_end){0};
		before = inb(PORT) & (uint8_t)~codes[i];
		outb(before | 2, PORT);
		assert_int_equal(end.reports, 0);
		assert_int_equal(inb(PORT), before | 2);
		outb(before | codes[i], PORT);
		assert_int_equal(end.reports, 1);
		assert_int_equal(end.end, GUEST_END_RESET);
		reset_control_reset(&control);
		assert_int_equal(inb(PORT), 0);
	}
}

/* The FADT's reset register: one write, nothing before it. */
static void acpi_reset(void **state)
{
	(void)state;
	outb(0x06, PORT);
	assert_int_equal(end.reports, 1);
	assert_int_equal(end.end, GUEST_END_RESET);
	outb(0x06, PORT); /* RST_CPU has cleared itself */
	assert_int_equal(end.reports, 2);
}

static void every_value(void **state)
{
	(void)state;
	for (unsigned int value = 0; value < 256; value++) {
		end.reports = 0;
		outb((uint8_t)value, PORT);
		assert_int_equal(end.reports, value & 4 ? 1 : 0);
		assert_int_equal(inb(PORT), value & 0x0a);
	}
}

static void hostile(void **state)
{
	(void)state;
	hostile_accesses(&reset_control_bus_ops, &control, 1, 1);
	end.reports = 0;
	outw(0xffff, PORT); /* not wholly the register's */
	outl(UINT32_MAX, PORT - 1);
	assert_int_equal(end.reports, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(linux_reboot, setup),
		cmocka_unit_test_setup(acpi_reset, setup),
		cmocka_unit_test_setup(every_value, setup),
		cmocka_unit_test_setup(hostile, setup),
	};

	return cmocka_run_group_tests_name("reset_control", tests, NULL, NULL);
}
