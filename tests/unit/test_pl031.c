#include "fake_wiring.h"
#include "pl031.h"
#include "primecell_identity.h"

/* ARM DDI 0224, table 3-1; names as Linux has them. */
#define RTC_DR   0x00
#define RTC_MR   0x04
#define RTC_LR   0x08
#define RTC_CR   0x0c
#define RTC_IMSC 0x10
#define RTC_RIS  0x14
#define RTC_MIS  0x18
#define RTC_ICR  0x1c

#define SECOND UINT64_C(1000000000)
#define NOW    UINT64_C(1709251198) /* 2024-02-29 23:59:58 UTC */

static struct fake_irq irq;
static struct fake_timer timer;
static struct pl031 rtc;

static int setup(void **state)
{
	(void)state;
	irq = (struct fake_irq){0};
	timer = (struct fake_timer){0};
	fake_monotonic_ns = 5 * SECOND;
	fake_realtime_ns = NOW * SECOND + SECOND / 4;
	pl031_init(&rtc, &(struct pl031_options){
				 .irq = fake_irq_line(&irq),
				 .timer = fake_timer_host(&timer),
				 .read_clock = fake_read_clock,
			 });
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pl031_fini(&rtc);
	return 0;
}

static uint32_t readl(uint64_t offset)
{
	return (uint32_t)pl031_bus_ops.read(&rtc, offset, 4);
}

static void writel(uint32_t value, uint64_t offset)
{
	pl031_bus_ops.write(&rtc, offset, 4, value);
}

static void test_identity(void **state)
{
	(void)state;
	assert_primecell(&pl031_bus_ops, &rtc, 0x031);
}

static void test_time_is_the_hosts(void **state)
{
	(void)state;
	assert_int_equal(readl(RTC_CR), 1);
	assert_int_equal(readl(RTC_DR), NOW);
	fake_sleep_ns(SECOND);
	assert_int_equal(readl(RTC_DR), NOW + 1);
}

static void test_setting_moves_the_guests_clock(void **state)
{
	(void)state;
	writel(1000, RTC_LR);
	assert_int_equal(readl(RTC_LR), 1000);
	assert_int_equal(readl(RTC_DR), 1000);
	fake_sleep_ns(3 * SECOND);
	assert_int_equal(readl(RTC_DR), 1003);
	pl031_reset(&rtc);
	assert_int_equal(readl(RTC_DR), 1003);
}

static void test_alarm(void **state)
{
	(void)state;
	writel(NOW + 10, RTC_MR);
	assert_int_equal(timer.deadline_ns, 0);
	writel(1, RTC_IMSC);
	assert_int_equal(timer.deadline_ns, fake_monotonic_ns + 10 * SECOND - SECOND / 4);
	assert_int_equal(readl(RTC_RIS), 0);
	fake_sleep_ns(10 * SECOND);
	pl031_tick(&rtc);
	assert_true(irq.level);
	assert_int_equal(readl(RTC_RIS), 1);
	assert_int_equal(readl(RTC_MIS), 1);
	writel(0, RTC_IMSC);
	assert_false(irq.level);
	assert_int_equal(readl(RTC_MIS), 0);
	writel(1, RTC_IMSC);
	assert_true(irq.level);
	writel(1, RTC_ICR);
	assert_false(irq.level);
	assert_int_equal(readl(RTC_RIS), 0);
}

static void test_alarm_of_this_second(void **state)
{
	(void)state;
	writel(1, RTC_IMSC);
	writel(NOW, RTC_MR);
	assert_true(irq.level);
	writel(1, RTC_ICR);
	writel(NOW - 1, RTC_MR);
	assert_false(irq.level);
	writel(NOW - 1, RTC_LR);
	assert_true(irq.level);
}

/* The timer looks again before long, so that a step of the host's clock is noticed. */
static void test_far_alarm_and_a_step(void **state)
{
	(void)state;
	writel(1, RTC_IMSC);
	writel(NOW + 100000, RTC_MR);
	assert_int_equal(timer.deadline_ns, fake_monotonic_ns + 60 * SECOND);
	fake_sleep_ns(60 * SECOND);
	pl031_tick(&rtc);
	assert_false(irq.level);
	assert_int_equal(timer.deadline_ns, fake_monotonic_ns + 60 * SECOND);
	fake_realtime_ns -= 5000 * SECOND;
	pl031_tick(&rtc);
	assert_false(irq.level);
	fake_realtime_ns += 200000 * SECOND;
	pl031_tick(&rtc);
	assert_true(irq.level);
}

static void test_reset(void **state)
{
	(void)state;
	writel(1, RTC_IMSC);
	writel(NOW, RTC_MR);
	assert_true(irq.level);
	pl031_reset(&rtc);
	assert_false(irq.level);
	assert_int_equal(readl(RTC_IMSC), 0);
	assert_int_equal(readl(RTC_RIS), 0);
	assert_int_equal(timer.deadline_ns, 0);
}

static void test_odd_accesses_do_nothing(void **state)
{
	(void)state;
	writel(1, RTC_IMSC);
	pl031_bus_ops.write(&rtc, RTC_IMSC, 1, 0);
	pl031_bus_ops.write(&rtc, RTC_IMSC, 8, 0);
	pl031_bus_ops.write(&rtc, RTC_IMSC + 2, 4, 0);
	assert_int_equal(readl(RTC_IMSC), 1);
	assert_int_equal(pl031_bus_ops.read(&rtc, RTC_DR, 8), 0);
	assert_int_equal(pl031_bus_ops.read(&rtc, RTC_DR + 1, 2), 0);
	assert_int_equal(readl(0x100), 0);
	writel(5, RTC_DR);
	assert_int_equal(readl(RTC_DR), NOW);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_identity, setup, teardown),
		cmocka_unit_test_setup_teardown(test_time_is_the_hosts, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_setting_moves_the_guests_clock, setup, teardown),
		cmocka_unit_test_setup_teardown(test_alarm, setup, teardown),
		cmocka_unit_test_setup_teardown(test_alarm_of_this_second, setup, teardown),
		cmocka_unit_test_setup_teardown(test_far_alarm_and_a_step, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reset, setup, teardown),
		cmocka_unit_test_setup_teardown(test_odd_accesses_do_nothing, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
