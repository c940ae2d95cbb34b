/*
 * See vcpu_exit.h. Exits of all architectures are here: one that an architecture does not have
 * never arrives. KVM API 5 "The kvm_run structure".
 */
#include "vcpu_exit.h"

#include "arch.h"
#include "log.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>

static void trace_unclaimed(const char *bus, bool is_write, uint64_t address, unsigned int size)
{
	if (log_enabled(LOG_LEVEL_DEBUG))
		log_line(LOG_LEVEL_DEBUG, "unclaimed %s %s of %u bytes at 0x%" PRIx64, bus,
			is_write ? "write" : "read", size, address);
}

static void access_bus(
	struct bus *bus, bool is_write, uint64_t address, unsigned int size, void *data)
{
	uint64_t value = 0;
	bool claimed;

	if (is_write) {
		memcpy(&value, data, size); /* both architectures are little-endian */
		claimed = bus_write(bus, address, size, value);
	} else {
		claimed = bus_read(bus, address, size, &value);
		memcpy(data, &value, size);
	}
	if (!claimed)
		trace_unclaimed(bus->name, is_write, address, size);
}

/* String instructions arrive as count elements that all go to one port. */
static void handle_pio(const struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	unsigned int size = run->io.size;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;
	uint64_t room = vcpu->run_bytes - run->io.data_offset;

	for (uint32_t i = 0; i < run->io.count && (uint64_t)(i + 1) * size <= room; i++)
		access_bus(vcpu->group->environment.pio, run->io.direction == KVM_EXIT_IO_OUT,
			run->io.port, size, data + (size_t)i * size);
}

static void handle_mmio(const struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	if (run->mmio.len <= sizeof(run->mmio.data))
		access_bus(vcpu->group->environment.mmio, run->mmio.is_write, run->mmio.phys_addr,
			run->mmio.len, run->mmio.data);
}

/* False: nothing that Hull knows what to do about. */
static bool handle_system_event(const struct vcpu *vcpu)
{
	const struct guest_end_sink *sink = &vcpu->group->environment.guest_end;

	switch (vcpu->run->system_event.type) {
	case KVM_SYSTEM_EVENT_SHUTDOWN:
		guest_end_report(sink, GUEST_END_POWER_OFF, 0);
		return true;
	case KVM_SYSTEM_EVENT_RESET:
		guest_end_report(sink, GUEST_END_RESET, (uint32_t)vcpu->run->system_event.flags);
		return true;
	case KVM_SYSTEM_EVENT_CRASH:
		guest_end_report(sink, GUEST_END_PANIC, 0);
		return true;
	default:
		if (log_enabled(LOG_LEVEL_DEBUG))
			log_line(LOG_LEVEL_DEBUG, "vCPU %u: system event %u", vcpu->index,
				vcpu->run->system_event.type);
		return arch_vcpu_system_event(
			vcpu->fd, vcpu->group->environment.gmem, vcpu->run->system_event.type);
	}
}

static void describe_internal_error(const struct kvm_run *run, struct text *text)
{
	static const char *const suberrors[] = {
		[KVM_INTERNAL_ERROR_EMULATION] = "an instruction that KVM cannot emulate",
		[KVM_INTERNAL_ERROR_SIMUL_EX] = "simultaneous exceptions",
		[KVM_INTERNAL_ERROR_DELIVERY_EV] = "an event that KVM cannot deliver",
		[KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON] = "an exit that KVM did not expect",
	};
	uint32_t suberror = run->internal.suberror;

	text_addf(text, "KVM internal error, suberror %u", suberror);
	if (suberror < array_size(suberrors) && suberrors[suberror])
		text_addf(text, " (%s)", suberrors[suberror]);
	if (suberror == KVM_INTERNAL_ERROR_EMULATION && run->internal.ndata >= 1 &&
		run->emulation_failure.flags &
			KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES &&
		run->emulation_failure.insn_size <= sizeof(run->emulation_failure.insn_bytes)) {
		text_add(text, ", bytes");
		for (unsigned int i = 0; i < run->emulation_failure.insn_size; i++)
			text_addf(text, " %02x", run->emulation_failure.insn_bytes[i]);
	}
}

/* Everything a person needs to tell what went wrong; the first line is the sentence. */
static void describe_failure(struct vcpu *vcpu, int error)
{
	const struct kvm_run *run = vcpu->run;
	struct text *text = &vcpu->failure;

	text_addf(text, "vCPU %u: ", vcpu->index);
	if (error)
		text_addf(text, "KVM_RUN failed: %s", strerrordesc_np(error));
	else if (run->exit_reason == KVM_EXIT_FAIL_ENTRY)
		text_addf(text, "KVM could not enter the guest, hardware reason 0x%" PRIx64,
			(uint64_t)run->fail_entry.hardware_entry_failure_reason);
	else if (run->exit_reason == KVM_EXIT_INTERNAL_ERROR)
		describe_internal_error(run, text);
	else if (run->exit_reason == KVM_EXIT_ARM_NISV)
		text_addf(text,
			"an access to a device, at 0x%" PRIx64
			", by an instruction that KVM cannot emulate",
			(uint64_t)run->arm_nisv.fault_ipa);
	else if (run->exit_reason == KVM_EXIT_SYSTEM_EVENT)
		text_addf(text, "KVM reports a system event of type %u, which Hull does not know",
			run->system_event.type);
	else
		text_addf(text, "KVM left the guest for reason %u, which Hull does not know",
			run->exit_reason);
	text_add(text, "\n");
	arch_vcpu_describe(vcpu->fd, vcpu->group->environment.gmem, text);
}

bool vcpu_exit_run_once(struct vcpu *vcpu, enum vcpu_end *ret_end)
{
	struct kvm_run *run = vcpu->run;

	if (ioctl(vcpu->fd, KVM_RUN, 0) < 0) {
		int error = errno;

		if (error == EINTR || error == EAGAIN)
			return true;
		describe_failure(vcpu, error);
		*ret_end = VCPU_END_KVM_FAILURE;
		return false;
	}
	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		handle_pio(vcpu);
		return true;
	case KVM_EXIT_MMIO:
		handle_mmio(vcpu);
		return true;
	case KVM_EXIT_SYSTEM_EVENT:
		if (handle_system_event(vcpu))
			return true;
		describe_failure(vcpu, 0);
		*ret_end = VCPU_END_KVM_FAILURE;
		return false;
	case KVM_EXIT_INTR:
	case KVM_EXIT_IRQ_WINDOW_OPEN:
	case KVM_EXIT_SET_TPR:
		return true;
	case KVM_EXIT_SHUTDOWN:
		*ret_end = VCPU_END_TRIPLE_FAULT;
		return false;
	default:
		describe_failure(vcpu, 0);
		*ret_end = VCPU_END_KVM_FAILURE;
		return false;
	}
}
