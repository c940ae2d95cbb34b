#include "fake_wiring.h"
#include "rtc_cmos.h"

#include <stdio.h>

/* MC146818A datasheet; names as Linux has them. */
#define RTC_SECONDS       0
#define RTC_SECONDS_ALARM 1
#define RTC_MINUTES       2
#define RTC_MINUTES_ALARM 3
#define RTC_HOURS         4
#define RTC_HOURS_ALARM   5
#define RTC_DAY_OF_WEEK   6
#define RTC_DAY_OF_MONTH  7
#define RTC_MONTH         8
#define RTC_YEAR          9
#define RTC_FREQ_SELECT   10
#define RTC_CONTROL       11
#define RTC_INTR_FLAGS    12
#define RTC_VALID         13
#define RTC_CENTURY       0x32
#define RTC_UIP           0x80
#define RTC_DIV_RESET2    0x70
#define RTC_SET           0x80
#define RTC_PIE           0x40
#define RTC_AIE           0x20
#define RTC_UIE           0x10
#define RTC_DM_BINARY     0x04
#define RTC_24H           0x02
#define RTC_IRQF          0x80

#define SECOND      UINT64_C(1000000000)
#define MILLISECOND UINT64_C(1000000)

/* 2024-02-29 23:59:58 UTC, a Thursday */
#define LEAP_EVENING UINT64_C(1709251198)

static struct fake_irq irq;
static struct fake_timer timer;
static struct rtc_cmos rtc;

static int setup(void **state)
{
	struct rtc_cmos_options options;

	(void)state;
	irq = (struct fake_irq){0};
	timer = (struct fake_timer){0};
	bus_init(&fake_ports, "PIO");
	fake_monotonic_ns = 5 * SECOND;
	fake_realtime_ns = LEAP_EVENING * SECOND + 250 * MILLISECOND;
	options = (struct rtc_cmos_options){
		.irq = fake_irq_line(&irq),
		.timer = fake_timer_host(&timer),
		.low_ram_bytes = UINT64_C(3) << 30,
		.high_ram_bytes = UINT64_C(5) << 30,
		.read_clock = fake_read_clock,
	};
	rtc_cmos_init(&rtc, &options);
	fake_ports_attach(0x70, RTC_CMOS_PORTS, &rtc_cmos_bus_ops, &rtc);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rtc_cmos_fini(&rtc);
	return 0;
}

static uint8_t cmos_read(uint8_t index)
{
	outb(index, 0x70);
	return inb(0x71);
}

static void cmos_write(uint8_t value, uint8_t index)
{
	outb(index, 0x70);
	outb(value, 0x71);
}

static unsigned int bcd2bin(uint8_t byte)
{
	return (byte >> 4) * 10U + (byte & 15);
}

static uint8_t bin2bcd(unsigned int value)
{
	return (uint8_t)(value / 10 << 4 | value % 10);
}

/* Linux, mc146818_get_time; the text is "YYYY-MM-DD hh:mm:ss". *waits counts the milliseconds it
 * slept for UIP. */
static const char *linux_get_time(unsigned int *waits)
{
	static char text[64];
	unsigned int part[7] = {0};
	uint8_t seconds = 0, control = 0;

	for (*waits = 0; *waits < 10; ++*waits, fake_sleep_ns(MILLISECOND)) {
		seconds = cmos_read(RTC_SECONDS);
		if (cmos_read(RTC_FREQ_SELECT) & RTC_UIP)
			continue;
		if (seconds != cmos_read(RTC_SECONDS))
			continue;
		part[1] = cmos_read(RTC_MINUTES);
		part[2] = cmos_read(RTC_HOURS);
		part[3] = cmos_read(RTC_DAY_OF_MONTH);
		part[4] = cmos_read(RTC_MONTH);
		part[5] = cmos_read(RTC_YEAR);
		part[6] = cmos_read(RTC_CENTURY);
		control = cmos_read(RTC_CONTROL);
		if (cmos_read(RTC_FREQ_SELECT) & RTC_UIP)
			continue;
		if (seconds == cmos_read(RTC_SECONDS))
			break;
	}
	part[0] = seconds;
	for (unsigned int i = 0; i < 7 && !(control & RTC_DM_BINARY); i++)
		part[i] = bcd2bin((uint8_t)part[i]);
	(void)snprintf(text, sizeof(text), "%02u%02u-%02u-%02u %02u:%02u:%02u", part[6], part[5],
		part[4], part[3], part[2], part[1], part[0]);
	return text;
}

static void assert_time(const char *expected)
{
	unsigned int waits;

	assert_string_equal(linux_get_time(&waits), expected);
}

/* Linux, mc146818_set_time. */
static void linux_set_time(unsigned int year, unsigned int month, unsigned int day,
	unsigned int hour, unsigned int minute, unsigned int second)
{
	uint8_t control = cmos_read(RTC_CONTROL);
	uint8_t frequency;

	cmos_write(control | RTC_SET, RTC_CONTROL);
	frequency = cmos_read(RTC_FREQ_SELECT);
	cmos_write(frequency | RTC_DIV_RESET2, RTC_FREQ_SELECT);
	cmos_write(bin2bcd(year % 100), RTC_YEAR);
	cmos_write(bin2bcd(month), RTC_MONTH);
	cmos_write(bin2bcd(day), RTC_DAY_OF_MONTH);
	cmos_write(bin2bcd(hour), RTC_HOURS);
	cmos_write(bin2bcd(minute), RTC_MINUTES);
	cmos_write(bin2bcd(second), RTC_SECONDS);
	cmos_write(bin2bcd(year / 100), RTC_CENTURY);
	cmos_write(control, RTC_CONTROL);
	cmos_write(frequency, RTC_FREQ_SELECT);
}

static void irq_enable(uint8_t mask)
{
	(void)cmos_read(RTC_INTR_FLAGS);
	cmos_write(cmos_read(RTC_CONTROL) | mask, RTC_CONTROL);
	(void)cmos_read(RTC_INTR_FLAGS);
}

static void irq_disable(uint8_t mask)
{
	cmos_write(cmos_read(RTC_CONTROL) & (uint8_t)~mask, RTC_CONTROL);
	(void)cmos_read(RTC_INTR_FLAGS);
}

static void timer_fires(void)
{
	fake_timer_wait(&timer);
	rtc_cmos_tick(&rtc);
}

static void reads_the_host_time(void **state)
{
	unsigned int waits;

	(void)state;
	assert_int_equal(cmos_read(RTC_VALID), 0x80);
	assert_string_equal(linux_get_time(&waits), "2024-02-29 23:59:58");
	assert_int_equal(waits, 0);
	assert_int_equal(cmos_read(RTC_DAY_OF_WEEK), 5);
	fake_sleep_ns(2 * SECOND);
	assert_time("2024-03-01 00:00:00");
	assert_int_equal(cmos_read(RTC_DAY_OF_WEEK), 6);
	fake_realtime_ns = UINT64_C(4102444800) * SECOND;
	assert_time("2100-01-01 00:00:00");
	fake_realtime_ns = 0; /* the host's clock has gone back */
	assert_time("1970-01-01 00:00:00");
}

static void update_in_progress_is_short(void **state)
{
	unsigned int in_progress = 0, waits;

	(void)state;
	for (unsigned int i = 0; i < 20000; i++, fake_sleep_ns(SECOND / 10000)) {
		uint64_t left_ns = SECOND - fake_realtime_ns % SECOND;
		bool uip = cmos_read(RTC_FREQ_SELECT) & RTC_UIP;

		/* Clear means 244 us of peace. */
		assert_int_equal(uip, left_ns <= 244141);
		in_progress += uip;
	}
	assert_in_range(in_progress, 2, 6);
	fake_sleep_ns(SECOND - fake_realtime_ns % SECOND - 1000);
	linux_get_time(&waits);
	assert_int_equal(waits, 1);
}

static void setting_the_time(void **state)
{
	(void)state;
	linux_set_time(1999, 12, 31, 23, 59, 59);
	assert_time("1999-12-31 23:59:59");
	fake_sleep_ns(499 * MILLISECOND);
	assert_time("1999-12-31 23:59:59");
	fake_sleep_ns(2 * MILLISECOND); /* half a second after the divider was let go */
	assert_time("2000-01-01 00:00:00");
	fake_sleep_ns(86400 * SECOND);
	assert_time("2000-01-02 00:00:00");
	linux_set_time(2155, 1, 1, 0, 0, 0);
	assert_time("2155-01-01 00:00:00");
	fake_realtime_ns += 3600 * SECOND; /* what the guest set stays relative to the host */
	assert_time("2155-01-01 01:00:00");
	rtc_cmos_reset(&rtc);
	assert_time("2155-01-01 01:00:00");
}

static void stopped_while_set(void **state)
{
	(void)state;
	cmos_write(RTC_SET | RTC_24H, RTC_CONTROL);
	assert_int_equal(cmos_read(RTC_SECONDS), 0x58);
	fake_sleep_ns(SECOND * 7 / 4 - 1000);
	assert_int_equal(cmos_read(RTC_SECONDS), 0x58);
	assert_int_equal(cmos_read(RTC_FREQ_SELECT) & RTC_UIP, 0);
	fake_sleep_ns(SECOND / 2);
	cmos_write(0x77, RTC_SECONDS); /* kept as it is while stopped */
	assert_int_equal(cmos_read(RTC_SECONDS), 0x77);
	cmos_write(0x30, RTC_SECONDS);
	cmos_write(RTC_24H, RTC_CONTROL);
	assert_time("2024-02-29 23:59:30");
	assert_int_equal(cmos_read(RTC_INTR_FLAGS) & RTC_UIE, 0);
	cmos_write(0x15, RTC_HOURS); /* without stopping it at all */
	assert_time("2024-02-29 15:59:30");

	cmos_write(RTC_SET | RTC_24H, RTC_CONTROL); /* and left so by a guest that is reset */
	fake_sleep_ns(SECOND);
	rtc_cmos_reset(&rtc);
	fake_sleep_ns(SECOND);
	assert_time("2024-02-29 15:59:31");
}

static void data_modes(void **state)
{
	static const struct {
		uint8_t control;
		uint64_t utc;
		uint8_t hours, minutes, century;
	} cases[] = {
		{RTC_24H, LEAP_EVENING, 0x23, 0x59, 0x20},
		{RTC_24H | RTC_DM_BINARY, LEAP_EVENING, 23, 59, 20},
		{0, LEAP_EVENING, 0x91, 0x59, 0x20},
		{RTC_DM_BINARY, LEAP_EVENING, 0x8b, 59, 20},
		{0, LEAP_EVENING + 2, 0x12, 0x00, 0x20},
		{RTC_DM_BINARY, LEAP_EVENING + 2, 12, 0, 20},
		{0, LEAP_EVENING + 2 + 43200, 0x92, 0x00, 0x20},
		{RTC_DM_BINARY, LEAP_EVENING + 2 + 43200, 0x8c, 0, 20},
		{0, LEAP_EVENING + 3602, 0x01, 0x00, 0x20},
	};

	(void)state;
	for (size_t i = 0; i < array_size(cases); i++) {
		fake_realtime_ns = cases[i].utc * SECOND;
		cmos_write(cases[i].control, RTC_CONTROL);
		assert_int_equal(cmos_read(RTC_HOURS), cases[i].hours);
		assert_int_equal(cmos_read(RTC_MINUTES), cases[i].minutes);
		assert_int_equal(cmos_read(RTC_CENTURY), cases[i].century);
		/* Stopping and going on changes nothing in any form. */
		cmos_write(cases[i].control | RTC_SET, RTC_CONTROL);
		cmos_write(cases[i].control, RTC_CONTROL);
		assert_int_equal(cmos_read(RTC_HOURS), cases[i].hours);
	}
}

static void no_date_at_all(void **state)
{
	(void)state;
	cmos_write(RTC_SET | RTC_24H, RTC_CONTROL);
	for (uint8_t index = 0; index < 10; index++)
		cmos_write(0xff, index);
	cmos_write(0xff, RTC_CENTURY);
	cmos_write(RTC_24H, RTC_CONTROL);
	assert_int_equal(cmos_read(RTC_SECONDS), 0x59);
	cmos_write(RTC_SET | RTC_24H, RTC_CONTROL);
	for (uint8_t index = 0; index < 10; index++)
		cmos_write(0, index);
	cmos_write(0, RTC_CENTURY);
	cmos_write(RTC_24H, RTC_CONTROL);
	assert_time("0000-01-01 00:00:00");
	fake_realtime_ns -= 10 * SECOND;
	assert_time("0000-01-01 00:00:00");
}

/* Linux, cmos_set_alarm, cmos_interrupt, and the UIE emulation of the RTC core on top of it. */
static void alarm(void **state)
{
	(void)state;
	irq_disable(RTC_AIE);
	cmos_write(bin2bcd(0), RTC_HOURS_ALARM);
	cmos_write(bin2bcd(0), RTC_MINUTES_ALARM);
	cmos_write(bin2bcd(5), RTC_SECONDS_ALARM);
	assert_int_equal(timer.arms, 0);
	irq_enable(RTC_AIE);
	assert_int_equal(timer.deadline_ns, fake_monotonic_ns + 6750 * MILLISECOND);
	timer_fires();
	assert_true(irq.level);
	assert_time("2024-03-01 00:00:05");
	assert_int_equal(cmos_read(RTC_INTR_FLAGS) & (RTC_IRQF | RTC_AIE), RTC_IRQF | RTC_AIE);
	assert_false(irq.level);
	assert_int_equal(cmos_read(RTC_INTR_FLAGS), 0);
	irq_disable(RTC_AIE);
	assert_int_equal(timer.deadline_ns, 0);
	assert_int_equal(irq.rises, 1);
}

static void alarm_in_the_far_future_and_a_clock_step(void **state)
{
	(void)state;
	cmos_write(bin2bcd(12), RTC_HOURS_ALARM);
	cmos_write(0, RTC_MINUTES_ALARM);
	cmos_write(0, RTC_SECONDS_ALARM);
	irq_enable(RTC_AIE);
	assert_int_equal(timer.deadline_ns, fake_monotonic_ns + 60 * SECOND);
	timer_fires();
	assert_false(irq.level);
	assert_int_equal(timer.deadline_ns, fake_monotonic_ns + 60 * SECOND);
	fake_realtime_ns += 13 * 3600 * SECOND; /* the host was set: noticed at the next look */
	timer_fires();
	assert_true(irq.level);
	assert_int_equal(timer.deadline_ns, 0);
}

static void alarm_wildcards(void **state)
{
	(void)state;
	cmos_write(0xff, RTC_HOURS_ALARM);
	cmos_write(0xc0, RTC_MINUTES_ALARM);
	cmos_write(0x30, RTC_SECONDS_ALARM);
	irq_enable(RTC_AIE);
	for (unsigned int i = 0; i < 3; i++) {
		timer_fires();
		assert_int_equal(irq.rises, i + 1);
		assert_int_equal(cmos_read(RTC_SECONDS), 0x30);
		(void)cmos_read(RTC_INTR_FLAGS);
	}
	irq_disable(RTC_AIE);
	cmos_write(0x61, RTC_SECONDS_ALARM); /* never */
	irq_enable(RTC_AIE);
	assert_int_equal(timer.deadline_ns, 0);
}

/* hwclock on a driver with native update interrupts. */
static void update_ended(void **state)
{
	(void)state;
	irq_enable(RTC_UIE);
	assert_int_equal(timer.deadline_ns, fake_monotonic_ns + 750 * MILLISECOND);
	timer_fires();
	assert_true(irq.level);
	assert_int_equal(cmos_read(RTC_SECONDS), 0x59);
	assert_int_equal(timer.deadline_ns, 0); /* nobody has looked yet: no more wake-ups */
	fake_sleep_ns(3 * SECOND);
	assert_int_equal(cmos_read(RTC_INTR_FLAGS) & (RTC_IRQF | RTC_UIE), RTC_IRQF | RTC_UIE);
	assert_int_equal(timer.deadline_ns, fake_monotonic_ns + SECOND);
	cmos_write(RTC_SET | RTC_24H | RTC_UIE, RTC_CONTROL);
	assert_int_equal(cmos_read(RTC_CONTROL), RTC_SET | RTC_24H); /* SET clears UIE */
	assert_int_equal(timer.deadline_ns, 0);
}

static void flags_without_interrupts(void **state)
{
	(void)state;
	(void)cmos_read(RTC_INTR_FLAGS);
	assert_int_equal(cmos_read(RTC_INTR_FLAGS), 0);
	fake_sleep_ns(SECOND);
	assert_int_equal(cmos_read(RTC_INTR_FLAGS), RTC_UIE | RTC_PIE);
	fake_sleep_ns(SECOND);
	cmos_write(RTC_24H | RTC_UIE, RTC_CONTROL); /* an old flag, newly enabled */
	assert_true(irq.level);
	assert_int_equal(irq.rises, 1);
	rtc_cmos_reset(&rtc);
	assert_false(irq.level);
	assert_int_equal(cmos_read(RTC_CONTROL), RTC_24H);
}

static void periodic_rates(void **state)
{
	static const struct {
		uint8_t rate;
		unsigned int hertz;
	} cases[] = {{15, 2}, {14, 4}, {10, 64}, {7, 512}, {6, 1024}, {2, 128}, {1, 256}, {5, 1024},
		{3, 1024}};

	(void)state;
	for (size_t i = 0; i < array_size(cases); i++) {
		uint64_t end_ns;
		unsigned int count = 0;

		irq_disable(RTC_PIE);
		cmos_write(0x20 | cases[i].rate, RTC_FREQ_SELECT);
		irq_enable(RTC_PIE);
		end_ns = fake_monotonic_ns + 2 * SECOND;
		while (timer.deadline_ns <= end_ns) {
			timer_fires();
			assert_true(irq.level);
			assert_int_equal(cmos_read(RTC_INTR_FLAGS) & (RTC_IRQF | RTC_PIE),
				RTC_IRQF | RTC_PIE);
			count++;
		}
		assert_in_range(count, 2 * cases[i].hertz - 1, 2 * cases[i].hertz + 1);
	}
	cmos_write(0x20, RTC_FREQ_SELECT); /* no rate, no interrupt */
	(void)cmos_read(RTC_INTR_FLAGS);
	assert_int_equal(timer.deadline_ns, 0);
}

static void memory_sizes(void **state)
{
	unsigned int sum = 0;

	(void)state;
	assert_int_equal(cmos_read(0x15) | cmos_read(0x16) << 8, 640);
	assert_int_equal(cmos_read(0x17) | cmos_read(0x18) << 8, 0xffff);
	assert_int_equal(cmos_read(0x30) | cmos_read(0x31) << 8, 0xffff);
	assert_int_equal(cmos_read(0x34) | cmos_read(0x35) << 8, (3072 - 16) * 16);
	assert_int_equal(cmos_read(0x5b) | cmos_read(0x5c) << 8 | cmos_read(0x5d) << 16, 5 * 16384);
	for (uint8_t index = 0x10; index < 0x2e; index++) /* Linux, __nvram_check_checksum */
		sum += cmos_read(index);
	assert_int_equal(cmos_read(0x2e) << 8 | cmos_read(0x2f), sum);

	rtc.options.low_ram_bytes = 8 << 20;
	rtc.options.high_ram_bytes = 0;
	rtc_cmos_fini(&rtc);
	rtc_cmos_init(&rtc, &(struct rtc_cmos_options){rtc.options.irq, rtc.options.timer, 8 << 20,
				    0, fake_read_clock});
	assert_int_equal(cmos_read(0x17) | cmos_read(0x18) << 8, 7 * 1024);
	assert_int_equal(cmos_read(0x34) | cmos_read(0x35) << 8, 0);
	assert_int_equal(cmos_read(0x5b) | cmos_read(0x5c) << 8 | cmos_read(0x5d) << 16, 0);
}

static void ports(void **state)
{
	(void)state;
	cmos_write(0x5a, 0x80 | 0x40); /* NMIs masked, byte 0x40 */
	assert_int_equal(cmos_read(0x40), 0x5a);
	assert_int_equal(cmos_read(0xc0), 0x5a);
	outw(0xa541, 0x70);
	assert_int_equal(inb(0x71), 0xa5);
	assert_int_equal(inw(0x70), 0xa5ff);
	assert_int_equal(inb(0x70), 0xff);
	cmos_write(0x12, 0x7f);
	assert_int_equal(cmos_read(0x7f), 0x12);
	cmos_write(0xff, RTC_VALID);
	cmos_write(0xff, RTC_INTR_FLAGS);
	assert_int_equal(cmos_read(RTC_VALID), 0x80);
	assert_int_equal(cmos_read(RTC_INTR_FLAGS), RTC_PIE);
	cmos_write(0xa6, RTC_FREQ_SELECT);
	assert_int_equal(cmos_read(RTC_FREQ_SELECT), 0x26);
	rtc_cmos_reset(&rtc);
	assert_int_equal(cmos_read(0x40), 0x5a);
}

static void hostile(void **state)
{
	uint64_t random = 3;

	(void)state;
	hostile_accesses(&rtc_cmos_bus_ops, &rtc, RTC_CMOS_PORTS, 2);
	for (unsigned int i = 0; i < 100000; i++) {
		uint64_t number = fake_random(&random);
		uint8_t index = number & 1 ? number >> 1 & 15 : number >> 1 & 127;

		if (number >> 16 & 1)
			cmos_write((uint8_t)(number >> 24), index);
		else
			(void)cmos_read(index);
		if (number >> 17 & 1)
			fake_realtime_ns = fake_random(&random) % (UINT64_C(9000000000) * SECOND);
		fake_sleep_ns(fake_random(&random) % SECOND);
		if (timer.deadline_ns && timer.deadline_ns <= fake_monotonic_ns) {
			timer.deadline_ns = 0;
			rtc_cmos_tick(&rtc);
		}
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reads_the_host_time, setup, teardown),
		cmocka_unit_test_setup_teardown(update_in_progress_is_short, setup, teardown),
		cmocka_unit_test_setup_teardown(setting_the_time, setup, teardown),
		cmocka_unit_test_setup_teardown(stopped_while_set, setup, teardown),
		cmocka_unit_test_setup_teardown(data_modes, setup, teardown),
		cmocka_unit_test_setup_teardown(no_date_at_all, setup, teardown),
		cmocka_unit_test_setup_teardown(alarm, setup, teardown),
		cmocka_unit_test_setup_teardown(
			alarm_in_the_far_future_and_a_clock_step, setup, teardown),
		cmocka_unit_test_setup_teardown(alarm_wildcards, setup, teardown),
		cmocka_unit_test_setup_teardown(update_ended, setup, teardown),
		cmocka_unit_test_setup_teardown(flags_without_interrupts, setup, teardown),
		cmocka_unit_test_setup_teardown(periodic_rates, setup, teardown),
		cmocka_unit_test_setup_teardown(memory_sizes, setup, teardown),
		cmocka_unit_test_setup_teardown(ports, setup, teardown),
		cmocka_unit_test_setup_teardown(hostile, setup, teardown),
	};

	return cmocka_run_group_tests_name("rtc_cmos", tests, NULL, NULL);
}
