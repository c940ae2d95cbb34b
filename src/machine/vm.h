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

/* type: arch_vm_type's. */
must_check int vm_create(int kvm_fd, unsigned long type, struct vm *vm, struct err *err);
void vm_destroy(struct vm *vm);

/* One memory slot per region; gmem must outlive the VM. */
must_check int vm_map_memory(const struct vm *vm, const struct gmem *gmem, struct err *err);

/* The line of a GSI. vm must outlive it. */
struct irq vm_connect_irq(struct vm *vm, unsigned int gsi);

/* A guest write that KVM turns into an eventfd without leaving the kernel (KVM API 4.59). */
struct vm_doorbell {
	uint64_t address;
	unsigned int size; /* 0: a write of any size */
	bool pio;
	bool match; /* only writes of value */
	uint32_t value;
};

/* Any thread. -errno of KVM's; disconnecting what is not there does nothing. */
must_check int vm_connect_doorbell(const struct vm *vm, const struct vm_doorbell *doorbell, int fd);
void vm_disconnect_doorbell(const struct vm *vm, const struct vm_doorbell *doorbell, int fd);
