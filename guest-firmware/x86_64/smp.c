/* See smp.h. SDM 3A "MP Initialization". */
#include "smp.h"

#include "acpi.h"
#include "apic.h"
#include "clocks.h"
#include "cpu.h"
#include "image.h"
#include "memory.h"
#include "paging.h"
#include "trap.h"

#include <stddef.h>

#define STACK_BYTES    UINT64_C(4096)
#define CPUID_TOPOLOGY 0xb

/* Between two start-up IPIs: enough for a processor that was only slow. */
#define SECOND_START_CYCLES UINT64_C(60000000)

static struct acpi_madt madt;
static struct smp_cpu cpus[ACPI_CPUS_MAX];
static unsigned int started;
static volatile unsigned int starting;
static volatile unsigned int ring_hops;
static volatile bool ring_done;

/* Read by the trampoline. */
uint64_t smp_next_stack;
_Noreturn void smp_main(void);

uint32_t smp_cpuid_id(void)
{
	if (cpuid_read(0, 0).eax >= CPUID_TOPOLOGY && cpuid_read(CPUID_TOPOLOGY, 0).ebx)
		return cpuid_read(CPUID_TOPOLOGY, 0).edx;
	return cpuid_read(1, 0).ebx >> 24;
}

_Noreturn void smp_main(void)
{
	struct smp_cpu *cpu = &cpus[starting];

	cpu->tsc_own = tsc_read();
	trap_load();
	apic_enable();
	cpu->apic_id = apic_id();
	cpu->cpuid_id = smp_cpuid_id();
	cpu->online = true;
	for (;;)
		interrupt_wait();
}

/* The image's end is followed by RAM: each processor's stack lies there. */
static bool start_cpu(unsigned int index)
{
	struct smp_cpu *cpu = &cpus[index];
	uint64_t stack = (uintptr_t)image_end + index * STACK_BYTES;
	uint64_t start = tsc_read();

	if (!paging_map(stack, STACK_BYTES))
		return false;
	smp_next_stack = stack + STACK_BYTES;
	starting = index;
	cpu->madt_id = madt.cpu_ids[index];
	cpu->tsc_before = start;
	apic_send(cpu->madt_id, APIC_COMMAND_INIT);
	apic_send(cpu->madt_id, APIC_COMMAND_START | TRAMPOLINE_ADDRESS >> 12);
	while (!cpu->online && tsc_read() - start < SECOND_START_CYCLES)
		cpu_relax();
	if (!cpu->online)
		apic_send(cpu->madt_id, APIC_COMMAND_START | TRAMPOLINE_ADDRESS >> 12);
	while (!cpu->online && tsc_read() - start < TSC_PATIENCE)
		cpu_relax();
	cpu->tsc_after = tsc_read();
	return cpu->online;
}

/* The calling processor's entry comes first, wherever the MADT has it. */
static void put_self_first(void)
{
	for (unsigned int i = 0; i < madt.cpu_count; i++) {
		if (madt.cpu_ids[i] != apic_id())
			continue;
		madt.cpu_ids[i] = madt.cpu_ids[0];
		madt.cpu_ids[0] = apic_id();
	}
	cpus[0].madt_id = madt.cpu_ids[0];
	cpus[0].apic_id = apic_id();
	cpus[0].cpuid_id = smp_cpuid_id();
	cpus[0].online = true;
}

unsigned int smp_start(void)
{
	if (started || !acpi_read_madt(&madt) || !madt.cpu_count)
		return started;
	put_self_first();
	memcpy(physical(TRAMPOLINE_ADDRESS), trampoline, (size_t)(trampoline_end - trampoline));
	started = 1;
	while (started < madt.cpu_count && start_cpu(started))
		started++;
	return started;
}

unsigned int smp_expected(void)
{
	return madt.cpu_count;
}

const struct smp_cpu *smp_cpu(unsigned int index)
{
	return &cpus[index];
}

static unsigned int own_index(void)
{
	uint32_t id = apic_id();
	unsigned int i = 0;

	while (i < started && cpus[i].apic_id != id)
		i++;
	return i;
}

static void ring_pass(void)
{
	unsigned int self = own_index();

	if (self == 0) {
		ring_done = true;
		return;
	}
	ring_hops++;
	apic_send(cpus[(self + 1) % started].apic_id, APIC_COMMAND_FIXED | VECTOR_IPI);
}

unsigned int smp_ring(void)
{
	trap_set_handler(VECTOR_IPI, ring_pass);
	ring_hops = 1;
	ring_done = false;
	apic_send(cpus[1 % started].apic_id, APIC_COMMAND_FIXED | VECTOR_IPI);
	return wait_for(&ring_done) ? ring_hops : 0;
}
