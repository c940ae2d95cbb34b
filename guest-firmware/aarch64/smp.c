/* See smp.h. */
#include "smp.h"

#include "barrier.h"
#include "clock.h"
#include "cpu.h"
#include "gic.h"
#include "psci.h"
#include "trap.h"
#include "tree.h"

#define STACK_BYTES    4096
#define RING_INTERRUPT 1
#define STOP_INTERRUPT 3

static struct {
	uint64_t affinity; /* as the processor itself says */
	struct gic_target target;
	bool has_interrupts;
	volatile bool online;
} cpus[SMP_CPUS_MAX];
static uint8_t stacks[SMP_CPUS_MAX][STACK_BYTES] __attribute__((aligned(16)));
static unsigned int started = 1;
static volatile unsigned int ring_hops;
static volatile bool ring_done;
static volatile uint64_t ring_left_at, ring_behind;

/* In smp_entry.S; the context is the processor's stack. */
extern const uint8_t smp_start_address[];
_Noreturn void smp_main(uint64_t stack);

unsigned int smp_expected(void)
{
	unsigned int count = 0;
	uint32_t length;

	while (count < SMP_CPUS_MAX && tree_property_next("cpu", "reg", count, &length))
		count++;
	return count;
}

uint64_t smp_affinity(unsigned int index)
{
	uint32_t length = 0;
	const uint8_t *reg = tree_property_next("cpu", "reg", index, &length);

	if (!reg || length != 8)
		return UINT64_MAX;
	return (uint64_t)tree_big(reg) << 32 | tree_big(reg + 4);
}

static void note_self(unsigned int index)
{
	cpus[index].affinity = cpu_affinity();
	cpus[index].target = gic_self();
	barrier_order();
	cpus[index].online = true;
}

_Noreturn void smp_main(uint64_t stack)
{
	const unsigned int index = (unsigned int)((stack - (uintptr_t)stacks) / STACK_BYTES) - 1;

	cpus[index].has_interrupts = gic_start_processor();
	note_self(index);
	cpu_unmask_interrupts();
	cpu_stop();
}

static bool start_cpu(unsigned int index)
{
	const uint64_t start = clock_count();

	if (psci_call(PSCI_CPU_ON, smp_affinity(index), smp_entry(),
		    (uintptr_t)stacks[index + 1]) != PSCI_SUCCESS)
		return false;
	while (!cpus[index].online && clock_has_patience(start))
		cpu_relax();
	barrier_order();
	return cpus[index].online;
}

unsigned int smp_start(void)
{
	const unsigned int expected = smp_expected();

	if (!cpus[0].online) {
		cpus[0].has_interrupts = true;
		note_self(0);
	}
	while (started < expected && start_cpu(started))
		started++;
	return started;
}

bool smp_is_sound(unsigned int index)
{
	return cpus[index].affinity == smp_affinity(index) && cpus[index].has_interrupts;
}

uint64_t smp_entry(void)
{
	return (uintptr_t)smp_start_address;
}

static void ring_pass(void)
{
	const uint64_t self = cpu_affinity();
	const uint64_t now = clock_count();
	unsigned int index = 0;

	if (now < ring_left_at && ring_left_at - now > ring_behind)
		ring_behind = ring_left_at - now;
	while (index + 1 < started && cpus[index].affinity != self)
		index++;
	if (index == 0) {
		ring_done = true;
		return;
	}
	ring_hops++;
	ring_left_at = clock_count();
	gic_send(cpus[(index + 1) % started].target, RING_INTERRUPT);
}

unsigned int smp_ring(void)
{
	trap_set_handler(RING_INTERRUPT, ring_pass);
	ring_hops = 1;
	ring_done = false;
	ring_behind = 0;
	ring_left_at = clock_count();
	gic_send(cpus[1 % started].target, RING_INTERRUPT);
	return clock_wait_for(&ring_done) ? ring_hops : 0;
}

uint64_t smp_ring_behind(void)
{
	return ring_behind;
}

static void stop_self(void)
{
	(void)psci_call(PSCI_CPU_OFF, 0, 0, 0);
}

bool smp_stop_others(void)
{
	const uint64_t start = clock_count();

	trap_set_handler(STOP_INTERRUPT, stop_self);
	for (unsigned int i = 1; i < started; i++)
		gic_send(cpus[i].target, STOP_INTERRUPT);
	for (unsigned int i = 1; i < started; i++)
		while (psci_call(PSCI_AFFINITY_INFO, smp_affinity(i), 0, 0) != PSCI_AFFINITY_OFF)
			if (!clock_has_patience(start))
				return false;
	return true;
}
