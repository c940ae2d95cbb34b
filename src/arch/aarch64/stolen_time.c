/* See stolen_time.h. */
#include "stolen_time.h"

#include "gmem.h"
#include "layout.h"
#include "vcpu.h"

#include <errno.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define RECORD_BYTES UINT64_C(64)
#define MEMORY_SLOT  GMEM_REGIONS_MAX /* those before it are RAM's */

_Static_assert(512 * RECORD_BYTES <= STOLEN_TIME_BYTES, "as many CPUs as KVM has fit");

static int ask(const struct arch_vm *arch, unsigned int index, unsigned long request)
{
	uint64_t address = STOLEN_TIME_BASE + index * RECORD_BYTES;
	const struct kvm_device_attr attr = {
		.group = KVM_ARM_VCPU_PVTIME_CTRL,
		.attr = KVM_ARM_VCPU_PVTIME_IPA,
		.addr = (uint64_t)(uintptr_t)&address,
	};

	return ioctl(arch->vcpus[index].fd, request, &attr) < 0 ? -errno : 0;
}

static int map_records(struct arch_vm *arch)
{
	struct kvm_userspace_memory_region slot = {
		.slot = MEMORY_SLOT,
		.guest_phys_addr = STOLEN_TIME_BASE,
		.memory_size = STOLEN_TIME_BYTES,
	};
	void *records = mmap(NULL, STOLEN_TIME_BYTES, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (records == MAP_FAILED)
		return -errno;
	arch->stolen_times = records;
	slot.userspace_addr = (uint64_t)(uintptr_t)records;
	return ioctl(arch->vm_fd, KVM_SET_USER_MEMORY_REGION, &slot) < 0 ? -errno : 0;
}

int stolen_time_create(struct arch_vm *arch, struct err *err)
{
	int r;

	if (ask(arch, 0, KVM_HAS_DEVICE_ATTR) < 0)
		return 0;
	r = map_records(arch);
	for (unsigned int i = 0; r == 0 && i < arch->cpu_count; i++)
		r = ask(arch, i, KVM_SET_DEVICE_ATTR);
	return r < 0 ? err_set_errno(err, r, "the vCPUs' records of stolen time") : 0;
}

void stolen_time_destroy(struct arch_vm *arch)
{
	if (arch->stolen_times)
		(void)munmap(arch->stolen_times, STOLEN_TIME_BYTES);
	arch->stolen_times = NULL;
}
