/* See clocks.h. */
#include "clocks.h"

#include "acpi.h"
#include "cpu.h"

#define PIT_CHANNEL0 0x40
#define PIT_COMMAND  0x43
#define PIT_MODE2    0x34 /* channel 0, both bytes, rate generator */
#define PIT_LATCH0   0x00

#define PART_OF_SECOND 200 /* measure for 5 ms */

static uint32_t pm_timer_read(uint16_t port)
{
	/* The timer may be 24 bits wide (ACPI 6.5 4.8.3.3); no measurement here takes longer. */
	return in32(port) & 0xffffff;
}

uint16_t pm_timer_port(void)
{
	struct acpi_fadt fadt;

	if (!acpi_read_fadt(&fadt) || fadt.pm_timer.space != ACPI_SPACE_IO)
		return 0;
	return (uint16_t)fadt.pm_timer.address;
}

uint64_t tsc_hz_by_pm_timer(void)
{
	uint16_t port = pm_timer_port();
	uint32_t start, ticks;
	uint64_t tsc_start, tsc_now;

	if (!port)
		return 0;
	start = pm_timer_read(port);
	tsc_start = tsc_read();
	do {
		ticks = (pm_timer_read(port) - start) & 0xffffff;
		tsc_now = tsc_read();
		if (tsc_now - tsc_start > TSC_PATIENCE)
			return 0;
	} while (ticks < PM_TIMER_HZ / PART_OF_SECOND);
	return (tsc_now - tsc_start) * PM_TIMER_HZ / ticks;
}

static uint16_t pit_read(void)
{
	uint8_t low;

	out8(PIT_COMMAND, PIT_LATCH0);
	low = in8(PIT_CHANNEL0);
	return (uint16_t)(in8(PIT_CHANNEL0) << 8 | low);
}

uint64_t tsc_hz_by_pit(void)
{
	uint16_t start, ticks;
	uint64_t tsc_start, tsc_now;

	out8(PIT_COMMAND, PIT_MODE2);
	out8(PIT_CHANNEL0, 0);
	out8(PIT_CHANNEL0, 0);
	start = pit_read();
	tsc_start = tsc_read();
	do {
		ticks = (uint16_t)(start - pit_read());
		tsc_now = tsc_read();
		if (tsc_now - tsc_start > TSC_PATIENCE)
			return 0;
	} while (ticks < PIT_HZ / PART_OF_SECOND);
	return (tsc_now - tsc_start) * PIT_HZ / ticks;
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
