/*
 * MC146818A real-time clock (Motorola datasheet, 1984). See rtc_cmos.h.
 *
 * Nothing runs between accesses. Each access first works out which updates, alarms and periods have
 * passed since the last one and sets their flags (update_flags), and ends by making the interrupt
 * line and the timer follow (settle). The bytes of the time are rendered when they are read.
 *
 * An update takes no time here, but UIP announces it as the datasheet promises, 244 us ahead: what
 * a guest reads after it has seen UIP clear belongs to one second, and it never waits longer.
 */
#include "rtc_cmos.h"

#include "clock.h"
#include "rtc_calendar.h"

#include <string.h>

enum {
	REG_SECONDS = 0x00,
	REG_SECONDS_ALARM = 0x01,
	REG_MINUTES = 0x02,
	REG_MINUTES_ALARM = 0x03,
	REG_HOURS = 0x04,
	REG_HOURS_ALARM = 0x05,
	REG_WEEKDAY = 0x06,
	REG_DAY = 0x07,
	REG_MONTH = 0x08,
	REG_YEAR = 0x09,
	REG_A = 0x0a,
	REG_B = 0x0b,
	REG_C = 0x0c,
	REG_D = 0x0d,
	REG_EQUIPMENT = 0x14,
	REG_BASE_MEMORY = 0x15,   /* 16 bits, KiB */
	REG_EXTENDED_1M = 0x17,   /* 16 bits, KiB above 1 MiB */
	REG_CHECKSUM = 0x2e,      /* 16 bits, high byte first: sum of 0x10 to 0x2d */
	REG_EXTENDED_1M_2 = 0x30, /* as found by the self-test */
	REG_EXTENDED_16M = 0x34,  /* 16 bits, 64 KiB units above 16 MiB */
	REG_EXTENDED_4G = 0x5b,   /* 24 bits, 64 KiB units above 4 GiB */
};

#define A_UIP           0x80
#define A_DIVIDER       0x70
#define A_DIVIDER_32KHZ 0x20 /* larger values hold the divider in reset */
#define A_RATE          0x0f
#define A_RATE_1024HZ   6

#define B_SET    0x80
#define B_BINARY 0x04
#define B_24H    0x02

/* The same bits enable in B and tell in C. */
#define BC_PERIODIC 0x40
#define BC_ALARM    0x20
#define BC_UPDATE   0x10
#define BC_EVENTS   (BC_PERIODIC | BC_ALARM | BC_UPDATE)
#define B_SQUARE    0x08
#define C_IRQ       0x80
#define D_VALID     0x80

#define HOURS_PM        0x80 /* in the 12-hour form */
#define ALARM_ANY       0xc0
#define EQUIPMENT_FPU   0x02
#define OSCILLATOR_HZ   UINT64_C(32768)
#define UIP_AHEAD_NS    UINT64_C(244141)             /* datasheet, "Update Cycle": t_BUC */
#define FIRST_UPDATE_NS (NANOSECONDS_PER_SECOND / 2) /* after a divider reset */

/* Deadlines are in monotonic time, events in the host's UTC: a step of that is noticed by then. */
#define TIMER_MAX_NS (60 * NANOSECONDS_PER_SECOND)

/* One reading of the host's clocks, as the guest's clock. */
struct moment {
	uint64_t total_ns; /* since 1970, offset_seconds left out: the divider's state */
	int64_t second;    /* of the calendar (since the year 0) */
	uint64_t ns;
	uint64_t monotonic_ns;
};

static int64_t calendar_second(uint64_t total_ns)
{
	return (int64_t)(total_ns / NANOSECONDS_PER_SECOND) +
	       CALENDAR_DAYS_UNTIL_1970 * SECONDS_PER_DAY;
}

static struct moment now(const struct rtc_cmos *rtc)
{
	/* UTC first: a deadline may come out late by the gap between the readings, not early. */
	uint64_t total_ns = rtc->options.read_clock(CLOCK_REALTIME) + rtc->offset_ns;
	int64_t second = calendar_second(total_ns) + rtc->offset_seconds;

	return (struct moment){
		.total_ns = total_ns,
		.second = second < 0 ? 0 : second, /* the host's clock may have gone back */
		.ns = total_ns % NANOSECONDS_PER_SECOND,
		.monotonic_ns = rtc->options.read_clock(CLOCK_MONOTONIC),
	};
}

static bool divider_runs(const struct rtc_cmos *rtc)
{
	return (rtc->bytes[REG_A] & A_DIVIDER) <= A_DIVIDER_32KHZ;
}

/* While stopped the bytes are the time and keep whatever the guest writes. */
static bool is_stopped(const struct rtc_cmos *rtc)
{
	return (rtc->bytes[REG_B] & B_SET) || !divider_runs(rtc);
}

static uint8_t encode(const struct rtc_cmos *rtc, unsigned int value)
{
	if (rtc->bytes[REG_B] & B_BINARY)
		return (uint8_t)value;
	return (uint8_t)(value / 10 << 4 | value % 10);
}

static unsigned int decode(const struct rtc_cmos *rtc, uint8_t byte)
{
	return rtc->bytes[REG_B] & B_BINARY ? byte : (byte >> 4) * 10U + (byte & 0xf);
}

static uint8_t encode_hour(const struct rtc_cmos *rtc, unsigned int hour)
{
	if (rtc->bytes[REG_B] & B_24H)
		return encode(rtc, hour);
	return encode(rtc, hour % 12 ? hour % 12 : 12) | (hour >= 12 ? HOURS_PM : 0);
}

/* 24 or more for what is no hour. */
static unsigned int decode_hour(const struct rtc_cmos *rtc, uint8_t byte)
{
	unsigned int hour;

	if (rtc->bytes[REG_B] & B_24H)
		return decode(rtc, byte);
	hour = decode(rtc, byte & (uint8_t)~HOURS_PM);
	if (hour < 1 || hour > 12)
		return 24;
	return hour % 12 + (byte & HOURS_PM ? 12 : 0);
}

static void render_time(struct rtc_cmos *rtc, int64_t second)
{
	struct calendar_time time = calendar_from_seconds(second);
	unsigned int century = (unsigned int)(time.year / 100);

	rtc->bytes[REG_SECONDS] = encode(rtc, time.second);
	rtc->bytes[REG_MINUTES] = encode(rtc, time.minute);
	rtc->bytes[REG_HOURS] = encode_hour(rtc, time.hour);
	rtc->bytes[REG_WEEKDAY] = encode(rtc, time.weekday + 1);
	rtc->bytes[REG_DAY] = encode(rtc, time.day);
	rtc->bytes[REG_MONTH] = encode(rtc, time.month);
	rtc->bytes[REG_YEAR] = encode(rtc, (unsigned int)(time.year % 100));
	rtc->bytes[RTC_CMOS_CENTURY] = encode(rtc, century);
}

static unsigned int clamp(unsigned int value, unsigned int minimum, unsigned int maximum)
{
	if (value < minimum)
		return minimum;
	return value > maximum ? maximum : value;
}

/* The second that the bytes tell; what is no date becomes the nearest one. */
static int64_t parse_time(const struct rtc_cmos *rtc)
{
	const uint8_t *bytes = rtc->bytes;
	struct calendar_time time = {
		.year = (int64_t)decode(rtc, bytes[RTC_CMOS_CENTURY]) * 100 +
	                clamp(decode(rtc, bytes[REG_YEAR]), 0, 99),
		.month = clamp(decode(rtc, bytes[REG_MONTH]), 1, 12),
		.day = clamp(decode(rtc, bytes[REG_DAY]), 1, 31),
		.hour = clamp(decode_hour(rtc, bytes[REG_HOURS]), 0, 23),
		.minute = clamp(decode(rtc, bytes[REG_MINUTES]), 0, 59),
		.second = clamp(decode(rtc, bytes[REG_SECONDS]), 0, 59),
	};

	return calendar_to_seconds(&time);
}

/* The guest's clock shows this second from now on; where in the second it stands does not move. */
static void set_second(struct rtc_cmos *rtc, int64_t second)
{
	rtc->offset_seconds = second - calendar_second(now(rtc).total_ns);
	rtc->seen_second = second;
}

/* The first second after the given one that the alarm bytes match; false when none ever does. */
static bool next_alarm(const struct rtc_cmos *rtc, int64_t after, int64_t *ret_second)
{
	uint8_t hour = rtc->bytes[REG_HOURS_ALARM];
	uint8_t minute = rtc->bytes[REG_MINUTES_ALARM];
	uint8_t second = rtc->bytes[REG_SECONDS_ALARM];
	struct calendar_daily daily = {
		.hour = hour >= ALARM_ANY ? CALENDAR_ANY : decode_hour(rtc, hour),
		.minute = minute >= ALARM_ANY ? CALENDAR_ANY : decode(rtc, minute),
		.second = second >= ALARM_ANY ? CALENDAR_ANY : decode(rtc, second),
	};

	return calendar_next_daily(&daily, after, ret_second);
}

/* Of the periodic interrupt, in ticks of the oscillator; 0: off. */
static uint64_t period_ticks(const struct rtc_cmos *rtc)
{
	unsigned int rate = rtc->bytes[REG_A] & A_RATE;

	if (!rate || !divider_runs(rtc))
		return 0;
	if (rate < 3)
		rate += 7; /* datasheet table 5: 1 and 2 are 256 and 128 Hz with this oscillator */
	if (rate < A_RATE_1024HZ)
		rate = A_RATE_1024HZ;
	return UINT64_C(1) << (rate - 1);
}

static uint64_t oscillator_ticks(const struct moment *moment)
{
	return moment->total_ns / NANOSECONDS_PER_SECOND * OSCILLATOR_HZ +
	       moment->ns * OSCILLATOR_HZ / NANOSECONDS_PER_SECOND;
}

/* Sets the flags of everything that has happened since they were last looked at. */
static void update_flags(struct rtc_cmos *rtc, const struct moment *moment)
{
	uint64_t period = period_ticks(rtc);
	int64_t alarm;

	if (period && oscillator_ticks(moment) / period != rtc->seen_period) {
		rtc->seen_period = oscillator_ticks(moment) / period;
		rtc->bytes[REG_C] |= BC_PERIODIC;
	}
	if (is_stopped(rtc) || moment->second == rtc->seen_second)
		return;
	rtc->bytes[REG_C] |= BC_UPDATE;
	if (next_alarm(rtc, rtc->seen_second, &alarm) && alarm <= moment->second)
		rtc->bytes[REG_C] |= BC_ALARM;
	rtc->seen_second = moment->second;
}

/* Time until the next event that would raise the interrupt; TIMER_MAX_NS at most, 0: none. */
static uint64_t next_event_ns(const struct rtc_cmos *rtc, const struct moment *moment)
{
	uint8_t enabled = rtc->bytes[REG_B] & BC_EVENTS;
	uint64_t period = period_ticks(rtc);
	uint64_t wait_ns = UINT64_MAX;
	int64_t alarm;

	if (!is_stopped(rtc) && (enabled & BC_UPDATE))
		wait_ns = NANOSECONDS_PER_SECOND - moment->ns;
	if (!is_stopped(rtc) && (enabled & BC_ALARM) && next_alarm(rtc, moment->second, &alarm)) {
		uint64_t alarm_ns = (uint64_t)(alarm - moment->second) * NANOSECONDS_PER_SECOND -
		                    moment->ns;

		wait_ns = alarm_ns < wait_ns ? alarm_ns : wait_ns;
	}
	if (period && (enabled & BC_PERIODIC)) {
		uint64_t ticks = period - oscillator_ticks(moment) % period;
		uint64_t period_ns = ticks * NANOSECONDS_PER_SECOND / OSCILLATOR_HZ + 1;

		wait_ns = period_ns < wait_ns ? period_ns : wait_ns;
	}
	if (wait_ns == UINT64_MAX)
		return 0;
	return wait_ns < TIMER_MAX_NS ? wait_ns : TIMER_MAX_NS;
}

static void settle_irq(struct rtc_cmos *rtc)
{
	bool level = (rtc->bytes[REG_B] & rtc->bytes[REG_C] & BC_EVENTS) != 0;

	if (level == rtc->irq_level)
		return;
	rtc->irq_level = level;
	irq_set_level(&rtc->options.irq, level);
}

/* Makes the interrupt line and the timer follow the registers. While the line is up nothing more
 * can be told, so no timer runs: a guest that does not read C costs no wake-ups. */
static void settle(struct rtc_cmos *rtc, const struct moment *moment)
{
	uint64_t wait_ns, deadline_ns;

	settle_irq(rtc);
	wait_ns = rtc->irq_level ? 0 : next_event_ns(rtc, moment);
	deadline_ns = wait_ns ? moment->monotonic_ns + wait_ns : 0;
	if (deadline_ns != rtc->deadline_ns) {
		rtc->deadline_ns = deadline_ns;
		timer_arm(&rtc->options.timer, deadline_ns);
	}
}

static bool is_time_register(uint8_t index)
{
	return index == REG_SECONDS || index == REG_MINUTES || index == REG_HOURS ||
	       (index >= REG_WEEKDAY && index <= REG_YEAR) || index == RTC_CMOS_CENTURY;
}

static uint8_t read_register(struct rtc_cmos *rtc, const struct moment *moment)
{
	uint8_t index = rtc->index;
	uint8_t value;

	if (is_time_register(index) && !is_stopped(rtc))
		render_time(rtc, moment->second);
	value = rtc->bytes[index];
	if (index == REG_A && !is_stopped(rtc) &&
		moment->ns >= NANOSECONDS_PER_SECOND - UIP_AHEAD_NS)
		value |= A_UIP;
	if (index == REG_C) {
		value |= rtc->irq_level ? C_IRQ : 0;
		rtc->bytes[REG_C] = 0;
	}
	return value;
}

/* Registers A and B: what stops and starts the clock. */
static void write_control(struct rtc_cmos *rtc, const struct moment *moment, uint8_t value)
{
	bool was_stopped = is_stopped(rtc);
	bool divider_ran = divider_runs(rtc);

	if (!was_stopped)
		render_time(rtc, moment->second);
	if (rtc->index == REG_A) {
		rtc->bytes[REG_A] = value & (uint8_t)~A_UIP;
	} else {
		/* Datasheet, "Register B": SET stops updates and clears UIE. */
		rtc->bytes[REG_B] = value & (uint8_t) ~(value & B_SET ? BC_UPDATE : 0);
	}
	if (!divider_ran && divider_runs(rtc)) {
		/* Datasheet, "Divider Control": the first update follows half a second later. */
		uint64_t host_ns = (moment->total_ns - rtc->offset_ns) % NANOSECONDS_PER_SECOND;

		rtc->offset_ns = (NANOSECONDS_PER_SECOND + FIRST_UPDATE_NS - host_ns) %
		                 NANOSECONDS_PER_SECOND;
	}
	if (was_stopped && !is_stopped(rtc))
		set_second(rtc, parse_time(rtc));
}

static void write_register(struct rtc_cmos *rtc, const struct moment *moment, uint8_t value)
{
	uint64_t old_period = period_ticks(rtc), new_period;

	switch (rtc->index) {
	case REG_A:
	case REG_B:
		write_control(rtc, moment, value);
		break;
	case REG_C:
	case REG_D:
		return;
	default:
		if (!is_time_register(rtc->index) || is_stopped(rtc)) {
			rtc->bytes[rtc->index] = value;
			break;
		}
		render_time(rtc, moment->second);
		rtc->bytes[rtc->index] = value;
		set_second(rtc, parse_time(rtc));
		break;
	}
	new_period = period_ticks(rtc);
	if (new_period && new_period != old_period) {
		struct moment after = now(rtc);

		rtc->seen_period = oscillator_ticks(&after) / new_period;
	}
}

static uint64_t rtc_cmos_read(void *device, uint64_t offset, unsigned int size)
{
	struct rtc_cmos *rtc = device;
	struct moment moment;
	uint64_t value = 0xff; /* the index cannot be read */

	if (offset == 0 && size == 1)
		return value;
	pthread_mutex_lock(&rtc->lock);
	moment = now(rtc);
	update_flags(rtc, &moment);
	settle_irq(rtc);
	if (offset == 0)
		value |= (uint64_t)read_register(rtc, &moment) << 8;
	else
		value = read_register(rtc, &moment);
	if (rtc->index == REG_C)
		settle(rtc, &moment);
	pthread_mutex_unlock(&rtc->lock);
	return value;
}

static void rtc_cmos_write(void *device, uint64_t offset, unsigned int size, uint64_t value)
{
	struct rtc_cmos *rtc = device;
	struct moment moment;

	pthread_mutex_lock(&rtc->lock);
	if (offset == 0) {
		rtc->index = value & (RTC_CMOS_BYTES - 1); /* bit 7 masks NMIs: there are none */
		value >>= 8;
	}
	if (offset == 1 || size > 1) {
		moment = now(rtc);
		update_flags(rtc, &moment);
		write_register(rtc, &moment, (uint8_t)value);
		moment = now(rtc);
		settle(rtc, &moment);
	}
	pthread_mutex_unlock(&rtc->lock);
}

const struct bus_ops rtc_cmos_bus_ops = {rtc_cmos_read, rtc_cmos_write};

static void put_size(struct rtc_cmos *rtc, unsigned int index, unsigned int width, uint64_t value)
{
	uint64_t maximum = (UINT64_C(1) << (8 * width)) - 1;

	value = value < maximum ? value : maximum;
	for (unsigned int i = 0; i < width; i++)
		rtc->bytes[index + i] = (uint8_t)(value >> (8 * i));
}

static uint64_t bytes_above(uint64_t ram_bytes, uint64_t base)
{
	return ram_bytes > base ? ram_bytes - base : 0;
}

/* What a BIOS leaves behind and old kernels and loaders still read. */
static void fill_memory_sizes(struct rtc_cmos *rtc)
{
	uint64_t low = rtc->options.low_ram_bytes;
	unsigned int sum = 0;

	rtc->bytes[REG_EQUIPMENT] = EQUIPMENT_FPU;
	put_size(rtc, REG_BASE_MEMORY, 2, 640);
	put_size(rtc, REG_EXTENDED_1M, 2, bytes_above(low, UINT64_C(1) << 20) >> 10);
	put_size(rtc, REG_EXTENDED_1M_2, 2, bytes_above(low, UINT64_C(1) << 20) >> 10);
	put_size(rtc, REG_EXTENDED_16M, 2, bytes_above(low, UINT64_C(16) << 20) >> 16);
	put_size(rtc, REG_EXTENDED_4G, 3, rtc->options.high_ram_bytes >> 16);
	for (unsigned int i = 0x10; i < REG_CHECKSUM; i++)
		sum += rtc->bytes[i];
	rtc->bytes[REG_CHECKSUM] = (uint8_t)(sum >> 8);
	rtc->bytes[REG_CHECKSUM + 1] = (uint8_t)sum;
}

void rtc_cmos_init(struct rtc_cmos *rtc, const struct rtc_cmos_options *options)
{
	*rtc = (struct rtc_cmos){.options = *options};
	(void)pthread_mutex_init(&rtc->lock, NULL); /* cannot fail without attributes */
	rtc->bytes[REG_A] = A_DIVIDER_32KHZ | A_RATE_1024HZ;
	rtc->bytes[REG_B] = B_24H;
	rtc->bytes[REG_D] = D_VALID;
	fill_memory_sizes(rtc);
	rtc->seen_second = now(rtc).second;
}

void rtc_cmos_fini(struct rtc_cmos *rtc)
{
	(void)pthread_mutex_destroy(&rtc->lock);
}

void rtc_cmos_reset(struct rtc_cmos *rtc)
{
	struct moment moment;

	pthread_mutex_lock(&rtc->lock);
	rtc->index = 0;
	rtc->bytes[REG_C] = 0;
	rtc->bytes[REG_B] &= (uint8_t) ~(BC_EVENTS | B_SQUARE);
	if (is_stopped(rtc)) { /* no firmware will start it again */
		rtc->bytes[REG_A] = A_DIVIDER_32KHZ | A_RATE_1024HZ;
		rtc->bytes[REG_B] &= (uint8_t)~B_SET;
		set_second(rtc, parse_time(rtc));
	}
	moment = now(rtc);
	settle(rtc, &moment);
	pthread_mutex_unlock(&rtc->lock);
}

void rtc_cmos_tick(struct rtc_cmos *rtc)
{
	struct moment moment;

	pthread_mutex_lock(&rtc->lock);
	rtc->deadline_ns = 0; /* it has fired */
	moment = now(rtc);
	update_flags(rtc, &moment);
	settle(rtc, &moment);
	pthread_mutex_unlock(&rtc->lock);
}
