/*
 * How long each vCPU could have run and was not let: KVM counts it in a record that the guest
 * reads. Arm DEN 0057; Linux Documentation/virt/kvm/arm/pvtime.rst and devices/vcpu.rst, 3.1.
 *
 * The records are memory of their own and not of the guest's RAM: nothing but KVM and the guest
 * knows of them, and no device reaches them. A guest asks KVM where its record is.
 */
#pragma once

#include "err.h"

struct arch_vm;

/* Once for a VM, when all vCPUs are there. Where KVM does not count, there is nothing to be done.
 */
must_check int stolen_time_create(struct arch_vm *arch, struct err *err);
void stolen_time_destroy(struct arch_vm *arch);
