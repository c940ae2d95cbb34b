/*
 * ARM DDI 0224 chapter 3. See pl031.h.
 *
 * Nothing runs between accesses. Each one first looks whether the match register's second has come
 * since the last time, and ends by making the interrupt line and the timer follow.
 */
#include "pl031.h"

#include "clock.h"
#include "primecell.h"

#define PART 0x031

enum {
	REG_DATA = 0x00,
	REG_MATCH = 0x04,
	REG_LOAD = 0x08,
	REG_CONTROL = 0x0c,
	REG_INTERRUPT_MASK = 0x10, /* 1: enabled */
	REG_RAW_STATUS = 0x14,
	REG_MASKED_STATUS = 0x18,
	REG_INTERRUPT_CLEAR = 0x1c,
};

#define CONTROL_STARTED 1
#define INTERRUPT_BIT   1

/* Deadlines are in monotonic time, the alarm in the host's UTC: a step of that is noticed by then.
 */
#define TIMER_MAX_NS (60 * NANOSECONDS_PER_SECOND)

static uint64_t utc_ns(const struct pl031 *rtc)
{
	return rtc->options.read_clock(CLOCK_REALTIME);
}

static uint32_t counter_at(const struct pl031 *rtc, uint64_t ns)
{
	return (uint32_t)(ns / NANOSECONDS_PER_SECOND) + rtc->offset;
}

/* Has the counter come to the match register's value, in (seen, counter]? */
static void look_for_match(struct pl031 *rtc, uint32_t counter)
{
	const uint32_t passed = counter - rtc->seen;

	/* With the host's clock gone back nothing has come. */
	if (passed <= INT32_MAX && rtc->match - rtc->seen - 1 < passed)
		rtc->has_matched = true;
	rtc->seen = counter;
}

/* Time until the alarm; TIMER_MAX_NS at most, 0: none comes. */
static uint64_t alarm_wait_ns(const struct pl031 *rtc, uint64_t now_ns)
{
	const uint32_t seconds = rtc->match - counter_at(rtc, now_ns);
	uint64_t wait_ns;

	if (!rtc->is_enabled || rtc->has_matched || !seconds)
		return 0;
	wait_ns = seconds * NANOSECONDS_PER_SECOND - now_ns % NANOSECONDS_PER_SECOND;
	return wait_ns < TIMER_MAX_NS ? wait_ns : TIMER_MAX_NS;
}

static void settle(struct pl031 *rtc, uint64_t now_ns)
{
	const bool level = rtc->is_enabled && rtc->has_matched;
	const uint64_t wait_ns = alarm_wait_ns(rtc, now_ns);
	const uint64_t deadline_ns = wait_ns ? rtc->options.read_clock(CLOCK_MONOTONIC) + wait_ns
	                                     : 0;

	if (level != rtc->irq_level) {
		rtc->irq_level = level;
		irq_set_level(&rtc->options.irq, level);
	}
	if (deadline_ns != rtc->deadline_ns) {
		rtc->deadline_ns = deadline_ns;
		timer_arm(&rtc->options.timer, deadline_ns);
	}
}

static uint32_t read_register(const struct pl031 *rtc, uint64_t offset, uint32_t counter)
{
	switch (offset) {
	case REG_DATA:
		return counter;
	case REG_MATCH:
		return rtc->match;
	case REG_LOAD:
		return rtc->load;
	case REG_CONTROL:
		return CONTROL_STARTED;
	case REG_INTERRUPT_MASK:
		return rtc->is_enabled;
	case REG_RAW_STATUS:
		return rtc->has_matched;
	case REG_MASKED_STATUS:
		return rtc->is_enabled && rtc->has_matched;
	default:
		break;
	}
	if (offset >= PRIMECELL_IDENTITY && offset < PRIMECELL_BYTES)
		return primecell_identity(PART, offset);
	return 0;
}

/* The counter is compared at once: a match register that is set to the present second matches. */
static void write_register(struct pl031 *rtc, uint64_t offset, uint32_t value, uint64_t now_ns)
{
	const uint32_t counter = counter_at(rtc, now_ns);

	switch (offset) {
	case REG_MATCH:
		rtc->match = value;
		rtc->seen = counter - 1;
		break;
	case REG_LOAD:
		rtc->load = value;
		rtc->offset += value - counter;
		rtc->seen = value - 1;
		break;
	case REG_INTERRUPT_MASK:
		rtc->is_enabled = value & INTERRUPT_BIT;
		break;
	case REG_INTERRUPT_CLEAR:
		if (value & INTERRUPT_BIT)
			rtc->has_matched = false;
		break;
	default:
		return;
	}
	look_for_match(rtc, counter_at(rtc, now_ns));
}

static uint64_t pl031_read(void *device, uint64_t offset, unsigned int size)
{
	struct pl031 *rtc = device;
	uint64_t now_ns;
	uint32_t counter, value;

	if (size != 4 || offset % 4)
		return 0;
	(void)pthread_mutex_lock(&rtc->lock);
	now_ns = utc_ns(rtc);
	counter = counter_at(rtc, now_ns);
	look_for_match(rtc, counter);
	value = read_register(rtc, offset, counter);
	(void)pthread_mutex_unlock(&rtc->lock);
	return value;
}

static void pl031_write(void *device, uint64_t offset, unsigned int size, uint64_t value)
{
	struct pl031 *rtc = device;
	uint64_t now_ns;

	if (size != 4 || offset % 4)
		return;
	(void)pthread_mutex_lock(&rtc->lock);
	now_ns = utc_ns(rtc);
	look_for_match(rtc, counter_at(rtc, now_ns));
	write_register(rtc, offset, (uint32_t)value, now_ns);
	settle(rtc, now_ns);
	(void)pthread_mutex_unlock(&rtc->lock);
}

const struct bus_ops pl031_bus_ops = {pl031_read, pl031_write};

void pl031_init(struct pl031 *rtc, const struct pl031_options *options)
{
	*rtc = (struct pl031){.options = *options};
	(void)pthread_mutex_init(&rtc->lock, NULL); /* cannot fail without attributes */
	rtc->seen = counter_at(rtc, utc_ns(rtc));
}

void pl031_fini(struct pl031 *rtc)
{
	(void)pthread_mutex_destroy(&rtc->lock);
}

void pl031_reset(struct pl031 *rtc)
{
	uint64_t now_ns;

	(void)pthread_mutex_lock(&rtc->lock);
	now_ns = utc_ns(rtc);
	rtc->match = rtc->load = 0;
	rtc->is_enabled = rtc->has_matched = false;
	rtc->seen = counter_at(rtc, now_ns);
	settle(rtc, now_ns);
	(void)pthread_mutex_unlock(&rtc->lock);
}

void pl031_tick(struct pl031 *rtc)
{
	uint64_t now_ns;

	(void)pthread_mutex_lock(&rtc->lock);
	rtc->deadline_ns = 0; /* it has fired */
	now_ns = utc_ns(rtc);
	look_for_match(rtc, counter_at(rtc, now_ns));
	settle(rtc, now_ns);
	(void)pthread_mutex_unlock(&rtc->lock);
}
