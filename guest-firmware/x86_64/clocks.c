/* See clocks.h. */
#include "clocks.h"

#include "acpi.h"
#include "apic.h"
#include "cpu.h"
#include "trap.h"

#define PIT_CHANNEL0 0x40
#define PIT_COMMAND  0x43
#define PIT_MODE2    0x34 /* channel 0, both bytes, rate generator */
#define PIT_LATCH0   0x00

#define PART_OF_SECOND 200 /* measure for 5 ms */

/* At divide by 16: 16 ms of a bus clock of 1 GHz, which is KVM's. */
#define HEARTBEAT_COUNT 1000000

uint16_t pm_timer_port(void)
{
	struct acpi_fadt fadt;

	if (!acpi_read_fadt(&fadt) || fadt.pm_timer.space != ACPI_SPACE_IO)
		return 0;
	return (uint16_t)fadt.pm_timer.address;
}

static uint32_t pm_timer_read(uint16_t port)
{
	return in32(port);
}

static uint32_t pit_read(uint16_t port)
{
	uint8_t low;

	out8(PIT_COMMAND, PIT_LATCH0);
	low = in8(port);
	return 0u - ((uint32_t)in8(port) << 8 | low); /* it counts down */
}

struct counter {
	uint32_t (*read)(uint16_t port);
	uint16_t port;
	uint32_t mask;
	uint32_t hz;
};

/* Each reading lies between two of the TSC, so that time spent elsewhere widens the answer instead
 * of falsifying it. */
static struct tsc_rate measure(const struct counter *counter)
{
	uint64_t before = tsc_read();
	uint32_t start = counter->read(counter->port);
	uint64_t after = tsc_read();
	uint64_t last_before, last_after;
	uint32_t ticks;

	do {
		last_before = tsc_read();
		ticks = (counter->read(counter->port) - start) & counter->mask;
		last_after = tsc_read();
		if (last_after - before > TSC_PATIENCE)
			return (struct tsc_rate){0, 0};
	} while (ticks < counter->hz / PART_OF_SECOND);
	return (struct tsc_rate){(last_before - after) * counter->hz / (ticks + 1),
		(last_after - before) * counter->hz / (ticks - 1)};
}

struct tsc_rate tsc_rate_by_pm_timer(void)
{
	/* The timer may be 24 bits wide (ACPI 6.5 4.8.3.3). */
	const struct counter counter = {pm_timer_read, pm_timer_port(), 0xffffff, PM_TIMER_HZ};

	return counter.port ? measure(&counter) : (struct tsc_rate){0, 0};
}

struct tsc_rate tsc_rate_by_pit(void)
{
	const struct counter counter = {pit_read, PIT_CHANNEL0, 0xffff, PIT_HZ};

	out8(PIT_COMMAND, PIT_MODE2);
	out8(PIT_CHANNEL0, 0);
	out8(PIT_CHANNEL0, 0);
	return measure(&counter);
}

bool wait_for(const volatile bool *flag)
{
	uint64_t start = tsc_read();

	interrupts_enable();
	while (!*flag && tsc_read() - start < TSC_PATIENCE)
		cpu_relax();
	interrupts_disable();
	return *flag;
}

static volatile unsigned int beats;

static void on_beat(void)
{
	beats++;
}

void heartbeat_start(void)
{
	beats = 0;
	trap_set_handler(VECTOR_APIC_TIMER, on_beat);
	apic_write(APIC_TIMER_DIVIDE, APIC_TIMER_DIVIDE_16);
	apic_write(APIC_LVT_TIMER, APIC_TIMER_PERIODIC | VECTOR_APIC_TIMER);
	apic_write(APIC_TIMER_INITIAL, HEARTBEAT_COUNT);
}

void heartbeat_stop(void)
{
	apic_write(APIC_TIMER_INITIAL, 0);
	apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED);
}

unsigned int heartbeat_count(void)
{
	return beats;
}
