/*
 * What this architecture asks of KVM: the capabilities Hull cannot do without, and those it uses
 * where it finds them.
 */
#pragma once

#include "kvm.h"

/* The list; *ret_count gets its length. */
const struct kvm_capability *arch_kvm_capabilities(size_t *ret_count);

/* Entries of that list, for files that include <linux/kvm.h>. */
#define NEEDED(capability, purpose)                              \
	{                                                        \
		KVM_CAP_##capability, #capability, true, purpose \
	}
#define WANTED(capability, purpose)                               \
	{                                                         \
		KVM_CAP_##capability, #capability, false, purpose \
	}
