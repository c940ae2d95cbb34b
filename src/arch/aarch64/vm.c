/*
 * The aarch64 board: where RAM and devices are, the interrupt controller that KVM emulates, and the
 * way kernel and device tree get into memory.
 */
#include "arch.h"

#include "boot.h"
#include "gic.h"
#include "layout.h"
#include "stolen_time.h"
#include "tree.h"
#include "vcpu.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>

#define ADDRESS_BITS_DEFAULT 40 /* KVM API 4.2: of a VM of type 0 */
#define ADDRESS_BITS_MIN     32

_Static_assert(TREE_BYTES_MAX <= BOOT_TREE_BYTES_MAX, "the tree fits where it goes");
_Static_assert(GIC_REDISTRIBUTORS_BASE + 512 * GIC_REDISTRIBUTOR_BYTES <= PCI_WINDOW32_BASE,
	"as many CPUs as KVM has fit");
_Static_assert(GSI_VIRTIO_MMIO + VIRTIO_MMIO_MAX <= GSI_LINES, "each has a line");

/* KVM on Arm has no other way than the processor's. */
bool arch_cpu_can_virtualise(void)
{
	return true;
}

static struct board_pci place_pci(uint64_t memory_bytes)
{
	const uint64_t end = RAM_BASE + memory_bytes;

	/* Close above RAM: small hosts have 36 bits of address. */
	return (struct board_pci){
		.present = true,
		.ecam_base = PCI_ECAM_BASE,
		.bus_count = PCI_ECAM_BUSES,
		.window32_base = PCI_WINDOW32_BASE,
		.window32_size = PCI_WINDOW32_END - PCI_WINDOW32_BASE,
		.window64_base = (end + PCI_WINDOW64_BYTES - 1) / PCI_WINDOW64_BYTES *
	                         PCI_WINDOW64_BYTES,
		.window64_size = PCI_WINDOW64_BYTES,
		.intx_irqs = {GSI_PCI_A, GSI_PCI_A + 1, GSI_PCI_A + 2, GSI_PCI_A + 3},
	};
}

int arch_vm_type(int kvm_fd, uint64_t memory_bytes, unsigned long *ret_type, struct err *err)
{
	const struct board_pci pci = place_pci(memory_bytes);
	const int told = ioctl(kvm_fd, KVM_CHECK_EXTENSION, (long)KVM_CAP_ARM_VM_IPA_SIZE);
	const unsigned int has = told > 0 ? (unsigned int)told : ADDRESS_BITS_DEFAULT;
	unsigned int needed = ADDRESS_BITS_MIN;

	while (UINT64_C(1) << needed < pci.window64_base + pci.window64_size)
		needed++;
	if (needed > has)
		return err_set(err, E2BIG,
			"%" PRIu64 " MiB of RAM need %u bits of guest address and this host has "
			"%u; give less with -m",
			memory_bytes / MIB, needed, has);
	*ret_type = told > 0 ? KVM_VM_TYPE_ARM_IPA_SIZE(needed) : 0;
	return 0;
}

void arch_memory_layout(uint64_t size_bytes, struct gmem *gmem)
{
	gmem->regions[0] = (struct gmem_region){
		.base = gpa_at(RAM_BASE), .size_bytes = size_bytes, .fd = -1};
	gmem->region_count = 1;
}

int arch_cpu_features_check(const char *words, struct err *err)
{
	uint32_t features;

	return vcpu_features(-1, words, &features, err);
}

/* Loads and stores of more than one register, or that change another, leave a processor without a
 * word of what they are. Unless asked to tell where they went, KVM_RUN just fails. */
static void ask_for_undecoded_accesses(int vm_fd)
{
	const struct kvm_enable_cap cap = {.cap = KVM_CAP_ARM_NISV_TO_USER};

	(void)ioctl(vm_fd, KVM_ENABLE_CAP, &cap); /* without it: another sentence, the same end */
}

/* Where KVM has it, guests find that their system can sleep (PSCI SYSTEM_SUSPEND). */
static void offer_suspending(int vm_fd)
{
	const struct kvm_enable_cap cap = {.cap = KVM_CAP_ARM_SYSTEM_SUSPEND};

	(void)ioctl(vm_fd, KVM_ENABLE_CAP, &cap);
}

int arch_vm_create(int kvm_fd, int vm_fd, const struct arch_vm_options *options,
	struct arch_vm **ret_arch, struct err *err)
{
	struct arch_vm *arch = calloc(1, sizeof(*arch));
	int r;

	if (!arch)
		return err_set_errno(err, ENOMEM, "the VM");
	*arch = (struct arch_vm){
		.vm_fd = vm_fd,
		.cpu_count = options->cpu_count,
		.gic = {.fd = -1, .its_fd = -1},
		.vcpus = calloc(options->cpu_count, sizeof(arch->vcpus[0])),
	};
	r = arch->vcpus ? vcpu_features(kvm_fd, options->cpu_features, &arch->features, err)
	                : err_set_errno(err, ENOMEM, "%u vCPUs", options->cpu_count);
	ask_for_undecoded_accesses(vm_fd);
	offer_suspending(vm_fd);
	if (r == 0)
		r = gic_create(vm_fd, options->cpu_count, &arch->gic, err);
	if (r < 0) {
		arch_vm_destroy(arch);
		return r;
	}
	*ret_arch = arch;
	return 0;
}

void arch_vm_destroy(struct arch_vm *arch)
{
	if (!arch)
		return;
	stolen_time_destroy(arch);
	gic_destroy(&arch->gic);
	free(arch->vcpus);
	free(arch);
}

int arch_vm_finish(struct arch_vm *arch, struct err *err)
{
	int r = gic_finish(&arch->gic, err);

	if (r == 0)
		r = vcpu_finish(arch, err);
	return r < 0 ? r : stolen_time_create(arch, err);
}

/* The GICv2m frame is there whichever interrupt controller comes: the guest is told of it only with
 * the one that it belongs to. */
int arch_platform_create(const int *vm_fd, struct bus *pio, struct bus *mmio,
	struct arch_platform **ret_platform, struct err *err)
{
	(void)vm_fd;
	(void)pio;
	*ret_platform = NULL;
	return bus_attach(mmio,
		&(struct bus_range){
			.base = GIC_V2M_BASE,
			.size = GIC_V2M_BYTES,
			.ops = &gic_v2m_bus_ops,
			.name = "v2m",
		},
		err);
}

void arch_platform_destroy(struct arch_platform *platform)
{
	(void)platform;
}

void arch_platform_reset(struct arch_platform *platform)
{
	(void)platform;
}

struct board_device arch_board_device(enum board_device_kind kind)
{
	static const struct board_device devices[] = {
		[BOARD_UART_16550] = {BOARD_UART_16550, UART_BASE, 8, GSI_UART, false},
		[BOARD_RTC_PL031] = {BOARD_RTC_PL031, RTC_BASE, 0x1000, GSI_RTC, false},
		[BOARD_GPIO_PL061] = {BOARD_GPIO_PL061, GPIO_BASE, 0x1000, GSI_GPIO, false},
		[BOARD_PVPANIC] = {BOARD_PVPANIC, PVPANIC_BASE, 2, 0, false},
		[BOARD_DEBUG_EXIT] = {BOARD_DEBUG_EXIT, DEBUG_EXIT_BASE, 4, 0, false},
	};

	return kind < array_size(devices) ? devices[kind] : (struct board_device){.kind = kind};
}

/* A word on the command line would have to name an interrupt as Linux numbers it: by_words has no
 * place. */
int arch_board_virtio_mmio(unsigned int index, bool by_words, struct board_device *ret_device)
{
	if (by_words || index >= VIRTIO_MMIO_MAX)
		return -ENOSPC;
	*ret_device = (struct board_device){
		.kind = BOARD_VIRTIO_MMIO,
		.base = VIRTIO_MMIO_BASE + index * VIRTIO_MMIO_STRIDE,
		.size = VIRTIO_MMIO_BYTES,
		.irq = GSI_VIRTIO_MMIO + index,
	};
	return 0;
}

void arch_board_pci(struct board_pci *ret_pci, uint64_t memory_bytes)
{
	*ret_pci = place_pci(memory_bytes);
}

unsigned int arch_irq_routes(
	struct kvm_irq_routing_entry *entries, unsigned int capacity, unsigned int *ret_gsis)
{
	unsigned int count = 0;

	for (uint32_t gsi = 0; gsi < GSI_LINES && count < capacity; gsi++)
		entries[count++] = (struct kvm_irq_routing_entry){
			.gsi = gsi,
			.type = KVM_IRQ_ROUTING_IRQCHIP,
			.u.irqchip.pin = gsi,
		};
	*ret_gsis = GSI_LINES;
	return count;
}

/* KVM API 4.25 */
uint32_t arch_irq_line(unsigned int gsi)
{
	return (uint32_t)KVM_ARM_IRQ_TYPE_SPI << KVM_ARM_IRQ_TYPE_SHIFT | (SPI_FIRST + gsi);
}

/* What GICv2m has, which is less than an ITS and not for each CPU. */
unsigned int arch_msi_vectors(unsigned int cpu_count)
{
	(void)cpu_count;
	return GSI_V2M_COUNT;
}

bool arch_msi_route(const struct arch_vm *arch, const struct arch_message *message,
	struct kvm_irq_routing_entry *ret_entry)
{
	return gic_route_message(&arch->gic, message, ret_entry);
}

const char *const *arch_command_line_words(bool with_console)
{
	/* reboot=panic_warm makes a kernel that reboots after a panic ask for a warm reset, which a
	 * plain reboot does not: see arch_reset_follows_panic. */
	static const char *const words[] = {"console=ttyS0", "panic=-1", "reboot=panic_warm", NULL};

	return with_console ? words : words + 1;
}

bool arch_reset_follows_panic(const struct gmem *gmem, uint32_t value)
{
	(void)gmem;
	return value & KVM_SYSTEM_EVENT_RESET_FLAG_PSCI_RESET2;
}

static int draw_seeds(struct tree_request *request)
{
	if (getrandom(&request->kaslr_seed, sizeof(request->kaslr_seed), 0) !=
			(ssize_t)sizeof(request->kaslr_seed) ||
		getrandom(request->rng_seed, sizeof(request->rng_seed), 0) !=
			(ssize_t)sizeof(request->rng_seed))
		return -errno;
	return 0;
}

static int write_tree(const struct gmem *gmem, const struct tree_request *request, uint64_t address,
	struct err *err)
{
	uint8_t *buffer = malloc(TREE_BYTES_MAX);
	size_t length;
	int r;

	if (!buffer)
		return err_set_errno(err, ENOMEM, "the device tree");
	r = tree_build(request, buffer, TREE_BYTES_MAX, &length, err);
	if (r == 0 && gmem_write(gmem, gpa_at(address), buffer, length) < 0)
		r = err_set(err, -E2BIG,
			"the VM's %" PRIu64 " MiB of memory do not hold kernel and device tree; "
			"give more with -m",
			gmem_size_bytes(gmem) / MIB);
	free(buffer);
	return r;
}

static int describe_board(const struct arch_vm *arch, const struct gmem *gmem,
	const struct board *board, const char *command_line, const struct boot_result *loaded,
	struct err *err)
{
	struct tree_request request = {
		.board = board,
		.memory_base = RAM_BASE,
		.memory_bytes = gmem_size_bytes(gmem),
		.clidr = vcpu_cache_levels(arch),
		.gic_version = arch->gic.version,
		.has_its = arch->gic.its_fd >= 0,
		.has_pmu = arch->features & 1u << KVM_ARM_VCPU_PMU_V3,
		.command_line = command_line,
		.initrd_start = loaded->initrd_start,
		.initrd_end = loaded->initrd_end,
	};
	uint64_t *mpidrs = calloc(arch->cpu_count, sizeof(mpidrs[0]));
	int r = mpidrs ? draw_seeds(&request) : -ENOMEM;

	if (r < 0) {
		free(mpidrs);
		return err_set_errno(err, r, "the device tree");
	}
	for (unsigned int i = 0; i < arch->cpu_count; i++)
		mpidrs[i] = arch->vcpus[i].mpidr;
	request.mpidrs = mpidrs;
	r = write_tree(gmem, &request, loaded->tree, err);
	free(mpidrs);
	return r;
}

int arch_load(const struct arch_vm *arch, const struct gmem *gmem, const struct board *board,
	const struct arch_boot_source *source, struct arch_boot *ret_boot, struct err *err)
{
	const struct boot_request request = {
		.kernel_fd = source->kernel_fd,
		.kernel_size = source->kernel_size_bytes,
		.kernel_name = source->kernel_name,
		.initrd_fd = source->initrd_fd,
		.initrd_size = source->initrd_size_bytes,
		.initrd_name = source->initrd_name,
		.memory_model = vcpu_memory_model(arch),
		.command_line = source->command_line,
	};
	struct boot_result result;
	int r = boot_load(gmem, &request, &result, err);

	if (r == 0)
		r = describe_board(arch, gmem, board, source->command_line, &result, err);
	if (r < 0)
		return r;
	*ret_boot = (struct arch_boot){
		.entry = result.entry, .information = result.tree, .is_linux = true};
	return 0;
}
