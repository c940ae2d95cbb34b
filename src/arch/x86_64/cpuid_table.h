/*
 * The CPUID tables that vCPUs are given: what KVM supports, made consistent with this machine.
 *
 * Intel SDM 2A "CPUID", AMD APM 3 appendix E, Documentation/virt/kvm/x86/cpuid.rst.
 */
#pragma once

#include "err.h"

#include <linux/kvm.h>
#include <stddef.h>
#include <stdint.h>

#define CPUID_ENTRIES_MAX 256

/* Room for the flexible array of kvm_cpuid2, kept in one block. */
struct cpuid_table {
	struct kvm_cpuid2 header;
	struct kvm_cpuid_entry2 entries[CPUID_ENTRIES_MAX];
};

/* Fills the table with what KVM supports, once per VM. */
must_check int cpuid_get_supported(int kvm_fd, struct cpuid_table *table, struct err *err);

/* Parses "-name,+name"; applies it when table is not NULL. -EINVAL names the bad word; adding a
 * feature that KVM does not support is -ENOTSUP. */
must_check int cpuid_apply_features(
	struct cpuid_table *table, const char *features, struct err *err);

/* Changes that are the same for all vCPUs of the VM. */
void cpuid_set_common(struct cpuid_table *table, unsigned int cpu_count);

/* APIC id and topology of one vCPU; ids are indices, one thread per core, one package. */
void cpuid_set_vcpu(struct cpuid_table *table, unsigned int index);
