/*
 * The door to KVM: opens it, says what kind of KVM it is, checks what it can do.
 *
 * Any thread; nothing is kept. Every refusal says what to do about it. KVM API 4.1 to 4.4.
 */
#pragma once

#include "compiler.h"
#include "err.h"

#include <stdbool.h>
#include <stddef.h>

/* /dev/kvm, open read-write and of the one API version there is: the descriptor, or -errno. */
must_check int kvm_open(struct err *err);
must_check int kvm_open_path(const char *path, struct err *err);

/* Something KVM_CHECK_EXTENSION can be asked about. The lists are the architecture's. */
struct kvm_capability {
	int number;          /* KVM_CAP_... */
	const char *name;    /* without KVM_CAP_ */
	bool required;       /* no VM without it */
	const char *purpose; /* what it is for */
};

must_check bool kvm_has_capability(int kvm_fd, const struct kvm_capability *capability);

/* -ENOTSUP, naming all that are required and missing. */
must_check int kvm_check_required(
	int kvm_fd, const struct kvm_capability *capabilities, size_t count, struct err *err);

/* Really creates a VM (of the architecture's type) with a vCPU, and destroys both: a processor that
 * is held by another hypervisor, or used up resources, show nowhere else. */
must_check int kvm_try(int kvm_fd, unsigned long vm_type, struct err *err);

enum kvm_kind {
	KVM_KIND_UNKNOWN,
	KVM_KIND_VMX,
	KVM_KIND_SVM,
	KVM_KIND_ARM,
	KVM_KIND_SOFTWARE, /* no help from the processor: guest kernels are interpreted */
};

/* What tells the kinds apart, gathered from /proc/cpuinfo and /sys/module. */
struct kvm_evidence {
	bool module_intel, module_amd, module_pvm;
	bool x86, arm; /* what /proc/cpuinfo looks like; neither when it cannot be read */
	bool flag_vmx, flag_svm;
	bool flag_hypervisor; /* this host is itself a guest */
};

/* Reads files and may take milliseconds on a large host: for reports, not for start-up. */
struct kvm_evidence kvm_gather_evidence(void);

/* The flags of the first processor in the text of /proc/cpuinfo, added to the evidence. */
void kvm_read_cpuinfo(const char *cpuinfo, struct kvm_evidence *evidence);

enum kvm_kind kvm_kind_of(const struct kvm_evidence *evidence);
const char *kvm_kind_name(enum kvm_kind kind);
