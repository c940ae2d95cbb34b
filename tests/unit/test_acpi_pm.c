#include "acpi_pm.h"
#include "fake_wiring.h"

/* Constants from ACPI 6.5 4.8.3, not from the chip's source. */
#define BASE       0x600
#define PM1_STS    (BASE + 0)
#define PM1_EN     (BASE + 2)
#define PM1_CNT    (BASE + 4)
#define PM_TMR     (BASE + 8)
#define PWRBTN     (1 << 8)
#define TMR        (1 << 0)
#define SCI_EN     (1 << 0)
#define SLP_TYP_S5 (5 << 10)
#define SLP_EN     (1 << 13)

static struct fake_irq sci;
static struct fake_timer timer;
static struct fake_end end;
static struct acpi_pm pm;

static int setup(void **state)
{
	struct acpi_pm_options options;

	(void)state;
	sci = (struct fake_irq){0};
	timer = (struct fake_timer){0};
	end = (struct fake_end){0};
	bus_init(&fake_ports, "PIO");
	fake_monotonic_ns = 123456789;
	options = (struct acpi_pm_options){
		.sci = fake_irq_line(&sci),
		.timer = fake_timer_host(&timer),
		.end = fake_end_sink(&end),
		.read_clock = fake_read_clock,
	};
	acpi_pm_init(&pm, &options);
	fake_ports_attach(BASE, ACPI_PM_PORTS, &acpi_pm_bus_ops, &pm);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	acpi_pm_fini(&pm);
	return 0;
}

/* ACPICA: acpi_hw_get_mode, then the fixed event is disabled, cleared and enabled with read-back;
 * the SCI handler clears the status bit. */
static void power_button(void **state)
{
	(void)state;
	assert_int_equal(inw(PM1_CNT) & SCI_EN, SCI_EN);
	assert_false(acpi_pm_power_button_is_enabled(&pm));
	outw(0, PM1_EN);
	outw(0xffff, PM1_STS);
	outw(inw(PM1_EN) | PWRBTN, PM1_EN);
	assert_int_equal(inw(PM1_EN), PWRBTN);
	assert_true(acpi_pm_power_button_is_enabled(&pm));
	assert_false(sci.level);

	acpi_pm_press_power_button(&pm);
	assert_true(sci.level);
	acpi_pm_press_power_button(&pm);
	assert_int_equal(sci.rises, 1);
	assert_int_equal(inw(PM1_STS) & inw(PM1_EN), PWRBTN);
	outw((uint16_t)~PWRBTN, PM1_STS); /* other bits do not clear it */
	assert_true(sci.level);
	outw(PWRBTN, PM1_STS);
	assert_false(sci.level);
	assert_int_equal(inw(PM1_STS), 0);
	assert_int_equal(end.reports, 0);
}

static void button_pressed_before_it_is_enabled(void **state)
{
	(void)state;
	acpi_pm_press_power_button(&pm);
	assert_false(sci.level);
	outb(PWRBTN >> 8, PM1_EN + 1);
	assert_true(sci.level);
	acpi_pm_reset(&pm);
	assert_false(sci.level);
	assert_int_equal(inl(PM1_STS), 0);
}

/* Linux, acpi_hw_legacy_sleep: SLP_TYP alone first, then with SLP_EN. */
static void power_off(void **state)
{
	uint16_t control;

	(void)state;
	control = inw(PM1_CNT) & (uint16_t) ~(7 << 10 | SLP_EN);
	outw(control | SLP_TYP_S5, PM1_CNT);
	assert_int_equal(end.reports, 0);
	assert_int_equal(inw(PM1_CNT), SLP_TYP_S5 | SCI_EN);
	outw(control | SLP_TYP_S5 | SLP_EN, PM1_CNT);
	assert_int_equal(end.reports, 1);
	assert_int_equal(end.end, GUEST_END_POWER_OFF);
	assert_int_equal(inw(PM1_CNT) & SLP_EN, 0);
}

static void sleep_writes(void **state)
{
	static const struct {
		uint64_t port;
		unsigned int size;
		uint32_t value;
		unsigned int reports;
	} cases[] = {
		{PM1_CNT, 2, SLP_TYP_S5 | SLP_EN, 1},
		{PM1_CNT, 4, SLP_TYP_S5 | SLP_EN, 1},
		{PM1_CNT + 1, 1, (SLP_TYP_S5 | SLP_EN) >> 8, 1},
		{PM1_CNT + 1, 2, (SLP_TYP_S5 | SLP_EN) >> 8, 1},
		{PM1_CNT - 1, 4, (uint32_t)(SLP_TYP_S5 | SLP_EN) << 8, 1},
		{PM1_CNT - 2, 4, (uint32_t)(SLP_TYP_S5 | SLP_EN) << 16, 1},
		{PM1_CNT, 2, SLP_TYP_S5, 0},
		{PM1_CNT, 2, SLP_EN, 0},
		{PM1_CNT, 2, SLP_EN | 1 << 10, 0},
		{PM1_CNT, 2, SLP_EN | 7 << 10, 0},
		{PM1_CNT, 1, 0xff, 0},
		{PM1_STS, 4, UINT32_MAX, 0},
		{PM_TMR, 4, UINT32_MAX, 0},
		{PM1_CNT + 2, 4, UINT32_MAX, 0},
	};

	(void)state;
	for (size_t i = 0; i < array_size(cases); i++) {
		acpi_pm_reset(&pm);
		end.reports = 0;
		(void)bus_write(&fake_ports, cases[i].port, cases[i].size, cases[i].value);
		assert_int_equal(end.reports, cases[i].reports);
	}
	acpi_pm_reset(&pm);
	end.reports = 0;
	outb(SLP_TYP_S5 >> 8, PM1_CNT + 1);
	outb(SLP_EN >> 8, PM1_CNT + 1); /* this write takes the type back */
	assert_int_equal(end.reports, 0);
}

static void every_width_reads_the_same_registers(void **state)
{
	uint8_t bytes[ACPI_PM_PORTS];

	(void)state;
	fake_sleep_ns(UINT64_C(77000000000));
	outw(0x0721, PM1_EN);
	outw(SLP_TYP_S5, PM1_CNT);
	acpi_pm_press_power_button(&pm);
	assert_int_equal(inl(PM_TMR), UINT64_C(77) * 3579545);
	for (unsigned int i = 0; i < ACPI_PM_PORTS; i++)
		bytes[i] = inb(BASE + i);
	for (unsigned int size = 1; size <= 4; size *= 2)
		for (unsigned int i = 0; i + size <= ACPI_PM_PORTS; i++) {
			uint64_t expected = 0;

			for (unsigned int j = size; j-- > 0;)
				expected = expected << 8 | bytes[i + j];
			assert_int_equal(fake_in(BASE + i, size), expected);
		}
	assert_int_equal(inw(PM1_EN), 0x0721);
	assert_int_equal(inl(BASE + 12), 0);
}

/* Linux, init_acpi_pm_clocksource and its calibration: monotonic, and 3.579545 MHz. */
static void timer_counts(void **state)
{
	uint32_t before;

	(void)state;
	assert_int_equal(inl(PM_TMR), 0);
	fake_sleep_ns(1000);
	assert_int_equal(inl(PM_TMR), 3);
	before = inl(PM_TMR);
	fake_sleep_ns(UINT64_C(1000000000));
	assert_int_equal(inl(PM_TMR) - before, 3579545);
	fake_sleep_ns(UINT64_C(1200000000000));
	assert_int_equal(inl(PM_TMR), (uint32_t)(UINT64_C(3579545) * 1201 + 3));
}

static void timer_overflow(void **state)
{
	uint64_t deadline_ns;

	(void)state;
	assert_int_equal(timer.arms, 0);
	outw(TMR, PM1_EN);
	deadline_ns = timer.deadline_ns;
	assert_true(deadline_ns > fake_monotonic_ns);
	acpi_pm_tick(&pm); /* too early: nothing but a new deadline */
	assert_int_equal(timer.deadline_ns, deadline_ns);
	assert_false(sci.level);

	fake_timer_wait(&timer);
	acpi_pm_tick(&pm);
	assert_true(sci.level);
	assert_int_equal(inl(PM_TMR) >> 31, 1);
	assert_int_equal(timer.deadline_ns, 0);
	outw(TMR, PM1_STS);
	assert_false(sci.level);
	assert_true(timer.deadline_ns > deadline_ns);
	fake_timer_wait(&timer);
	assert_int_equal(inw(PM1_STS), TMR); /* a read finds it out too */
	assert_true(sci.level);
	assert_int_equal(inl(PM_TMR) >> 31, 0);
	acpi_pm_reset(&pm);
	assert_false(sci.level);
	assert_int_equal(timer.deadline_ns, 0);
}

static void hostile(void **state)
{
	(void)state;
	hostile_accesses(&acpi_pm_bus_ops, &pm, ACPI_PM_PORTS, 8);
	acpi_pm_tick(&pm);
	acpi_pm_reset(&pm);
	assert_false(sci.level);
	assert_int_equal(inl(PM1_STS), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(power_button, setup, teardown),
		cmocka_unit_test_setup_teardown(
			button_pressed_before_it_is_enabled, setup, teardown),
		cmocka_unit_test_setup_teardown(power_off, setup, teardown),
		cmocka_unit_test_setup_teardown(sleep_writes, setup, teardown),
		cmocka_unit_test_setup_teardown(
			every_width_reads_the_same_registers, setup, teardown),
		cmocka_unit_test_setup_teardown(timer_counts, setup, teardown),
		cmocka_unit_test_setup_teardown(timer_overflow, setup, teardown),
		cmocka_unit_test_setup_teardown(hostile, setup, teardown),
	};

	return cmocka_run_group_tests_name("acpi_pm", tests, NULL, NULL);
}
