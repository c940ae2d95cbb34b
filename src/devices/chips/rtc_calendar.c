/* See rtc_calendar.h. */
#include "rtc_calendar.h"

#define DAYS_PER_400_YEARS INT64_C(146097)

static bool is_leap_year(int64_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Of the years 0 to year - 1; the year 0 is a leap year. */
static int64_t days_before_year(int64_t year)
{
	return 365 * year + (year + 3) / 4 - (year + 99) / 100 + (year + 399) / 400;
}

static unsigned int days_in_month(int64_t year, unsigned int month)
{
	static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return days[month - 1] + (month == 2 && is_leap_year(year) ? 1U : 0U);
}

int64_t calendar_to_seconds(const struct calendar_time *time)
{
	int64_t days = days_before_year(time->year) + time->day - 1;

	for (unsigned int month = 1; month < time->month; month++)
		days += days_in_month(time->year, month);
	return days * SECONDS_PER_DAY + time->hour * 3600 + time->minute * 60 + time->second;
}

struct calendar_time calendar_from_seconds(int64_t seconds)
{
	int64_t days = seconds / SECONDS_PER_DAY;
	unsigned int left = (unsigned int)(seconds % SECONDS_PER_DAY);
	struct calendar_time time = {
		.year = days * 400 / DAYS_PER_400_YEARS, /* right, or one off */
		.month = 1,
		.weekday = (unsigned int)((days + 6) % 7), /* the first day was a Saturday */
		.hour = left / 3600,
		.minute = left / 60 % 60,
		.second = left % 60,
	};

	while (days_before_year(time.year) > days)
		time.year--;
	while (days_before_year(time.year + 1) <= days)
		time.year++;
	days -= days_before_year(time.year);
	while (days >= days_in_month(time.year, time.month))
		days -= days_in_month(time.year, time.month++);
	time.day = (unsigned int)days + 1;
	return time;
}

static bool is_field_below(unsigned int field, unsigned int end)
{
	return field == CALENDAR_ANY || field < end;
}

static bool matches(unsigned int field, unsigned int value)
{
	return field == CALENDAR_ANY || field == value;
}

bool calendar_next_daily(const struct calendar_daily *daily, int64_t after, int64_t *ret_second)
{
	int64_t at = after + 1;

	if (!is_field_below(daily->hour, 24) || !is_field_below(daily->minute, 60) ||
		!is_field_below(daily->second, 60))
		return false;
	/* Each step leaves a whole hour, minute or second behind: at most about 150 in all. */
	for (;;) {
		unsigned int of_day = (unsigned int)(at % SECONDS_PER_DAY);

		if (!matches(daily->hour, of_day / 3600))
			at += 3600 - of_day % 3600;
		else if (!matches(daily->minute, of_day / 60 % 60))
			at += 60 - of_day % 60;
		else if (!matches(daily->second, of_day % 60))
			at++;
		else
			break;
	}
	*ret_second = at;
	return true;
}
