/*
 * The x86_64 board: where RAM and devices are, the interrupt controllers that KVM emulates, and the
 * way kernel and tables get into memory.
 */
#include "arch.h"

#include "acpi.h"
#include "boot.h"
#include "layout.h"
#include "pit.h"
#include "smbios.h"
#include "vcpu.h"

#include <cpuid.h>
#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#define APIC_ID_MAX_XAPIC 254
#define VECTORS_OF_A_CPU  190 /* that a guest may have left for devices, of 256 in all */

bool arch_cpu_can_virtualise(void)
{
	unsigned int eax, ebx, ecx, edx;

	if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) && ecx & 1u << 5) /* VMX */
		return true;
	return __get_cpuid(0x80000001, &eax, &ebx, &ecx, &edx) && ecx & 1u << 2; /* SVM */
}

int arch_vm_type(int kvm_fd, uint64_t memory_bytes, unsigned long *ret_type, struct err *err)
{
	(void)kvm_fd;
	(void)memory_bytes;
	(void)err;
	*ret_type = 0;
	return 0;
}

void arch_memory_layout(uint64_t size_bytes, struct gmem *gmem)
{
	uint64_t low = size_bytes < LOW_RAM_END ? size_bytes : LOW_RAM_END;

	gmem->regions[0] = (struct gmem_region){.base = gpa_at(0), .size_bytes = low, .fd = -1};
	gmem->region_count = 1;
	if (size_bytes > low) {
		gmem->regions[1] = (struct gmem_region){
			.base = gpa_at(HIGH_RAM_BASE), .size_bytes = size_bytes - low, .fd = -1};
		gmem->region_count = 2;
	}
}

int arch_cpu_features_check(const char *words, struct err *err)
{
	return cpuid_apply_features(NULL, words, err);
}

static int create_interrupt_controllers(
	int vm_fd, const struct arch_vm_options *options, struct err *err)
{
	uint64_t identity = KVM_IDENTITY_ADDRESS;

	/* KVM API 4.31 and 4.41: pages that Intel hosts need below 4 GiB, outside RAM. */
	if (ioctl(vm_fd, KVM_SET_IDENTITY_MAP_ADDR, &identity) < 0 && errno != ENOTTY)
		return err_set_errno(err, errno, "KVM refused the identity map's address");
	if (ioctl(vm_fd, KVM_SET_TSS_ADDR, KVM_TSS_ADDRESS) < 0)
		return err_set_errno(err, errno, "KVM refused the TSS address");
	if (options->cpu_count > APIC_ID_MAX_XAPIC) {
		struct kvm_enable_cap cap = {
			.cap = KVM_CAP_X2APIC_API,
			.args[0] = KVM_X2APIC_API_USE_32BIT_IDS |
		                   KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK,
		};

		if (ioctl(vm_fd, KVM_ENABLE_CAP, &cap) < 0)
			return err_set_errno(err, errno,
				"this host's KVM cannot do more than %d vCPUs (no x2APIC ids)",
				APIC_ID_MAX_XAPIC);
	}
	if (ioctl(vm_fd, KVM_CREATE_IRQCHIP, 0) < 0)
		return err_set_errno(err, errno, "KVM cannot create its interrupt controllers");
	return 0;
}

int arch_vm_create(int kvm_fd, int vm_fd, const struct arch_vm_options *options,
	struct arch_vm **ret_arch, struct err *err)
{
	struct arch_vm *arch;
	int r = create_interrupt_controllers(vm_fd, options, err);

	if (r < 0)
		return r;
	arch = calloc(1, sizeof(*arch));
	if (arch)
		arch->cpuid = malloc(sizeof(*arch->cpuid));
	if (!arch || !arch->cpuid) {
		arch_vm_destroy(arch);
		return err_set_errno(err, ENOMEM, "the CPUID table");
	}
	arch->kvm_fd = kvm_fd;
	arch->vm_fd = vm_fd;
	arch->cpu_count = options->cpu_count;
	r = cpuid_get_supported(kvm_fd, arch->cpuid, err);
	if (r == 0)
		r = cpuid_apply_features(arch->cpuid, options->cpu_features, err);
	if (r < 0) {
		arch_vm_destroy(arch);
		return r;
	}
	cpuid_set_common(arch->cpuid, options->cpu_count);
	*ret_arch = arch;
	return 0;
}

void arch_vm_destroy(struct arch_vm *arch)
{
	if (!arch)
		return;
	free(arch->cpuid);
	free(arch);
}

int arch_vm_finish(struct arch_vm *arch, struct err *err)
{
	(void)arch;
	(void)err;
	return 0;
}

struct arch_platform {
	struct pit pit;
};

int arch_platform_create(const int *vm_fd, struct bus *pio, struct bus *mmio,
	struct arch_platform **ret_platform, struct err *err)
{
	struct arch_platform *platform = calloc(1, sizeof(*platform));
	int r;

	(void)mmio;
	if (!platform)
		return err_set_errno(err, ENOMEM, "the platform");
	pit_init(&platform->pit, vm_fd);
	r = bus_attach(pio,
		&(struct bus_range){
			.base = PIO_PIT,
			.size = PIT_PORTS,
			.ops = &pit_bus_ops,
			.device = &platform->pit,
			.name = "pit",
		},
		err);
	if (r == 0)
		r = bus_attach(pio,
			&(struct bus_range){
				.base = PIT_SPEAKER_PORT,
				.size = 1,
				.ops = &pit_speaker_bus_ops,
				.device = &platform->pit,
				.name = "speaker",
			},
			err);
	if (r < 0) {
		arch_platform_destroy(platform);
		return r;
	}
	*ret_platform = platform;
	return 0;
}

void arch_platform_destroy(struct arch_platform *platform)
{
	if (!platform)
		return;
	pit_fini(&platform->pit);
	free(platform);
}

void arch_platform_reset(struct arch_platform *platform)
{
	pit_reset(&platform->pit);
}

struct board_device arch_board_device(enum board_device_kind kind)
{
	static const struct board_device devices[] = {
		[BOARD_UART_16550] = {BOARD_UART_16550, PIO_COM1, 8, GSI_COM1, true},
		[BOARD_RTC_CMOS] = {BOARD_RTC_CMOS, PIO_RTC, 2, GSI_RTC, true},
		[BOARD_I8042] = {BOARD_I8042, PIO_I8042, 5, GSI_KEYBOARD, true},
		[BOARD_POWER] = {BOARD_POWER, PIO_POWER, POWER_PIO_SIZE, GSI_SCI, true},
		[BOARD_PVPANIC] = {BOARD_PVPANIC, PIO_PVPANIC, 1, 0, true},
		[BOARD_DEBUG_EXIT] = {BOARD_DEBUG_EXIT, PIO_DEBUG_EXIT, 4, 0, true},
	};

	return kind < array_size(devices) ? devices[kind] : (struct board_device){.kind = kind};
}

int arch_board_virtio_mmio(unsigned int index, bool by_words, struct board_device *ret_device)
{
	/* Lines that nothing else is wired to. A word on the command line says nothing of polarity
	 * and trigger, so kernels know how to use the line by itself only if it is one of ISA's:
	 * those are edge-triggered. */
	static const unsigned int lines[] = {20, 21, 22, 23, 5, 6, 7, 10, 11, 12, 14, 15};
	const unsigned int first = by_words ? 4 : 0;

	if (index >= array_size(lines) - first)
		return -ENOSPC;
	*ret_device = (struct board_device){
		.kind = BOARD_VIRTIO_MMIO,
		.base = VIRTIO_MMIO_BASE + index * VIRTIO_MMIO_STRIDE,
		.size = VIRTIO_MMIO_BYTES,
		.irq = lines[first + index],
	};
	return 0;
}

void arch_board_pci(struct board_pci *ret_pci, uint64_t memory_bytes)
{
	uint64_t high_end = memory_bytes > LOW_RAM_END ? HIGH_RAM_BASE + memory_bytes - LOW_RAM_END
	                                               : HIGH_RAM_BASE;

	/* The 64-bit window starts at the next 64 GiB above RAM, so that it moves with the size of
	 * RAM as little as possible, and stays inside the 46 bits that small hosts have. */
	*ret_pci = (struct board_pci){
		.present = true,
		.ecam_base = PCI_ECAM_BASE,
		.bus_count = PCI_ECAM_BUSES,
		.window32_base = PCI_WINDOW32_BASE,
		.window32_size = PCI_WINDOW32_END - PCI_WINDOW32_BASE,
		.window64_base = (high_end + 64 * GIB - 1) / (64 * GIB) * (64 * GIB),
		.window64_size = 64 * GIB,
		.intx_irqs = {GSI_PCI_A, GSI_PCI_A + 1, GSI_PCI_A + 2, GSI_PCI_A + 3},
		.has_ports = true,
	};
}

/* KVM's default: each of the first 16 lines goes to a pin of the 8259s and of the I/O APIC. */
unsigned int arch_irq_routes(
	struct kvm_irq_routing_entry *entries, unsigned int capacity, unsigned int *ret_gsis)
{
	unsigned int count = 0;

	for (uint32_t gsi = 0; gsi < IOAPIC_PINS; gsi++) {
		struct kvm_irq_routing_entry entry = {.gsi = gsi, .type = KVM_IRQ_ROUTING_IRQCHIP};

		if (gsi < 16 && count < capacity) {
			entry.u.irqchip.irqchip = gsi < 8 ? KVM_IRQCHIP_PIC_MASTER
			                                  : KVM_IRQCHIP_PIC_SLAVE;
			entry.u.irqchip.pin = gsi % 8;
			entries[count++] = entry;
		}
		entry.u.irqchip.irqchip = KVM_IRQCHIP_IOAPIC;
		entry.u.irqchip.pin = gsi;
		if (count < capacity)
			entries[count++] = entry;
	}
	*ret_gsis = IOAPIC_PINS;
	return count;
}

uint32_t arch_irq_line(unsigned int gsi)
{
	return gsi;
}

unsigned int arch_msi_vectors(unsigned int cpu_count)
{
	return cpu_count * VECTORS_OF_A_CPU;
}

bool arch_msi_route(const struct arch_vm *arch, const struct arch_message *message,
	struct kvm_irq_routing_entry *ret_entry)
{
	(void)arch;
	*ret_entry = (struct kvm_irq_routing_entry){
		.type = KVM_IRQ_ROUTING_MSI,
		.u.msi.address_lo = (uint32_t)message->address,
		.u.msi.address_hi = (uint32_t)(message->address >> 32),
		.u.msi.data = message->data,
	};
	return true;
}

const char *const *arch_command_line_words(bool with_console)
{
	/* reboot=panic_warm makes a kernel that reboots after a panic leave 0x1234 in the warm-boot
	 * word, which a plain reboot does not: see arch_reset_follows_panic. */
	static const char *const words[] = {"console=ttyS0", "panic=-1", "reboot=panic_warm", NULL};

	return with_console ? words : words + 1;
}

bool arch_reset_follows_panic(const struct gmem *gmem, uint32_t value)
{
	uint16_t flag;

	(void)value;
	return gmem_load16(gmem, gpa_at(RESET_FLAG_ADDRESS), &flag) == 0 && flag == 0x1234;
}

static int write_tables(const struct gmem *gmem, const struct board *board, struct err *err)
{
	const size_t acpi_capacity = ACPI_TABLES_END - ACPI_TABLES_ADDRESS;
	const size_t smbios_capacity = SMBIOS_END - SMBIOS_ADDRESS;
	uint8_t *buffer = calloc(1, acpi_capacity);
	size_t length;
	int r;

	if (!buffer)
		return err_set_errno(err, ENOMEM, "the ACPI tables");
	r = acpi_build(board, ACPI_TABLES_ADDRESS, buffer, acpi_capacity, &length, err);
	if (r == 0)
		r = gmem_write(gmem, gpa_at(ACPI_TABLES_ADDRESS), buffer, length);
	if (r == 0)
		r = smbios_build(board, gmem_size_bytes(gmem), SMBIOS_ADDRESS, buffer,
			smbios_capacity, &length, err);
	if (r == 0)
		r = gmem_write(gmem, gpa_at(SMBIOS_ADDRESS), buffer, length);
	free(buffer);
	return r;
}

static unsigned int make_e820(
	const struct gmem *gmem, const struct board *board, struct e820_entry *entries)
{
	unsigned int count = 0;

	entries[count++] = (struct e820_entry){0, EBDA_ADDRESS, E820_RAM};
	entries[count++] = (struct e820_entry){
		EBDA_ADDRESS, 640 * KIB - EBDA_ADDRESS, E820_RESERVED};
	entries[count++] = (struct e820_entry){
		ACPI_TABLES_ADDRESS, SMBIOS_END - ACPI_TABLES_ADDRESS, E820_RESERVED};
	if (gmem->regions[0].size_bytes > MIB)
		entries[count++] = (struct e820_entry){
			MIB, gmem->regions[0].size_bytes - MIB, E820_RAM};
	if (board->pci.present)
		entries[count++] = (struct e820_entry){
			board->pci.ecam_base, board->pci.bus_count * MIB, E820_RESERVED};
	for (unsigned int i = 1; i < gmem->region_count; i++)
		entries[count++] = (struct e820_entry){
			gmem->regions[i].base.address, gmem->regions[i].size_bytes, E820_RAM};
	return count;
}

int arch_load(const struct arch_vm *arch, const struct gmem *gmem, const struct board *board,
	const struct arch_boot_source *source, struct arch_boot *ret_boot, struct err *err)
{
	struct e820_entry e820[E820_ENTRIES_MAX];
	struct boot_request request = {
		.kernel_fd = source->kernel_fd,
		.kernel_size = source->kernel_size_bytes,
		.kernel_name = source->kernel_name,
		.initrd_fd = source->initrd_fd,
		.initrd_size = source->initrd_size_bytes,
		.initrd_name = source->initrd_name,
		.command_line = source->command_line,
		.plain_command_line = source->user_words,
		.rsdp_address = ACPI_TABLES_ADDRESS,
		.e820 = e820,
		.e820_count = make_e820(gmem, board, e820),
	};
	struct boot_result result;
	int r = write_tables(gmem, board, err);

	(void)arch;
	if (r == 0)
		r = boot_load(gmem, &request, &result, err);
	if (r < 0)
		return r;
	*ret_boot = (struct arch_boot){
		.entry = result.entry,
		.information = result.information,
		.protocol = result.protocol,
		.is_linux = result.protocol == BOOT_LINUX64,
	};
	return 0;
}
