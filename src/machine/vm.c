/* See vm.h. */
#include "vm.h"

#include "arch.h"
#include "fd.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>

int vm_create(int kvm_fd, unsigned long type, struct vm *vm, struct err *err)
{
	int fd;

	do
		fd = ioctl(kvm_fd, KVM_CREATE_VM, type);
	while (fd < 0 && errno == EINTR); /* KVM API 4.2: a signal may interrupt it */
	if (fd < 0)
		return err_set_errno(err, errno, "KVM cannot create a VM");
	*vm = (struct vm){.kvm_fd = kvm_fd, .fd = fd};
	return 0;
}

void vm_destroy(struct vm *vm)
{
	fd_close(&vm->fd);
}

int vm_map_memory(const struct vm *vm, const struct gmem *gmem, struct err *err)
{
	for (unsigned int i = 0; i < gmem->region_count; i++) {
		struct kvm_userspace_memory_region slot = {
			.slot = i,
			.guest_phys_addr = gmem->regions[i].base.address,
			.memory_size = gmem->regions[i].size_bytes,
			.userspace_addr = (uint64_t)(uintptr_t)gmem->regions[i].host,
		};

		if (ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &slot) < 0)
			return err_set_errno(err, errno,
				"KVM refused %" PRIu64 " MiB of memory at 0x%" PRIx64,
				(uint64_t)slot.memory_size >> 20, (uint64_t)slot.guest_phys_addr);
	}
	return 0;
}

static void set_gsi_level(void *controller, unsigned int line, bool level)
{
	const struct vm *vm = controller;
	struct kvm_irq_level irq = {.irq = arch_irq_line(line), .level = level};

	/* Cannot fail for a GSI of the irqchip, and there is nobody to tell. */
	(void)ioctl(vm->fd, KVM_IRQ_LINE, &irq);
}

struct irq vm_connect_irq(struct vm *vm, unsigned int gsi)
{
	static const struct irq_ops ops = {.set_level = set_gsi_level};

	return (struct irq){.ops = &ops, .controller = vm, .line = gsi};
}

static int set_doorbell(
	const struct vm *vm, const struct vm_doorbell *doorbell, int fd, uint32_t flags)
{
	struct kvm_ioeventfd ioeventfd = {
		.addr = doorbell->address,
		.len = doorbell->size,
		.fd = fd,
		.datamatch = doorbell->value,
		.flags = flags | (doorbell->pio ? KVM_IOEVENTFD_FLAG_PIO : 0) |
	                 (doorbell->match ? KVM_IOEVENTFD_FLAG_DATAMATCH : 0),
	};

	return ioctl(vm->fd, KVM_IOEVENTFD, &ioeventfd) < 0 ? -errno : 0;
}

int vm_connect_doorbell(const struct vm *vm, const struct vm_doorbell *doorbell, int fd)
{
	return set_doorbell(vm, doorbell, fd, 0);
}

void vm_disconnect_doorbell(const struct vm *vm, const struct vm_doorbell *doorbell, int fd)
{
	/* -ENOENT: it went with its VM. */
	(void)set_doorbell(vm, doorbell, fd, KVM_IOEVENTFD_FLAG_DEASSIGN);
}
