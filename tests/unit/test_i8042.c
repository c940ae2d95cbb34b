#include "fake_wiring.h"
#include "i8042.h"

#define DATA    0x60
#define COMMAND 0x64

#define STR_OBF     0x01
#define STR_IBF     0x02
#define STR_KEYLOCK 0x10
#define STR_AUXDATA 0x20
#define STR_TIMEOUT 0x40
#define CTR_KBDINT  0x01
#define CTR_KBDDIS  0x10
#define CTR_AUXDIS  0x20

static struct fake_irq irq;
static struct fake_end end;
static struct i8042 i8042;

static int setup(void **state)
{
	struct i8042_options options;

	(void)state;
	irq = (struct fake_irq){0};
	end = (struct fake_end){0};
	bus_init(&fake_ports, "PIO");
	options = (struct i8042_options){
		.keyboard_irq = fake_irq_line(&irq), .end = fake_end_sink(&end)};
	i8042_init(&i8042, &options);
	fake_ports_attach(DATA, 1, &i8042_data_bus_ops, &i8042);
	fake_ports_attach(COMMAND, 1, &i8042_command_bus_ops, &i8042);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	i8042_fini(&i8042);
	return 0;
}

/* Linux, __i8042_command: bits 12 and up of the command count its parameters, bits 8 to 11 its
 * results. -1 where Linux would wait out its time or give up. */
static int command(uint8_t *parameter, unsigned int number)
{
	assert_int_equal(inb(COMMAND) & STR_IBF, 0);
	outb((uint8_t)number, COMMAND);
	if (number >> 12) {
		assert_int_equal(inb(COMMAND) & STR_IBF, 0);
		outb(*parameter, DATA);
	}
	if (number >> 8 & 0xf) {
		if (!(inb(COMMAND) & STR_OBF))
			return -1;
		if (number == 0x11d3 && !(inb(COMMAND) & STR_AUXDATA))
			return -1;
		*parameter = inb(DATA);
	}
	return 0;
}

static unsigned int flush(void)
{
	unsigned int count = 0;

	for (; (inb(COMMAND) & STR_OBF) && count < 16; count++)
		(void)inb(DATA);
	return count;
}

/* The way through i8042_probe: nothing on it may wait. */
static void linux_probe(void **state)
{
	uint8_t control, parameter;

	(void)state;
	assert_int_equal(flush(), 0); /* i8042_controller_check */
	assert_int_equal(command(&parameter, 0x01aa), 0);
	assert_int_equal(parameter, 0x55);
	assert_int_equal(command(&control, 0x0120), 0); /* i8042_controller_init */
	assert_int_equal(command(&parameter, 0x0120), 0);
	assert_int_equal(parameter, control);
	assert_int_equal(inb(COMMAND) & STR_KEYLOCK, STR_KEYLOCK);
	control = (uint8_t)((control | CTR_KBDDIS) & ~CTR_KBDINT);
	assert_int_equal(command(&control, 0x1060), 0);
	assert_int_equal(command(&parameter, 0x0120), 0);
	assert_int_equal(parameter, control);
	flush();

	parameter = 0x5a; /* i8042_check_aux: no loop, and the test fails */
	assert_int_equal(command(&parameter, 0x11d3), -1);
	assert_int_equal(command(&parameter, 0x01a9), 0);
	assert_true(parameter && parameter != 0xfa && parameter != 0xff);

	control = (uint8_t)((control | CTR_KBDINT) & ~CTR_KBDDIS); /* i8042_enable_kbd_port */
	assert_int_equal(command(&control, 0x1060), 0);
	assert_int_equal(irq.rises, 0);
	outb(0xf2, DATA); /* atkbd_probe: the identity of the keyboard */
	assert_int_equal(irq.rises, 1);
	assert_int_equal(
		inb(COMMAND) & (STR_OBF | STR_AUXDATA | STR_TIMEOUT), STR_OBF | STR_TIMEOUT);
	assert_int_equal(inb(DATA), 0xfe);
	assert_false(irq.level);
	assert_int_equal(inb(COMMAND) & STR_OBF, 0);
	assert_int_equal(end.reports, 0);
}

/* Linux, native_machine_emergency_restart, BOOT_KBD: kb_wait, then pulse the reset line. */
static void linux_reboot(void **state)
{
	(void)state;
	assert_int_equal(inb(COMMAND) & STR_IBF, 0);
	outb(0xfe, COMMAND);
	assert_int_equal(end.reports, 1);
	assert_int_equal(end.end, GUEST_END_RESET);
}

static void only_the_reset_line_resets(void **state)
{
	(void)state;
	for (unsigned int number = 0; number < 256; number++) {
		i8042_reset(&i8042);
		end.reports = 0;
		outb((uint8_t)number, COMMAND);
		assert_int_equal(end.reports, number >= 0xf0 && !(number & 1) ? 1 : 0);
		assert_int_equal(inb(COMMAND) & STR_IBF, 0);
	}
}

/* The classic A20 sequence, with what it must not do. */
static void a20(void **state)
{
	(void)state;
	outb(0xad, COMMAND);
	outb(0xd0, COMMAND);
	assert_int_equal(inb(COMMAND) & STR_OBF, STR_OBF);
	assert_int_equal(inb(DATA) & 0x03, 0x03);
	outb(0xd1, COMMAND);
	outb(0xdf, DATA);
	outb(0xd1, COMMAND);
	outb(0xdd, DATA);
	outb(0xdf, COMMAND);
	outb(0xae, COMMAND);
	assert_int_equal(end.reports, 0);
	assert_int_equal(inb(COMMAND) & STR_OBF, 0);
	outb(0xd1, COMMAND);
	outb(0xde, DATA); /* the reset line, by the same register */
	assert_int_equal(end.reports, 1);
	assert_int_equal(end.end, GUEST_END_RESET);
}

static void devices_are_absent(void **state)
{
	uint8_t parameter;

	(void)state;
	parameter = 0xff; /* reset, to the mouse */
	assert_int_equal(command(&parameter, 0x10d4), 0);
	assert_int_equal(inb(COMMAND) & (STR_OBF | STR_AUXDATA | STR_TIMEOUT),
		STR_OBF | STR_AUXDATA | STR_TIMEOUT);
	assert_int_equal(inb(DATA), 0xfe);
	assert_int_equal(command(&parameter, 0x00a8), 0); /* enabling it does not help */
	assert_int_equal(command(&parameter, 0x0120), 0);
	assert_int_equal(parameter & CTR_AUXDIS, CTR_AUXDIS);
	assert_int_equal(command(&parameter, 0x01ab), 0);
	assert_int_not_equal(parameter, 0);
}

static void an_unconnected_line_is_fine(void **state)
{
	struct i8042_options options = {.end = fake_end_sink(&end)};

	(void)state;
	i8042_fini(&i8042);
	i8042_init(&i8042, &options);
	outb(0x60, COMMAND);
	outb(CTR_KBDINT, DATA);
	outb(0xf2, DATA);
	assert_int_equal(inb(DATA), 0xfe);
}

static void hostile(void **state)
{
	uint64_t random = 1;

	(void)state;
	hostile_accesses(&i8042_data_bus_ops, &i8042, 1, 1);
	hostile_accesses(&i8042_command_bus_ops, &i8042, 1, 1);
	for (unsigned int i = 0; i < 100000; i++) {
		uint64_t action = fake_random(&random);

		if (action & 1)
			outb((uint8_t)(action >> 8), action & 2 ? DATA : COMMAND);
		else
			(void)inb(action & 2 ? DATA : COMMAND);
		assert_int_equal(inb(COMMAND) & STR_IBF, 0);
	}
	assert_true(flush() <= 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(linux_probe, setup, teardown),
		cmocka_unit_test_setup_teardown(linux_reboot, setup, teardown),
		cmocka_unit_test_setup_teardown(only_the_reset_line_resets, setup, teardown),
		cmocka_unit_test_setup_teardown(a20, setup, teardown),
		cmocka_unit_test_setup_teardown(devices_are_absent, setup, teardown),
		cmocka_unit_test_setup_teardown(an_unconnected_line_is_fine, setup, teardown),
		cmocka_unit_test_setup_teardown(hostile, setup, teardown),
	};

	return cmocka_run_group_tests_name("i8042", tests, NULL, NULL);
}
