/*
 * The proleptic Gregorian calendar in UTC, counted from the start of the year 0. Pure.
 *
 * libc's gmtime and timegm would read the host's time zone files on first use: a vCPU thread may
 * not open files.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#define SECONDS_PER_DAY          INT64_C(86400)
#define CALENDAR_DAYS_UNTIL_1970 INT64_C(719528)

struct calendar_time {
	int64_t year;
	unsigned int month;   /* 1 to 12 */
	unsigned int day;     /* 1 to 31 */
	unsigned int weekday; /* 0: Sunday; an output only */
	unsigned int hour;
	unsigned int minute;
	unsigned int second;
};

/* year >= 0; a day beyond the end of its month runs on into the next one. */
int64_t calendar_to_seconds(const struct calendar_time *time);

/* seconds >= 0 */
struct calendar_time calendar_from_seconds(int64_t seconds);

#define CALENDAR_ANY UINT_MAX

/* A time of every day, each field a number or CALENDAR_ANY. */
struct calendar_daily {
	unsigned int hour;
	unsigned int minute;
	unsigned int second;
};

/* The first second after the given one (>= 0) that matches; false when the fields are no time. */
bool calendar_next_daily(const struct calendar_daily *daily, int64_t after, int64_t *ret_second);
