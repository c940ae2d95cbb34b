/*
 * Finds out whether /dev/kvm can do what a VMM needs: makes a VM with an in-kernel irqchip and lets
 * its processor run two instructions in real mode. Says "kvm works", or what does not.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define PORT 0x80

static int checked(int result, const char *what)
{
	if (result < 0) {
		printf("%s: %s\n", what, strerror(errno));
		exit(1);
	}
	return result;
}

static void *mapped(size_t size, int flags, int fd)
{
	void *address = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);

	checked(address == MAP_FAILED ? -1 : 0, "mmap");
	return address;
}

int main(void)
{
	static const uint8_t code[] = {0xb0, 0x2a, 0xe6, PORT}; /* mov al, 42; out PORT, al */
	int kvm = checked(open("/dev/kvm", O_RDWR | O_CLOEXEC), "open /dev/kvm");
	int vm = checked(ioctl(kvm, KVM_CREATE_VM, 0), "KVM_CREATE_VM");
	void *memory = mapped(4096, MAP_SHARED | MAP_ANONYMOUS, -1);
	struct kvm_userspace_memory_region region = {
		.memory_size = 4096,
		.userspace_addr = (uintptr_t)memory,
	};
	struct kvm_regs regs = {.rflags = 2};
	struct kvm_sregs sregs;
	struct kvm_run *run;
	int vcpu;

	memcpy(memory, code, sizeof(code));
	checked(ioctl(vm, KVM_CREATE_IRQCHIP, 0), "KVM_CREATE_IRQCHIP");
	checked(ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region), "KVM_SET_USER_MEMORY_REGION");
	vcpu = checked(ioctl(vm, KVM_CREATE_VCPU, 0), "KVM_CREATE_VCPU");
	run = mapped(
		(size_t)checked(ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), "KVM_GET_VCPU_MMAP_SIZE"),
		MAP_SHARED, vcpu);
	checked(ioctl(vcpu, KVM_GET_SREGS, &sregs), "KVM_GET_SREGS");
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	checked(ioctl(vcpu, KVM_SET_SREGS, &sregs), "KVM_SET_SREGS");
	checked(ioctl(vcpu, KVM_SET_REGS, &regs), "KVM_SET_REGS");
	checked(ioctl(vcpu, KVM_RUN, 0), "KVM_RUN");
	if (run->exit_reason != KVM_EXIT_IO || run->io.port != PORT ||
		*((uint8_t *)run + run->io.data_offset) != 42) {
		printf("the guest ended with exit reason %u\n", run->exit_reason);
		return 1;
	}
	puts("kvm works");
	return 0;
}
