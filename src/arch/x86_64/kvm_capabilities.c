/* See kvm_capabilities.h. Numbers and meanings: KVM API 4 and 6. */
#include "kvm_capabilities.h"

#include <linux/kvm.h>

#define NEEDED(capability, purpose)                              \
	{                                                        \
		KVM_CAP_##capability, #capability, true, purpose \
	}
#define WANTED(capability, purpose)                               \
	{                                                         \
		KVM_CAP_##capability, #capability, false, purpose \
	}

const struct kvm_capability *arch_kvm_capabilities(size_t *ret_count)
{
	static const struct kvm_capability capabilities[] = {
		NEEDED(USER_MEMORY, "guest RAM in Hull's memory"),
		NEEDED(NR_MEMSLOTS, "more than one piece of RAM"),
		NEEDED(IRQCHIP, "interrupt controllers in the kernel"),
		NEEDED(IRQ_ROUTING, "interrupts of devices"),
		NEEDED(IRQFD, "interrupts from other threads"),
		NEEDED(IOEVENTFD, "notifications to other threads"),
		NEEDED(SIGNAL_MSI, "message signalled interrupts"),
		NEEDED(SET_TSS_ADDR, "real mode on Intel processors"),
		NEEDED(SET_IDENTITY_MAP_ADDR, "real mode on Intel processors"),
		NEEDED(EXT_CPUID, "choosing the guest's processor features"),
		NEEDED(MP_STATE, "more than one vCPU"),
		NEEDED(VCPU_EVENTS, "resetting a vCPU"),
		NEEDED(XSAVE, "resetting a vCPU"),
		NEEDED(IMMEDIATE_EXIT, "stopping a vCPU without a race"),
		WANTED(TSC_DEADLINE_TIMER, "precise guest timers"),
		WANTED(GET_TSC_KHZ, "telling the guest its clock rate"),
		WANTED(ADJUST_CLOCK, "keeping the guest's clock over a pause"),
		WANTED(KVMCLOCK_CTRL, "no false lockup warnings after a pause"),
		WANTED(PIT2, "the legacy timer"),
		WANTED(SPLIT_IRQCHIP, "a smaller interrupt controller in the kernel"),
		WANTED(X2APIC_API, "more than 255 vCPUs"),
		WANTED(X86_DISABLE_EXITS, "idle guests that do not leave the processor"),
		WANTED(HALT_POLL, "tuning the wake-up of idle guests"),
		WANTED(READONLY_MEM, "read-only guest memory"),
		WANTED(IOEVENTFD_ANY_LENGTH, "cheaper notifications"),
		WANTED(MANUAL_DIRTY_LOG_PROTECT2, "snapshots of running guests"),
		WANTED(X86_MSR_FILTER, "refusing model specific registers"),
	};

	*ret_count = array_size(capabilities);
	return capabilities;
}
