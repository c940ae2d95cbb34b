/* See checks.h. */
#include "checks.h"

#include "clock.h"
#include "cpu.h"
#include "gic.h"
#include "trap.h"

#define SELF_INTERRUPT  2
#define HZ_MIN          1000000 /* board.h counts on it */
#define HZ_MAX          4000000000
#define PART_OF_SECOND  100
#define VIRTUAL_TIMER   2 /* of the node's interrupts: secure, physical, virtual, hypervisor */
#define READS           1000
#define GIC_LINES_LEAST 64 /* some shared interrupts beside the private ones */

static volatile bool arrived;
static volatile unsigned int arrivals;
static volatile uint64_t arrived_at;

static void on_software(void)
{
	arrivals++;
	arrived = true;
}

void check_gic(struct report *report)
{
	report_fact("gic", "%u", gic_version());
	if (!report_expect(report, gic_version(), "none that this guest knows"))
		return;
	report_expect(
		report, gic_interrupts() >= GIC_LINES_LEAST, "%u interrupts", gic_interrupts());
	report_expect(report, gic_version() != 3 || (CPU_READ("id_aa64pfr0_el1") >> 24 & 0xf) != 0,
		"the processor has no registers for version 3");
	report_note(report, "version %u at 0x%lx, %u interrupts", gic_version(), gic_distributor(),
		gic_interrupts());
}

void check_self_interrupt(struct report *report)
{
	if (!report_expect(report, gic_version(), "no interrupt controller"))
		return;
	arrived = false;
	arrivals = 0;
	trap_set_handler(SELF_INTERRUPT, on_software);
	gic_send(gic_self(), SELF_INTERRUPT);
	report_expect(report, clock_wait_for(&arrived), "never came");
	report_expect(report, arrivals == 1, "came %u times", arrivals);
}

void check_timer(struct report *report)
{
	uint64_t last = clock_count();
	const uint64_t first = last;

	report_expect(report, clock_hz() >= HZ_MIN && clock_hz() <= HZ_MAX, "%lu Hz", clock_hz());
	for (unsigned int i = 0; i < READS; i++) {
		const uint64_t now = clock_count();

		report_expect(report, now >= last, "0x%lx after 0x%lx", now, last);
		last = now;
	}
	report_expect(report, last > first, "stands still");
	report_note(report, "%lu Hz", clock_hz());
}

static void on_timer(void)
{
	arrived_at = clock_count();
	clock_timer_stop();
	arrivals++;
	arrived = true;
}

static uint32_t arm_timer(struct report *report)
{
	const uint32_t interrupt = gic_number("timer", VIRTUAL_TIMER);

	if (!report_expect(report, gic_version() && interrupt, "no interrupt"))
		return 0;
	arrived = false;
	arrivals = 0;
	clock_timer_stop();
	trap_set_handler(interrupt, on_timer);
	gic_enable(interrupt);
	return interrupt;
}

void check_timer_interrupt(struct report *report)
{
	const uint32_t interrupt = arm_timer(report);
	const uint64_t wait = clock_hz() / PART_OF_SECOND;
	const uint64_t start = clock_count();

	if (!interrupt)
		return;
	clock_timer_start(wait);
	report_expect(report, clock_wait_for(&arrived), "never came");
	report_expect(report, arrived_at - start >= wait, "came after 0x%lx of 0x%lx counts",
		arrived_at - start, wait);
	report_expect(report, arrivals == 1, "came %u times", arrivals);
	gic_disable(interrupt);
	report_note(report, "interrupt %u", interrupt);
}

/* Masked, so that it cannot come in between: a pending interrupt wakes all the same. */
void check_halt(struct report *report)
{
	const uint32_t interrupt = arm_timer(report);
	const uint64_t start = clock_count();

	if (!interrupt)
		return;
	clock_timer_start(clock_hz() / PART_OF_SECOND);
	while (!(clock_timer_control() & CLOCK_TIMER_CONDITION) && clock_has_patience(start))
		cpu_wait_for_interrupt();
	report_expect(report, clock_timer_control() & CLOCK_TIMER_CONDITION, "never woke");
	report_expect(report, clock_wait_for(&arrived), "never came");
	gic_disable(interrupt);
}
