/*
 * What this architecture asks of KVM: the capabilities Hull cannot do without, and those it uses
 * where it finds them.
 */
#pragma once

#include "kvm.h"

/* The list; *ret_count gets its length. */
const struct kvm_capability *arch_kvm_capabilities(size_t *ret_count);
