/*
 * The PC's real-time clock and its 128 bytes of CMOS RAM: an MC146818 behind two I/O ports, index
 * (0x70) and data (0x71).
 *
 * It shows the host's UTC, moved by whatever the guest has set; the host's clock is never touched.
 * Alarm, update-ended and periodic interrupts come through a timer whose expiry the owner answers
 * with rtc_cmos_tick. Rates above 1024 Hz, which would keep a host CPU busy, count as 1024 Hz.
 *
 * Ports from any vCPU thread; everything else from the main thread.
 */
#pragma once

#include "bus.h"
#include "irq.h"
#include "timer.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define RTC_CMOS_PORTS   2
#define RTC_CMOS_BYTES   128
#define RTC_CMOS_CENTURY 0x32 /* for the FADT */

struct rtc_cmos_options {
	struct irq irq;          /* ISA interrupt 8 */
	struct timer timer;      /* optional: without it flags are kept but no interrupt comes */
	uint64_t low_ram_bytes;  /* RAM below 4 GiB */
	uint64_t high_ram_bytes; /* RAM from 4 GiB */
	uint64_t (*read_clock)(clockid_t clock); /* clock_ns */
};

struct rtc_cmos {
	struct rtc_cmos_options options; /* [const] */
	pthread_mutex_t lock;
	uint8_t index;                 /* [lock] */
	uint8_t bytes[RTC_CMOS_BYTES]; /* [lock] the time's bytes are current only while stopped */
	int64_t offset_seconds;        /* [lock] the guest's time minus the host's, */
	uint64_t offset_ns;            /* [lock] its part below a second; never negative */
	int64_t seen_second;           /* [lock] the second whose update is already in the flags */
	uint64_t seen_period;          /* [lock] likewise, of the periodic interrupt */
	bool irq_level;                /* [lock] */
	uint64_t deadline_ns;          /* [lock] what the timer is armed for, 0: nothing */
};

void rtc_cmos_init(struct rtc_cmos *rtc, const struct rtc_cmos_options *options);
void rtc_cmos_fini(struct rtc_cmos *rtc);

/* The chip's RESET pin; vCPUs are stopped. The battery keeps time, alarm and RAM. */
void rtc_cmos_reset(struct rtc_cmos *rtc);

/* For a bus range of RTC_CMOS_PORTS with the struct rtc_cmos as its device. A 16-bit write is an
 * index and its datum. */
extern const struct bus_ops rtc_cmos_bus_ops;

/* The timer's deadline has passed. */
void rtc_cmos_tick(struct rtc_cmos *rtc);
