#include "cmocka_all.h"
#include "compiler.h"
#include "rtc_calendar.h"

#include <string.h>
#include <time.h>

#define EPOCH (CALENDAR_DAYS_UNTIL_1970 * SECONDS_PER_DAY)

static void agrees_with_libc(void **state)
{
	static const int64_t seconds[] = {0, 1, 951782399, 951782400, 951868800, 1078012800,
		1709164799, 1709164800, 2147483647, 4102444800, 4107542400, 253402300799, -1,
		-2208988800, -62135596800, -62162208001};

	(void)state;
	for (size_t i = 0; i < array_size(seconds); i++) {
		struct calendar_time time = calendar_from_seconds(seconds[i] + EPOCH);
		time_t when = (time_t)seconds[i];
		struct tm tm;

		assert_non_null(gmtime_r(&when, &tm));
		assert_int_equal(time.year, tm.tm_year + 1900);
		assert_int_equal(time.month, tm.tm_mon + 1);
		assert_int_equal(time.day, tm.tm_mday);
		assert_int_equal(time.weekday, tm.tm_wday);
		assert_int_equal(time.hour, tm.tm_hour);
		assert_int_equal(time.minute, tm.tm_min);
		assert_int_equal(time.second, tm.tm_sec);
		assert_int_equal(calendar_to_seconds(&time), seconds[i] + EPOCH);
	}
}

static void every_day_of_a_thousand_years(void **state)
{
	(void)state;
	for (int64_t day = 0; day < 366000; day++) {
		struct calendar_time time = calendar_from_seconds(
			day * SECONDS_PER_DAY + SECONDS_PER_DAY - 1);

		assert_in_range(time.month, 1, 12);
		assert_in_range(time.day, 1, 31);
		assert_int_equal(
			calendar_to_seconds(&time), day * SECONDS_PER_DAY + SECONDS_PER_DAY - 1);
	}
}

static void days_beyond_the_month_run_on(void **state)
{
	struct calendar_time time = {.year = 2023, .month = 2, .day = 31};

	(void)state;
	time = calendar_from_seconds(calendar_to_seconds(&time));
	assert_int_equal(time.month, 3);
	assert_int_equal(time.day, 3);
}

static void daily(void **state)
{
	const unsigned int any = CALENDAR_ANY;
	const struct {
		struct calendar_daily daily;
		int64_t after;
		bool found;
		int64_t next;
	} cases[] = {
		{{0, 0, 0}, 0, true, 86400},
		{{0, 0, 1}, 0, true, 1},
		{{23, 59, 59}, 0, true, 86399},
		{{23, 59, 59}, 86399, true, 86399 + 86400},
		{{12, 30, 15}, 45014, true, 45015},
		{{12, 30, 15}, 45015, true, 45015 + 86400},
		{{any, any, any}, 86399, true, 86400},
		{{any, any, 30}, 30, true, 90},
		{{any, 30, any}, 1859, true, 3600 + 1800},
		{{5, any, any}, 0, true, 18000},
		{{5, any, any}, 21599, true, 86400 + 18000},
		{{any, 59, 59}, 0, true, 3599},
		{{24, 0, 0}, 0, false, 0},
		{{0, 60, 0}, 0, false, 0},
		{{any, any, 60}, 0, false, 0},
	};

	(void)state;
	for (size_t i = 0; i < array_size(cases); i++) {
		int64_t next = 0;

		assert_int_equal(calendar_next_daily(&cases[i].daily, cases[i].after, &next),
			cases[i].found);
		assert_int_equal(next, cases[i].next);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_libc),
		cmocka_unit_test(every_day_of_a_thousand_years),
		cmocka_unit_test(days_beyond_the_month_run_on),
		cmocka_unit_test(daily),
	};

	return cmocka_run_group_tests_name("rtc_calendar", tests, NULL, NULL);
}
