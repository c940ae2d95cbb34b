/*
 * Start-up state of a vCPU: MSRs, the local APIC's pins, and the registers each boot protocol asks
 * for. Linux: Documentation/arch/x86/boot.rst "64-bit Boot Protocol"; PVH: the Xen start-of-day
 * ABI; multiboot 0.6.96 section 3.2.
 */
#pragma once

#include "cpuid_table.h"
#include "err.h"

struct arch_vm {
	int kvm_fd; /* borrowed */
	int vm_fd;  /* borrowed */
	unsigned int cpu_count;
	struct cpuid_table
		*cpuid; /* owned; the same for all vCPUs but for what cpuid_set_vcpu sets */
};
