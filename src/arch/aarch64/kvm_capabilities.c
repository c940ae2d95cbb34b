/* See kvm_capabilities.h. Numbers and meanings: KVM API 4 and 6. */
#include "kvm_capabilities.h"

#include <linux/kvm.h>

const struct kvm_capability *arch_kvm_capabilities(size_t *ret_count)
{
	static const struct kvm_capability capabilities[] = {
		NEEDED(USER_MEMORY, "guest RAM in Hull's memory"),
		NEEDED(IRQCHIP, "interrupt controllers in the kernel"),
		NEEDED(DEVICE_CTRL, "setting up the interrupt controller"),
		NEEDED(ONE_REG, "setting registers"),
		NEEDED(ARM_PSCI_0_2, "power off, reset and more than one vCPU"),
		NEEDED(IMMEDIATE_EXIT, "stopping a vCPU without a race"),
		WANTED(IRQ_ROUTING, "interrupts of devices"),
		WANTED(IRQFD, "interrupts from other threads"),
		WANTED(IOEVENTFD, "notifications to other threads"),
		WANTED(SIGNAL_MSI, "message signalled interrupts"),
		WANTED(STEAL_TIME, "guests that know when they had to wait"),
		WANTED(ARM_VM_IPA_SIZE, "more than a terabyte of RAM"),
	};

	*ret_count = array_size(capabilities);
	return capabilities;
}
