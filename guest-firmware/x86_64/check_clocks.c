/* See checks.h. */
#include "checks.h"

#include "apic.h"
#include "clocks.h"
#include "cpu.h"
#include "trap.h"

#define CPUID_TSC_DEADLINE (1u << 24)

/* A clock is plausible when it makes the TSC run at the speed of some processor. */
#define TSC_HZ_MIN UINT64_C(300000000)
#define TSC_HZ_MAX UINT64_C(10000000000)

#define TRIES      10
#define HEARTBEATS 3

/* Of the APIC timer at divide by 16: soon, at any bus clock. */
#define TIMER_COUNT 20000

static volatile bool timer_fired;

static void on_timer(void)
{
	timer_fired = true;
}

static bool is_plausible(struct tsc_rate rate)
{
	return rate.high_hz >= TSC_HZ_MIN && rate.low_hz <= TSC_HZ_MAX;
}

static void expect_plausible(struct report *report, struct tsc_rate rate)
{
	if (!report_expect(report, rate.high_hz > 0, "stands still"))
		return;
	report_expect(report, is_plausible(rate), "the TSC would run at %lu to %lu kHz",
		rate.low_hz / 1000, rate.high_hz / 1000);
	report_note(report, "TSC at %lu to %lu kHz", rate.low_hz / 1000, rate.high_hz / 1000);
}

void check_pit(struct report *report)
{
	struct tsc_rate rate = tsc_rate_by_pit();

	for (unsigned int i = 0; i < TRIES && !is_plausible(rate); i++)
		rate = tsc_rate_by_pit();
	expect_plausible(report, rate);
}

/* Within a tenth of each other. */
static bool is_alike(struct tsc_rate a, struct tsc_rate b)
{
	return a.low_hz <= b.high_hz + b.high_hz / 10 && b.low_hz <= a.high_hz + a.high_hz / 10;
}

void check_pm_timer(struct report *report)
{
	struct tsc_rate rate, by_pit;
	unsigned int tries = 0;

	if (!report_expect(report, pm_timer_port(), "none in ACPI"))
		return;
	do {
		rate = tsc_rate_by_pm_timer();
		by_pit = tsc_rate_by_pit();
	} while (++tries < TRIES && !(is_plausible(rate) && is_alike(rate, by_pit)));
	expect_plausible(report, rate);
	if (rate.high_hz && by_pit.high_hz)
		report_expect(report, is_alike(rate, by_pit), "the PIT makes that %lu to %lu kHz",
			by_pit.low_hz / 1000, by_pit.high_hz / 1000);
}

static void start_timer(uint32_t count)
{
	timer_fired = false;
	trap_set_handler(VECTOR_APIC_TIMER, on_timer);
	apic_write(APIC_TIMER_DIVIDE, APIC_TIMER_DIVIDE_16);
	apic_write(APIC_LVT_TIMER, VECTOR_APIC_TIMER);
	apic_write(APIC_TIMER_INITIAL, count);
}

void check_apic_timer(struct report *report)
{
	uint32_t first, second;

	start_timer(UINT32_MAX);
	first = apic_read(APIC_TIMER_CURRENT);
	second = apic_read(APIC_TIMER_CURRENT);
	report_expect(
		report, first > second && second > 0, "counts from 0x%x to 0x%x", first, second);
	start_timer(TIMER_COUNT);
	report_expect(report, wait_for(&timer_fired), "no interrupt");
	report_expect(report, apic_read(APIC_TIMER_CURRENT) == 0, "one shot did not stop");
	apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED);
}

void check_tsc_deadline(struct report *report)
{
	uint64_t deadline;

	if (!(cpuid_read(1, 0).ecx & CPUID_TSC_DEADLINE)) {
		report_note(report, "not offered");
		return;
	}
	timer_fired = false;
	trap_set_handler(VECTOR_APIC_TIMER, on_timer);
	apic_write(APIC_LVT_TIMER, APIC_TIMER_DEADLINE | VECTOR_APIC_TIMER);
	/* SDM 3A "TSC-Deadline Mode": the mode must be set before the deadline is. */
	__asm__ volatile("mfence" : : : "memory");
	deadline = tsc_read() + 3000000;
	msr_write(MSR_TSC_DEADLINE, deadline);
	report_expect(report, wait_for(&timer_fired), "no interrupt");
	report_expect(report, tsc_read() >= deadline, "early");
	report_expect(report, msr_read(MSR_TSC_DEADLINE) == 0, "still armed");
	apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED);
}

/* A halted processor wakes up, again and again; when it does not, the guest hangs here and the
 * missing line tells. */
void check_halt(struct report *report)
{
	unsigned int wakes = 0;

	heartbeat_start();
	while (heartbeat_count() < HEARTBEATS && wakes < HEARTBEATS * 100) {
		interrupt_wait();
		wakes++;
	}
	heartbeat_stop();
	report_expect(report, heartbeat_count() >= HEARTBEATS, "%u wakes, %u timer interrupts",
		wakes, heartbeat_count());
}
