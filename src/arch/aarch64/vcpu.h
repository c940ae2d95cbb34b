/*
 * A vCPU's features, start-up state and registers. KVM API 4.82 "KVM_ARM_VCPU_INIT", 4.68
 * "KVM_SET_ONE_REG"; Linux Documentation/arm64/booting.rst "Call the kernel image".
 */
#pragma once

#include "err.h"
#include "gic.h"

#include <stdint.h>

struct arch_vcpu {
	int fd; /* borrowed */
	uint64_t mpidr;
};

struct arch_vm {
	int vm_fd; /* borrowed */
	unsigned int cpu_count;
	uint32_t features;       /* a bit for each KVM_ARM_VCPU_* */
	struct gic gic;          /* owned */
	struct arch_vcpu *vcpus; /* owned */
	void *stolen_times;      /* owned; NULL: none */
};

/* What --cpu says of the features that KVM offers, with kvm_fd -1 of none: then only the words are
 * checked. */
must_check int vcpu_features(
	int kvm_fd, const char *words, uint32_t *ret_features, struct err *err);

/* What of a vCPU has to wait for the interrupt controller. */
must_check int vcpu_finish(const struct arch_vm *arch, struct err *err);

/* ID_AA64MMFR0_EL1 as guests see it; all sizes of pages where KVM does not tell. */
uint64_t vcpu_memory_model(const struct arch_vm *arch);

/* CLIDR_EL1; 0: KVM does not tell. */
uint64_t vcpu_cache_levels(const struct arch_vm *arch);
