/*
 * The KVM side of a VM: its fd, the memory slots, and the interrupt lines of the in-kernel irqchip.
 *
 * Created and destroyed by the main thread; vm_connect_irq's lines may be raised from any thread.
 */
#pragma once

#include "err.h"
#include "gmem.h"
#include "irq.h"

struct vm {
	int kvm_fd; /* borrowed */
	int fd;     /* owned, -1 when empty */
};

must_check int vm_create(int kvm_fd, struct vm *vm, struct err *err);
void vm_destroy(struct vm *vm);

/* One memory slot per region; gmem must outlive the VM. */
must_check int vm_map_memory(const struct vm *vm, const struct gmem *gmem, struct err *err);

/* The line of a GSI. vm must outlive it. */
struct irq vm_connect_irq(struct vm *vm, unsigned int gsi);
