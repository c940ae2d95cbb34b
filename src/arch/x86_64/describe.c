/*
 * What a vCPU was doing when it failed, as text for people.
 */
#include "arch.h"

#include <inttypes.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>

static void add_instruction(
	int vcpu_fd, const struct gmem *gmem, uint64_t linear, struct text *text)
{
	struct kvm_translation translation = {.linear_address = linear};
	uint8_t bytes[16];
	size_t count = 0;

	if (ioctl(vcpu_fd, KVM_TRANSLATE, &translation) == 0 && translation.valid) {
		while (count < sizeof(bytes) &&
			gmem_read(gmem, gpa_at(translation.physical_address + count), &bytes[count],
				1) == 0)
			count++;
	}
	text_addf(text, "  at rip:");
	for (size_t i = 0; i < count; i++)
		text_addf(text, " %02x", bytes[i]);
	text_add(text, count ? "\n" : " (not in guest memory)\n");
}

void arch_vcpu_describe(int vcpu_fd, const struct gmem *gmem, struct text *text)
{
	struct kvm_regs r;
	struct kvm_sregs s;

	if (ioctl(vcpu_fd, KVM_GET_REGS, &r) < 0 || ioctl(vcpu_fd, KVM_GET_SREGS, &s) < 0) {
		text_add(text, "  (KVM does not tell the registers)\n");
		return;
	}
	text_addf(text,
		"  rip %016" PRIx64 " rsp %016" PRIx64 " rfl %016" PRIx64 "\n"
		"  rax %016" PRIx64 " rbx %016" PRIx64 " rcx %016" PRIx64 " rdx %016" PRIx64 "\n"
		"  rsi %016" PRIx64 " rdi %016" PRIx64 " rbp %016" PRIx64 " r8  %016" PRIx64 "\n"
		"  r9  %016" PRIx64 " r10 %016" PRIx64 " r11 %016" PRIx64 " r12 %016" PRIx64 "\n"
		"  r13 %016" PRIx64 " r14 %016" PRIx64 " r15 %016" PRIx64 "\n",
		(uint64_t)r.rip, (uint64_t)r.rsp, (uint64_t)r.rflags, (uint64_t)r.rax,
		(uint64_t)r.rbx, (uint64_t)r.rcx, (uint64_t)r.rdx, (uint64_t)r.rsi, (uint64_t)r.rdi,
		(uint64_t)r.rbp, (uint64_t)r.r8, (uint64_t)r.r9, (uint64_t)r.r10, (uint64_t)r.r11,
		(uint64_t)r.r12, (uint64_t)r.r13, (uint64_t)r.r14, (uint64_t)r.r15);
	text_addf(text,
		"  cr0 %08" PRIx64 " cr2 %016" PRIx64 " cr3 %016" PRIx64 " cr4 %08" PRIx64
		" efer %04" PRIx64 "\n"
		"  cs %04x base %016" PRIx64 " %s, ss %04x, cpl %u\n",
		(uint64_t)s.cr0, (uint64_t)s.cr2, (uint64_t)s.cr3, (uint64_t)s.cr4,
		(uint64_t)s.efer, s.cs.selector, (uint64_t)s.cs.base,
		s.cs.l    ? "64-bit"
		: s.cs.db ? "32-bit"
			  : "16-bit",
		s.ss.selector, s.cs.dpl);
	add_instruction(vcpu_fd, gmem, r.rip + (s.cs.l ? 0 : s.cs.base), text);
}
