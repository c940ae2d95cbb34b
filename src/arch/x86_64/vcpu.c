/* See vcpu.h. */
#include "vcpu.h"

#include "arch.h"
#include "boot.h"
#include "layout.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#define MSR_MISC_ENABLE   0x1a0
#define MSR_MTRR_DEF_TYPE 0x2ff
#define MISC_FAST_STRING  1
#define MTRR_ENABLED_WB   (UINT64_C(1) << 11 | 6)

#define CR0_PE   UINT64_C(0x1)
#define CR0_ET   UINT64_C(0x10)
#define CR0_NE   UINT64_C(0x20)
#define CR0_PG   UINT64_C(0x80000000)
#define CR4_PAE  UINT64_C(0x20)
#define EFER_LME UINT64_C(0x100)
#define EFER_LMA UINT64_C(0x400)

#define PAGE_PRESENT_WRITABLE UINT64_C(0x3)
#define PAGE_LARGE            UINT64_C(0x80)

#define MULTIBOOT_LOADED UINT64_C(0x2badb002)

/* Firmware would have left memory write-back; with the MTRRs off Linux takes all of it for
 * uncached. */
static int set_msrs(int vcpu_fd, struct err *err)
{
	static const struct kvm_msr_entry wanted[] = {
		{.index = MSR_MISC_ENABLE, .data = MISC_FAST_STRING},
		{.index = MSR_MTRR_DEF_TYPE, .data = MTRR_ENABLED_WB},
	};

	for (size_t i = 0; i < array_size(wanted); i++) {
		struct {
			struct kvm_msrs header;
			struct kvm_msr_entry entry;
		} msrs = {.header.nmsrs = 1, .entry = wanted[i]};

		/* 0: this KVM does not have the register, so the guest does not either. */
		if (ioctl(vcpu_fd, KVM_SET_MSRS, &msrs) < 0)
			return err_set_errno(err, errno, "KVM refused MSR 0x%x", wanted[i].index);
	}
	return 0;
}

/* LINT0 takes the 8259's interrupts, LINT1 is NMI: what the MADT says and firmware would set up. */
static int set_lapic_pins(int vcpu_fd, struct err *err)
{
	struct kvm_lapic_state lapic;
	const uint32_t external = 0x700, nmi = 0x400;

	if (ioctl(vcpu_fd, KVM_GET_LAPIC, &lapic) < 0)
		return err_set_errno(err, errno, "KVM did not give the local APIC's state");
	memcpy(&lapic.regs[0x350], &external, sizeof(external));
	memcpy(&lapic.regs[0x360], &nmi, sizeof(nmi));
	if (ioctl(vcpu_fd, KVM_SET_LAPIC, &lapic) < 0)
		return err_set_errno(err, errno, "KVM refused the local APIC's state");
	return 0;
}

int arch_vcpu_init(struct arch_vm *arch, int vcpu_fd, unsigned int index, struct err *err)
{
	int r;

	cpuid_set_vcpu(arch->cpuid, index);
	if (ioctl(vcpu_fd, KVM_SET_CPUID2, &arch->cpuid->header) < 0)
		return err_set_errno(err, errno, "KVM refused the CPUID table of vCPU %u", index);
	r = set_msrs(vcpu_fd, err);
	return r < 0 ? r : set_lapic_pins(vcpu_fd, err);
}

/* Four flat descriptors where boot.rst wants them: 0x10 code, 0x18 data. */
static struct kvm_segment flat_segment(bool code, bool long_mode)
{
	return (struct kvm_segment){
		.base = 0,
		.limit = UINT32_MAX,
		.selector = code ? 0x10 : 0x18,
		.type = code ? 0xb : 0x3, /* execute/read or read/write, accessed */
		.present = 1,
		.s = 1,
		.l = code && long_mode,
		.db = !(code && long_mode),
		.g = 1,
	};
}

static int write_gdt(const struct gmem *gmem, bool long_mode)
{
	const uint64_t descriptors[] = {
		0,
		0,
		long_mode ? UINT64_C(0x00af9b000000ffff) : UINT64_C(0x00cf9b000000ffff),
		UINT64_C(0x00cf93000000ffff),
	};

	return gmem_write(gmem, gpa_at(BOOT_GDT_ADDRESS), descriptors, sizeof(descriptors));
}

/* Identity map of the first 4 GiB in 2 MiB pages. */
static int write_page_tables(const struct gmem *gmem)
{
	struct gpa pml4 = gpa_at(PAGE_TABLES_ADDRESS);
	struct gpa pdpt = gpa_add(pml4, 0x1000);
	uint64_t entries[512];
	int r = gmem_store64(gmem, pml4, pdpt.address | PAGE_PRESENT_WRITABLE);

	for (uint64_t gigabyte = 0; r == 0 && gigabyte < 4; gigabyte++) {
		struct gpa directory = gpa_add(pdpt, 0x1000 * (gigabyte + 1));

		for (uint64_t i = 0; i < array_size(entries); i++)
			entries[i] = (gigabyte * array_size(entries) + i) * (2 * MIB) |
			             PAGE_PRESENT_WRITABLE | PAGE_LARGE;
		r = gmem_write(gmem, directory, entries, sizeof(entries));
		if (r == 0)
			r = gmem_store64(gmem, gpa_add(pdpt, 8 * gigabyte),
				directory.address | PAGE_PRESENT_WRITABLE);
	}
	return r;
}

static void set_segments(struct kvm_sregs *sregs, bool long_mode)
{
	sregs->cs = flat_segment(true, long_mode);
	sregs->ds = sregs->es = sregs->fs = sregs->gs = sregs->ss = flat_segment(false, long_mode);
	sregs->tr = (struct kvm_segment){.limit = 0x67, .type = 0xb, .present = 1};
	sregs->ldt = (struct kvm_segment){.limit = 0xffff, .type = 0x2, .present = 1};
	sregs->gdt = (struct kvm_dtable){.base = BOOT_GDT_ADDRESS, .limit = 4 * 8 - 1};
	sregs->idt = (struct kvm_dtable){.base = 0, .limit = 0};
}

int arch_vcpu_set_boot(
	int vcpu_fd, const struct gmem *gmem, const struct arch_boot *boot, struct err *err)
{
	bool long_mode = boot->protocol == BOOT_LINUX64;
	struct kvm_regs regs = {.rip = boot->entry, .rflags = 0x2};
	struct kvm_sregs sregs;
	int r = write_gdt(gmem, long_mode);

	if (r == 0 && long_mode)
		r = write_page_tables(gmem);
	if (r < 0)
		return err_set_errno(err, r, "boot tables do not fit into guest memory");
	if (ioctl(vcpu_fd, KVM_GET_SREGS, &sregs) < 0)
		return err_set_errno(err, errno, "KVM did not give the boot vCPU's registers");
	set_segments(&sregs, long_mode);
	sregs.cr0 = CR0_PE | CR0_ET | CR0_NE;
	sregs.cr4 = 0;
	sregs.efer = 0;
	if (long_mode) {
		sregs.cr0 |= CR0_PG;
		sregs.cr3 = PAGE_TABLES_ADDRESS;
		sregs.cr4 = CR4_PAE;
		sregs.efer = EFER_LME | EFER_LMA;
		regs.rsi = boot->information;
	} else {
		regs.rbx = boot->information;
		regs.rax = boot->protocol == BOOT_MULTIBOOT ? MULTIBOOT_LOADED : 0;
	}
	if (ioctl(vcpu_fd, KVM_SET_SREGS, &sregs) < 0 || ioctl(vcpu_fd, KVM_SET_REGS, &regs) < 0)
		return err_set_errno(err, errno, "KVM refused the boot vCPU's registers");
	return 0;
}

/* A PC sleeps by ACPI, of which Hull's has no such states; KVM has no part in it. */
bool arch_vcpu_system_event(int vcpu_fd, const struct gmem *gmem, uint32_t type)
{
	(void)vcpu_fd;
	(void)gmem;
	(void)type;
	return false;
}
