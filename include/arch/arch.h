/*
 * What an architecture gives the machine: where RAM lies, the in-kernel interrupt controller, how a
 * vCPU is set up, how a kernel and the board's description get into memory, and how to tell what a
 * failed vCPU was doing. One implementation per folder of src/arch; the build picks it.
 *
 * Everything runs on the main thread before vCPUs start, except where a function says otherwise.
 */
#pragma once

#include "board.h"
#include "bus.h"
#include "err.h"
#include "gmem.h"
#include "text.h"

#include <stdbool.h>
#include <stdint.h>

struct arch_vm;

struct arch_vm_options {
	unsigned int cpu_count;
	const char *cpu_features; /* "-name,+name": what --cpu says; NULL: none */
};

/* Does the processor itself offer virtualisation? Without it a KVM is software, and too slow and
 * incomplete for a distribution's kernel. */
bool arch_cpu_can_virtualise(void);

/* The type to create a VM of (KVM API 4.2) with that much RAM. -E2BIG: this host's processors
 * cannot address it. */
must_check int arch_vm_type(
	int kvm_fd, uint64_t memory_bytes, unsigned long *ret_type, struct err *err);

/* Lays size_bytes of RAM out: fills in base and size of the regions (gmem.h). */
void arch_memory_layout(uint64_t size_bytes, struct gmem *gmem);

/* Checks --cpu without a KVM at hand. -EINVAL names the word that is not known. */
must_check int arch_cpu_features_check(const char *features, struct err *err);

/* The interrupt controllers and timers that KVM emulates. kvm_fd and vm_fd are borrowed. */
must_check int arch_vm_create(int kvm_fd, int vm_fd, const struct arch_vm_options *options,
	struct arch_vm **ret_arch, struct err *err);
void arch_vm_destroy(struct arch_vm *arch);

/* Identity and features of one vCPU; index 0 is the one that boots. */
must_check int arch_vcpu_init(
	struct arch_vm *arch, int vcpu_fd, unsigned int index, struct err *err);

/* What can be done only when all vCPUs are there. */
must_check int arch_vm_finish(struct arch_vm *arch, struct err *err);

/* Devices of the architecture's own that answer on the machine's buses. They outlive the VM, which
 * is remade at a reset: vm_fd points to its current descriptor. */
struct arch_platform;
must_check int arch_platform_create(const int *vm_fd, struct bus *pio, struct bus *mmio,
	struct arch_platform **ret_platform, struct err *err);
void arch_platform_destroy(struct arch_platform *platform);
void arch_platform_reset(struct arch_platform *platform); /* no vCPU runs */

/* Where the platform's devices sit, by kind, if it has one: the machine makes what is there. */
struct board_device arch_board_device(enum board_device_kind kind);
/* The index-th place for a virtio-mmio device; -ENOSPC when there are no more. by_words: for a
 * kernel that is told of it on its command line; then the interrupt is edge-triggered. */
must_check int arch_board_virtio_mmio(
	unsigned int index, bool by_words, struct board_device *ret_device);
void arch_board_pci(struct board_pci *ret_pci, uint64_t memory_bytes);

/* KVM's routes for the board's own interrupt lines, as they are before anybody changes them; their
 * number. *ret_gsis: the first GSI that is free for messages. */
struct kvm_irq_routing_entry;
unsigned int arch_irq_routes(
	struct kvm_irq_routing_entry *entries, unsigned int capacity, unsigned int *ret_gsis);

/* What KVM_IRQ_LINE calls the line of a GSI. */
uint32_t arch_irq_line(unsigned int gsi);

/* How many vectors guests have for the devices of that many CPUs: more than that may be offered,
 * but not used. */
unsigned int arch_msi_vectors(unsigned int cpu_count);

struct arch_message {
	uint64_t address;
	uint32_t data;
	uint32_t device_id; /* PCI requester id */
};

/* KVM's route for a message, all but its GSI. False: nothing on the board takes it. Any thread. */
bool arch_msi_route(const struct arch_vm *arch, const struct arch_message *message,
	struct kvm_irq_routing_entry *ret_entry);

/* Words that help a Linux kernel on this board, NULL-terminated; with_console: a UART is there and
 * shall carry the kernel's console. */
const char *const *arch_command_line_words(bool with_console);

struct arch_boot_source {
	int kernel_fd; /* borrowed, seekable */
	uint64_t kernel_size_bytes;
	const char *kernel_name;
	int initrd_fd; /* -1: none */
	uint64_t initrd_size_bytes;
	const char *initrd_name;
	const char *command_line; /* for Linux */
	const char *user_words;   /* for kernels that are not Linux: what the user said, no more */
};

struct arch_boot {
	uint64_t entry;
	uint64_t information;  /* guest address of what the boot protocol hands over */
	unsigned int protocol; /* the architecture's own */
	bool is_linux;         /* as far as the file tells */
};

/* Writes the kernel, the initrd, the command line and the board's tables into guest memory. */
must_check int arch_load(const struct arch_vm *arch, const struct gmem *gmem,
	const struct board *board, const struct arch_boot_source *source,
	struct arch_boot *ret_boot, struct err *err);

/* Puts the boot vCPU at the kernel's entry. */
must_check int arch_vcpu_set_boot(
	int vcpu_fd, const struct gmem *gmem, const struct arch_boot *boot, struct err *err);

/* After a reset request: had the guest's kernel marked it as the end of a panic? value: what came
 * with GUEST_END_RESET. */
bool arch_reset_follows_panic(const struct gmem *gmem, uint32_t value);

/* KVM has left the guest with a system event (KVM API 5) that is the architecture's own: a system
 * that goes to sleep, or is woken. True: the vCPU is ready to go on. On the vCPU's thread. */
bool arch_vcpu_system_event(int vcpu_fd, const struct gmem *gmem, uint32_t type);

/* Registers and the bytes at the instruction pointer, for people. On the vCPU's thread. */
void arch_vcpu_describe(int vcpu_fd, const struct gmem *gmem, struct text *text);
