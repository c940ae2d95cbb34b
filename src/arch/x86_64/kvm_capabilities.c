/* See kvm_capabilities.h. Numbers and meanings: KVM API 4 and 6. */
#include "kvm_capabilities.h"

#include <linux/kvm.h>

const struct kvm_capability *arch_kvm_capabilities(size_t *ret_count)
{
	static const struct kvm_capability capabilities[] = {
		NEEDED(USER_MEMORY, "guest RAM in Hull's memory"),
		WANTED(NR_MEMSLOTS, "more than one piece of RAM"),
		NEEDED(IRQCHIP, "interrupt controllers in the kernel"),
		NEEDED(PIT2, "the legacy timer in the kernel"),
		WANTED(IRQ_ROUTING, "interrupts of devices"),
		WANTED(IRQFD, "interrupts from other threads"),
		WANTED(IOEVENTFD, "notifications to other threads"),
		WANTED(SIGNAL_MSI, "message signalled interrupts"),
		NEEDED(SET_TSS_ADDR, "real mode on Intel processors"),
		WANTED(SET_IDENTITY_MAP_ADDR, "real mode on Intel processors"),
		NEEDED(EXT_CPUID, "choosing the guest's processor features"),
		NEEDED(MP_STATE, "more than one vCPU"),
		NEEDED(IMMEDIATE_EXIT, "stopping a vCPU without a race"),
		WANTED(TSC_DEADLINE_TIMER, "precise guest timers"),
		WANTED(X2APIC_API, "more than 255 vCPUs"),
	};

	*ret_count = array_size(capabilities);
	return capabilities;
}
