/*
 * One round of a vCPU: into the guest, and what its exit asks for.
 */
#pragma once

#include "vcpu.h"

/* On the vCPU's thread. True: go on (look at the group's command first). False: this vCPU cannot go
 * on; *ret_end says how, and vcpu->failure holds the lines for people when KVM failed. */
must_check bool vcpu_exit_run_once(struct vcpu *vcpu, enum vcpu_end *ret_end);
