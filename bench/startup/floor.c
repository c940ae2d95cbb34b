/*
 * The floor of start-up time: only the KVM calls that every VMM must make before its guest can
 * write one byte to a serial port, and no loader, device or thread.
 *
 * One VM of 512 MiB with the in-kernel interrupt chips and one vCPU in 32-bit protected mode, whose
 * three instructions write '!' to 0x3f8; the byte goes to standard output. Then the guest sleeps,
 * like the guest of the benchmark, so that memory can be compared.
 */
#include <err.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define MEMORY_BYTES  (UINT64_C(512) << 20)
#define CODE_ADDRESS  UINT64_C(0x200000)
#define TSS_ADDRESS   UINT64_C(0xfffbd000)
#define UART_PORT     0x3f8
#define CPUID_ENTRIES 256
#define CR0_PE        1
#define RFLAGS_FIXED  2

static const uint8_t code[] = {
	0x66, 0xba, 0xf8, 0x03, /* mov $0x3f8, %dx */
	0xb0, '!',              /* mov $'!', %al */
	0xee,                   /* out %al, %dx */
	0xf4, 0xeb, 0xfd,       /* hlt, for ever */
};

/* An ioctl that must succeed. */
static int call(int fd, unsigned long request, const char *name, unsigned long argument)
{
	int r = ioctl(fd, request, argument);

	if (r < 0)
		err(EXIT_FAILURE, "%s", name);
	return r;
}

static uint8_t *map_memory(int vm_fd)
{
	uint8_t *memory = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct kvm_userspace_memory_region region = {
		.memory_size = MEMORY_BYTES,
		.userspace_addr = (uintptr_t)memory,
	};

	if (memory == MAP_FAILED)
		err(EXIT_FAILURE, "mmap");
	call(vm_fd, KVM_SET_USER_MEMORY_REGION, "KVM_SET_USER_MEMORY_REGION", (uintptr_t)&region);
	return memory;
}

static void set_cpuid(int kvm_fd, int vcpu_fd)
{
	struct kvm_cpuid2 *cpuid = calloc(
		1, sizeof(*cpuid) + CPUID_ENTRIES * sizeof(cpuid->entries[0]));

	if (!cpuid)
		err(EXIT_FAILURE, "calloc");
	cpuid->nent = CPUID_ENTRIES;
	call(kvm_fd, KVM_GET_SUPPORTED_CPUID, "KVM_GET_SUPPORTED_CPUID", (uintptr_t)cpuid);
	call(vcpu_fd, KVM_SET_CPUID2, "KVM_SET_CPUID2", (uintptr_t)cpuid);
	free(cpuid);
}

static void set_registers(int vcpu_fd)
{
	const struct kvm_segment data = {
		.limit = UINT32_MAX,
		.selector = 0x10,
		.type = 3,
		.present = 1,
		.db = 1,
		.s = 1,
		.g = 1,
	};
	struct kvm_regs registers = {.rip = CODE_ADDRESS, .rflags = RFLAGS_FIXED};
	struct kvm_sregs special;

	call(vcpu_fd, KVM_GET_SREGS, "KVM_GET_SREGS", (uintptr_t)&special);
	special.cs = special.ds = special.es = special.fs = special.gs = special.ss = data;
	special.cs.selector = 0x08;
	special.cs.type = 11;
	special.cr0 |= CR0_PE;
	call(vcpu_fd, KVM_SET_SREGS, "KVM_SET_SREGS", (uintptr_t)&special);
	call(vcpu_fd, KVM_SET_REGS, "KVM_SET_REGS", (uintptr_t)&registers);
}

_Noreturn static void run(int vcpu_fd, const struct kvm_run *state)
{
	for (;;) {
		call(vcpu_fd, KVM_RUN, "KVM_RUN", 0);
		if (state->exit_reason != KVM_EXIT_IO || state->io.port != UART_PORT)
			errx(EXIT_FAILURE, "unexpected exit %u", state->exit_reason);
		if (write(STDOUT_FILENO, (const uint8_t *)state + state->io.data_offset, 1) != 1)
			err(EXIT_FAILURE, "write");
	}
}

int main(void)
{
	int kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	int vm_fd, vcpu_fd, run_bytes;
	struct kvm_run *state;

	if (kvm_fd < 0)
		err(EXIT_FAILURE, "/dev/kvm");
	vm_fd = call(kvm_fd, KVM_CREATE_VM, "KVM_CREATE_VM", 0);
	call(vm_fd, KVM_SET_TSS_ADDR, "KVM_SET_TSS_ADDR", TSS_ADDRESS);
	call(vm_fd, KVM_CREATE_IRQCHIP, "KVM_CREATE_IRQCHIP", 0);
	memcpy(map_memory(vm_fd) + CODE_ADDRESS, code, sizeof(code));
	vcpu_fd = call(vm_fd, KVM_CREATE_VCPU, "KVM_CREATE_VCPU", 0);
	run_bytes = call(kvm_fd, KVM_GET_VCPU_MMAP_SIZE, "KVM_GET_VCPU_MMAP_SIZE", 0);
	state = mmap(NULL, (size_t)run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu_fd, 0);
	if (state == MAP_FAILED)
		err(EXIT_FAILURE, "mmap");
	set_cpuid(kvm_fd, vcpu_fd);
	set_registers(vcpu_fd);
	run(vcpu_fd, state);
}
