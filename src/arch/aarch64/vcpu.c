/* See vcpu.h. */
#include "vcpu.h"

#include "arch.h"
#include "layout.h"

#include <asm/ptrace.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <linux/psci.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>

#define CORE_REGISTER(name)                                              \
	(KVM_REG_ARM64 | KVM_REG_SIZE_U64 | (uint64_t)KVM_REG_ARM_CORE | \
		(uint64_t)KVM_REG_ARM_CORE_REG(name))
#define REGISTER_MPIDR ARM64_SYS_REG(3, 0, 0, 0, 5)
#define REGISTER_MMFR0 ARM64_SYS_REG(3, 0, 0, 7, 0)
#define REGISTER_CLIDR ARM64_SYS_REG(3, 1, 0, 0, 1)
#define REGISTER_ESR   ARM64_SYS_REG(3, 0, 5, 2, 0)
#define REGISTER_FAR   ARM64_SYS_REG(3, 0, 6, 0, 0)

#define REGISTER_SCTLR ARM64_SYS_REG(3, 0, 1, 0, 0)

#define MMFR0_ALL_PAGES (UINT64_C(1) << 20) /* TGran16; the others are there if they are 0 */

#define GENERAL_REGISTERS 31
#define INSTRUCTION_BYTES 4

#define PSCI_INVALID_ADDRESS ((uint64_t)PSCI_RET_INVALID_ADDRESS)

#define PSTATE_AT_START (PSR_MODE_EL1h | PSR_D_BIT | PSR_A_BIT | PSR_I_BIT | PSR_F_BIT)
#define SCTLR_AT_START  UINT64_C(0x30d00800) /* no MMU, no caches: the bits that are one */

/* What --cpu can name. */
static const struct feature {
	const char *name;
	unsigned int bits; /* all at once */
	int capabilities[2];
	bool off_by_default;
} features[] = {
	{"sve", 1u << KVM_ARM_VCPU_SVE, {KVM_CAP_ARM_SVE}, false},
	{"pauth", 1u << KVM_ARM_VCPU_PTRAUTH_ADDRESS | 1u << KVM_ARM_VCPU_PTRAUTH_GENERIC,
		{KVM_CAP_ARM_PTRAUTH_ADDRESS, KVM_CAP_ARM_PTRAUTH_GENERIC}, false},
	{"pmu", 1u << KVM_ARM_VCPU_PMU_V3, {KVM_CAP_ARM_PMU_V3}, true},
};

static bool is_offered(int kvm_fd, const struct feature *feature)
{
	for (size_t i = 0; i < array_size(feature->capabilities); i++)
		if (feature->capabilities[i] &&
			ioctl(kvm_fd, KVM_CHECK_EXTENSION, (long)feature->capabilities[i]) <= 0)
			return false;
	return true;
}

static const struct feature *find_feature(const char *name, size_t length)
{
	for (size_t i = 0; i < array_size(features); i++)
		if (strlen(features[i].name) == length &&
			memcmp(features[i].name, name, length) == 0)
			return &features[i];
	return NULL;
}

/* One word, "+name" or "-name". */
static int apply_word(int kvm_fd, const char *word, size_t length, uint32_t *bits, struct err *err)
{
	const struct feature *feature;

	if (length < 2 || (*word != '+' && *word != '-'))
		return err_set(err, EINVAL, "--cpu '%.*s': say -NAME or +NAME", (int)length, word);
	feature = find_feature(word + 1, length - 1);
	if (!feature)
		return err_set(err, EINVAL,
			"--cpu: there is no feature '%.*s'; there are sve, pauth and pmu",
			(int)length - 1, word + 1);
	if (*word == '-') {
		*bits &= ~feature->bits;
		return 0;
	}
	if (kvm_fd >= 0 && !is_offered(kvm_fd, feature))
		return err_set(
			err, ENOTSUP, "--cpu: this host's KVM does not offer '%s'", feature->name);
	*bits |= feature->bits;
	return 0;
}

int vcpu_features(int kvm_fd, const char *words, uint32_t *ret_features, struct err *err)
{
	uint32_t bits = 1u << KVM_ARM_VCPU_PSCI_0_2;

	for (size_t i = 0; kvm_fd >= 0 && i < array_size(features); i++)
		if (!features[i].off_by_default && is_offered(kvm_fd, &features[i]))
			bits |= features[i].bits;
	while (words && *words) {
		size_t length = strcspn(words, ",");
		int r = apply_word(kvm_fd, words, length, &bits, err);

		if (r < 0)
			return r;
		words += length;
		words += *words == ',';
	}
	*ret_features = bits;
	return 0;
}

static int get_register(int vcpu_fd, uint64_t id, uint64_t *value)
{
	const struct kvm_one_reg reg = {.id = id, .addr = (uint64_t)(uintptr_t)value};

	return ioctl(vcpu_fd, KVM_GET_ONE_REG, &reg) < 0 ? -errno : 0;
}

static int set_register(int vcpu_fd, uint64_t id, uint64_t value)
{
	const struct kvm_one_reg reg = {.id = id, .addr = (uint64_t)(uintptr_t)&value};

	return ioctl(vcpu_fd, KVM_SET_ONE_REG, &reg) < 0 ? -errno : 0;
}

int arch_vcpu_init(struct arch_vm *arch, int vcpu_fd, unsigned int index, struct err *err)
{
	struct kvm_vcpu_init init;
	int sve = KVM_ARM_VCPU_SVE;
	int r;

	if (ioctl(arch->vm_fd, KVM_ARM_PREFERRED_TARGET, &init) < 0)
		return err_set_errno(err, errno, "KVM does not tell what processor to show");
	init.features[0] = arch->features | (index ? 1u << KVM_ARM_VCPU_POWER_OFF : 0);
	if (ioctl(vcpu_fd, KVM_ARM_VCPU_INIT, &init) < 0)
		return err_set_errno(err, errno, "KVM refused the features of vCPU %u", index);
	if (arch->features & 1u << KVM_ARM_VCPU_SVE &&
		ioctl(vcpu_fd, KVM_ARM_VCPU_FINALIZE, &sve) < 0)
		return err_set_errno(err, errno, "KVM refused SVE for vCPU %u", index);
	arch->vcpus[index].fd = vcpu_fd;
	r = get_register(vcpu_fd, REGISTER_MPIDR, &arch->vcpus[index].mpidr);
	return r < 0 ? err_set_errno(err, r, "KVM does not tell the address of vCPU %u", index) : 0;
}

static int start_pmu(int vcpu_fd)
{
	int interrupt = PPI_FIRST + PPI_PMU;
	struct kvm_device_attr attr = {
		.group = KVM_ARM_VCPU_PMU_V3_CTRL,
		.attr = KVM_ARM_VCPU_PMU_V3_IRQ,
		.addr = (uint64_t)(uintptr_t)&interrupt,
	};

	if (ioctl(vcpu_fd, KVM_SET_DEVICE_ATTR, &attr) < 0)
		return -errno;
	attr.attr = KVM_ARM_VCPU_PMU_V3_INIT;
	attr.addr = 0;
	return ioctl(vcpu_fd, KVM_SET_DEVICE_ATTR, &attr) < 0 ? -errno : 0;
}

int vcpu_finish(const struct arch_vm *arch, struct err *err)
{
	if (!(arch->features & 1u << KVM_ARM_VCPU_PMU_V3))
		return 0;
	for (unsigned int i = 0; i < arch->cpu_count; i++) {
		int r = start_pmu(arch->vcpus[i].fd);

		if (r < 0)
			return err_set_errno(
				err, r, "KVM refused performance counters for vCPU %u", i);
	}
	return 0;
}

/* What all vCPUs have in common. */
static uint64_t common_register(const struct arch_vm *arch, uint64_t id, uint64_t otherwise)
{
	uint64_t value;

	return get_register(arch->vcpus[0].fd, id, &value) < 0 ? otherwise : value;
}

uint64_t vcpu_memory_model(const struct arch_vm *arch)
{
	return common_register(arch, REGISTER_MMFR0, MMFR0_ALL_PAGES);
}

uint64_t vcpu_cache_levels(const struct arch_vm *arch)
{
	return common_register(arch, REGISTER_CLIDR, 0);
}

/* booting.rst: x0 the device tree, x1 to x3 zero, as they are; EL1 with interrupts masked, as KVM
 * has it. */
int arch_vcpu_set_boot(
	int vcpu_fd, const struct gmem *gmem, const struct arch_boot *boot, struct err *err)
{
	int r = set_register(vcpu_fd, CORE_REGISTER(regs.pc), boot->entry);

	(void)gmem;
	if (r == 0)
		r = set_register(vcpu_fd, CORE_REGISTER(regs.regs[0]), boot->information);
	return r < 0 ? err_set_errno(err, r, "KVM refused the registers of the first vCPU") : 0;
}

static int set_state(int vcpu_fd, uint32_t mp_state)
{
	const struct kvm_mp_state state = {.mp_state = mp_state};

	return ioctl(vcpu_fd, KVM_SET_MP_STATE, &state) < 0 ? -errno : 0;
}

static bool is_code(const struct gmem *gmem, uint64_t address)
{
	return address % INSTRUCTION_BYTES == 0 &&
	       gmem_contains(gmem, gpa_at(address), INSTRUCTION_BYTES);
}

/* PSCI 1.0, 5.19 and 6.4: SYSTEM_SUSPEND(entry, context) comes back at its entry, as a processor
 * that was off, or with an error when no code can be there. Timers and the interrupt controller go
 * on, and an interrupt ends the sleep. */
static int suspend(int vcpu_fd, const struct gmem *gmem)
{
	uint64_t entry, context;
	int r = get_register(vcpu_fd, CORE_REGISTER(regs.regs[1]), &entry);

	if (r == 0 && !is_code(gmem, entry))
		return set_register(vcpu_fd, CORE_REGISTER(regs.regs[0]), PSCI_INVALID_ADDRESS);
	if (r == 0)
		r = get_register(vcpu_fd, CORE_REGISTER(regs.regs[2]), &context);
	if (r == 0)
		r = set_register(vcpu_fd, CORE_REGISTER(regs.pc), entry);
	if (r == 0)
		r = set_register(vcpu_fd, CORE_REGISTER(regs.regs[0]), context);
	if (r == 0)
		r = set_register(vcpu_fd, CORE_REGISTER(regs.pstate), PSTATE_AT_START);
	if (r == 0)
		r = set_register(vcpu_fd, REGISTER_SCTLR, SCTLR_AT_START);
	return r == 0 ? set_state(vcpu_fd, KVM_MP_STATE_SUSPENDED) : r;
}

bool arch_vcpu_system_event(int vcpu_fd, const struct gmem *gmem, uint32_t type)
{
	switch (type) {
	case KVM_SYSTEM_EVENT_SUSPEND:
		return suspend(vcpu_fd, gmem) == 0;
	case KVM_SYSTEM_EVENT_WAKEUP:
		return set_state(vcpu_fd, KVM_MP_STATE_RUNNABLE) == 0;
	default:
		return false;
	}
}

static void add_register(int vcpu_fd, const char *name, uint64_t id, struct text *text)
{
	uint64_t value;

	if (get_register(vcpu_fd, id, &value) == 0)
		text_addf(text, "  %-6s %016" PRIx64, name, value);
}

void arch_vcpu_describe(int vcpu_fd, const struct gmem *gmem, struct text *text)
{
	(void)gmem;
	add_register(vcpu_fd, "pc", CORE_REGISTER(regs.pc), text);
	add_register(vcpu_fd, "pstate", CORE_REGISTER(regs.pstate), text);
	add_register(vcpu_fd, "sp_el0", CORE_REGISTER(regs.sp), text);
	add_register(vcpu_fd, "sp_el1", CORE_REGISTER(sp_el1), text);
	text_add(text, "\n");
	add_register(vcpu_fd, "elr", CORE_REGISTER(elr_el1), text);
	add_register(vcpu_fd, "esr", REGISTER_ESR, text);
	add_register(vcpu_fd, "far", REGISTER_FAR, text);
	for (unsigned int i = 0; i < GENERAL_REGISTERS; i++) {
		char name[4] = {'x', (char)('0' + i / 10), (char)('0' + i % 10), '\0'};

		if (i % 4 == 0)
			text_add(text, "\n");
		/* Each is two of the words by which KVM counts. */
		add_register(vcpu_fd, name, CORE_REGISTER(regs.regs[0]) + (uint64_t)i * 2, text);
	}
	text_add(text, "\n");
}
