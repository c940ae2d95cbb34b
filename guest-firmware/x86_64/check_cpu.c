/* See checks.h. */
#include "checks.h"

#include "apic.h"
#include "cpu.h"
#include "memory.h"
#include "smp.h"
#include "trap.h"
#include "words.h"

#define CPUID_HYPERVISOR         0x40000000
#define CPUID_HYPERVISOR_PRESENT (1u << 31)
#define MSR_ABSENT               0x0badc0de

/* Far above any RAM that these guests get, never mapped. */
#define ADDRESS_UNMAPPED UINT64_C(0x00007ffffffff000)

void check_hypervisor(struct report *report)
{
	struct cpuid leaf = cpuid_read(CPUID_HYPERVISOR, 0);
	char signature[13] = "";

	memcpy(signature, &leaf.ebx, 4);
	memcpy(signature + 4, &leaf.ecx, 4);
	memcpy(signature + 8, &leaf.edx, 4);
	report_expect(report, cpuid_read(1, 0).ecx & CPUID_HYPERVISOR_PRESENT,
		"leaf 1 does not tell of a hypervisor");
	report_expect(report, string_equal(signature, "KVMKVMKVM"), "signature '%s'", signature);
	report_expect(report, leaf.eax > CPUID_HYPERVISOR, "highest leaf 0x%x", leaf.eax);
	report_note(report, "features 0x%x", cpuid_read(CPUID_HYPERVISOR + 1, 0).eax);
}

void check_apic_id(struct report *report)
{
	uint32_t id = apic_id();
	uint32_t legacy = cpuid_read(1, 0).ebx >> 24;

	report_expect(
		report, legacy == (id & 0xff), "CPUID leaf 1 says %u, the APIC %u", legacy, id);
	report_expect(report, smp_cpuid_id() == id, "CPUID leaf 0xb says %u, the APIC %u",
		smp_cpuid_id(), id);
	report_note(report, "id %u, %s mode, version 0x%x", id,
		apic_is_x2apic() ? "x2APIC" : "xAPIC", apic_read(APIC_VERSION));
}

/* Each instruction below is two bytes long. */
void check_exceptions(struct report *report)
{
	struct trap_caught caught;

	trap_watch(VECTOR_INVALID, 2);
	__asm__ volatile("ud2" : : : "memory");
	report_expect(report, trap_unwatch().taken, "no #UD from ud2");

	trap_watch(VECTOR_DIVIDE, 2);
	__asm__ volatile("divl %%ecx" : : "a"(1), "d"(0), "c"(0) : "memory", "cc");
	report_expect(report, trap_unwatch().taken, "no #DE from a division by 0");

	trap_watch(VECTOR_PAGE, 2);
	__asm__ volatile("movb (%%rcx), %%al" : : "c"(ADDRESS_UNMAPPED) : "rax", "memory");
	caught = trap_unwatch();
	report_expect(report, caught.taken, "no #PF from an unmapped address");
	report_expect(report, !caught.taken || caught.fault_address == ADDRESS_UNMAPPED,
		"#PF with CR2 0x%lx", caught.fault_address);
	report_expect(
		report, !caught.taken || caught.error == 0, "#PF with error 0x%lx", caught.error);

	trap_watch(VECTOR_PROTECTION, 2);
	__asm__ volatile("rdmsr" : : "c"(MSR_ABSENT) : "rax", "rdx", "memory");
	report_expect(report, trap_unwatch().taken, "no #GP from an MSR that is not there");
}

void check_smp(struct report *report)
{
	unsigned int online = smp_start();

	report_expect(report, online > 0, "no processor in the MADT");
	report_expect(report, online == smp_expected(), "%u of %u came up", online, smp_expected());
	for (unsigned int i = 0; i < online; i++) {
		const struct smp_cpu *cpu = smp_cpu(i);

		report_expect(report, cpu->apic_id == cpu->madt_id && cpu->cpuid_id == cpu->madt_id,
			"id %u in the MADT, %u in the APIC, %u in CPUID", cpu->madt_id,
			cpu->apic_id, cpu->cpuid_id);
	}
	report_fact("online", "%u", online);
}

void check_ipi(struct report *report)
{
	unsigned int online = smp_start();
	unsigned int hops;

	if (!report_expect(report, online > 0, "no processor in the MADT"))
		return;
	hops = smp_ring();
	report_expect(report, hops == online, "%u of %u processors passed it on", hops, online);
	report_note(report, "%u hops", hops);
}

/* What one processor saw before another's start must not lie after what that one saw. */
void check_tsc_order(struct report *report)
{
	unsigned int online = smp_start();

	for (unsigned int i = 1; i < online; i++) {
		const struct smp_cpu *cpu = smp_cpu(i);

		report_expect(report,
			cpu->tsc_before <= cpu->tsc_own && cpu->tsc_own <= cpu->tsc_after,
			"processor %u: 0x%lx is not between 0x%lx and 0x%lx", i, cpu->tsc_own,
			cpu->tsc_before, cpu->tsc_after);
	}
	report_note(report, "%u processors", online);
}
