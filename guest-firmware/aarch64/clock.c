/* See clock.h. */
#include "clock.h"

#include "cpu.h"

/* An emulated host on a busy machine is slow, not wrong. */
#define PATIENCE_SECONDS 30

uint64_t clock_count(void)
{
	__asm__ volatile("isb" : : : "memory");
	return CPU_READ("cntvct_el0");
}

uint64_t clock_hz(void)
{
	return CPU_READ("cntfrq_el0");
}

void clock_timer_start(uint64_t counts)
{
	CPU_WRITE("cntv_cval_el0", clock_count() + counts);
	CPU_WRITE("cntv_ctl_el0", CLOCK_TIMER_ENABLED);
}

void clock_timer_stop(void)
{
	CPU_WRITE("cntv_ctl_el0", CLOCK_TIMER_MASKED);
}

uint32_t clock_timer_control(void)
{
	return (uint32_t)CPU_READ("cntv_ctl_el0");
}

bool clock_has_patience(uint64_t start)
{
	return clock_count() - start < clock_hz() * PATIENCE_SECONDS;
}

bool clock_wait_for(const volatile bool *flag)
{
	const uint64_t start = clock_count();

	cpu_unmask_interrupts();
	while (!*flag && clock_has_patience(start))
		cpu_relax();
	cpu_mask_interrupts();
	return *flag;
}
