/* See kvm.h. */
#include "kvm.h"

#include "fd.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int explain_open(const char *path, int error, struct err *err)
{
	switch (error) {
	case ENOENT:
		return err_set(err, error,
			"%s does not exist: load KVM (sudo modprobe kvm_intel or kvm_amd; on Arm "
			"the kernel has it when it was started at EL2), switch virtualization on "
			"in the firmware or in the hypervisor above, or hand the "
			"device to the container (--device /dev/kvm)",
			path);
	case EACCES:
		return err_set(err, error,
			"%s: permission denied: add yourself to the group kvm: sudo usermod -aG "
			"kvm "
			"$USER, then log in again",
			path);
	case EPERM:
		return err_set(err, error,
			"%s is forbidden by the container's device rules: start the container with "
			"--device /dev/kvm",
			path);
	case ENXIO:
	case ENODEV:
		return err_set(err, error,
			"%s is there, but no KVM behind it: load it (sudo modprobe kvm_intel or "
			"kvm_amd)",
			path);
	default:
		return err_set_errno(err, error, "%s", path);
	}
}

int kvm_open_path(const char *path, struct err *err)
{
	cleanup_fd int fd = open(path, O_RDWR | O_CLOEXEC);
	int version;

	if (fd < 0)
		return explain_open(path, errno, err);
	version = ioctl(fd, KVM_GET_API_VERSION, 0);
	if (version < 0)
		return err_set(err, ENODEV, "%s is not KVM's device", path);
	/* KVM API 4.1: anything but 12 is to be refused. */
	if (version != KVM_API_VERSION)
		return err_set(err, EPROTO, "%s speaks version %d of the KVM API, Hull version %d",
			path, version, KVM_API_VERSION);
	return take_fd(&fd);
}

int kvm_open(struct err *err)
{
	return kvm_open_path("/dev/kvm", err);
}

bool kvm_has_capability(int kvm_fd, const struct kvm_capability *capability)
{
	return ioctl(kvm_fd, KVM_CHECK_EXTENSION, (long)capability->number) > 0;
}

int kvm_check_required(
	int kvm_fd, const struct kvm_capability *capabilities, size_t count, struct err *err)
{
	cleanup_text struct text missing = {0};

	for (size_t i = 0; i < count; i++) {
		if (!capabilities[i].required || kvm_has_capability(kvm_fd, &capabilities[i]))
			continue;
		text_addf(
			&missing, "%sKVM_CAP_%s", missing.length ? ", " : "", capabilities[i].name);
	}
	if (missing.failed)
		return err_set(err, ENOMEM, "out of memory");
	if (missing.length)
		return err_set(err, ENOTSUP, "this host's KVM lacks %s", text_string(&missing));
	return 0;
}

int kvm_try(int kvm_fd, unsigned long vm_type, struct err *err)
{
	cleanup_fd int vm_fd = -1;
	cleanup_fd int vcpu_fd = -1;

	do
		vm_fd = ioctl(kvm_fd, KVM_CREATE_VM, vm_type);
	while (vm_fd < 0 && errno == EINTR);
	if (vm_fd < 0 && errno == EBUSY)
		return err_set(err, EBUSY,
			"KVM cannot create a VM: another hypervisor (VirtualBox, VMware) holds the "
			"processor; stop its VMs");
	if (vm_fd < 0)
		return err_set_errno(err, errno, "KVM cannot create a VM");
	vcpu_fd = ioctl(vm_fd, KVM_CREATE_VCPU, 0);
	if (vcpu_fd < 0)
		return err_set_errno(err, errno, "KVM cannot create a vCPU");
	return 0;
}

/* Is the word among the blank-separated words from start to end? */
static bool has_word(const char *start, const char *end, const char *word)
{
	size_t length = strlen(word);

	for (const char *at = start; (at = memmem(at, (size_t)(end - at), word, length)); at++)
		if ((at == start || at[-1] == ' ' || at[-1] == '\t') &&
			(at + length == end || at[length] == ' '))
			return true;
	return false;
}

void kvm_read_cpuinfo(const char *cpuinfo, struct kvm_evidence *evidence)
{
	for (const char *line = cpuinfo; *line;) {
		const char *end = strchrnul(line, '\n');
		const char *colon = memchr(line, ':', (size_t)(end - line));

		if (colon && strncmp(line, "Features", 8) == 0) {
			evidence->arm = true;
			return;
		}
		if (colon && strncmp(line, "flags", 5) == 0) {
			evidence->x86 = true;
			evidence->flag_vmx = has_word(colon + 1, end, "vmx");
			evidence->flag_svm = has_word(colon + 1, end, "svm");
			evidence->flag_hypervisor = has_word(colon + 1, end, "hypervisor");
			return;
		}
		line = *end ? end + 1 : end;
	}
}

struct kvm_evidence kvm_gather_evidence(void)
{
	struct kvm_evidence evidence = {
		.module_intel = access("/sys/module/kvm_intel", F_OK) == 0,
		.module_amd = access("/sys/module/kvm_amd", F_OK) == 0,
		.module_pvm = access("/sys/module/kvm_pvm", F_OK) == 0,
	};
	char cpuinfo[8192]; /* the first processor is enough */
	cleanup_fd int fd = open("/proc/cpuinfo", O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? 0 : fd_read(fd, cpuinfo, sizeof(cpuinfo) - 1);

	cpuinfo[length > 0 ? length : 0] = '\0';
	kvm_read_cpuinfo(cpuinfo, &evidence);
	return evidence;
}

/* A loaded module is the best witness; in a container /sys may be empty, then the flags speak. */
enum kvm_kind kvm_kind_of(const struct kvm_evidence *evidence)
{
	if (evidence->module_intel)
		return KVM_KIND_VMX;
	if (evidence->module_amd)
		return KVM_KIND_SVM;
	if (evidence->module_pvm)
		return KVM_KIND_SOFTWARE;
	if (evidence->arm)
		return KVM_KIND_ARM;
	if (!evidence->x86)
		return KVM_KIND_UNKNOWN;
	if (evidence->flag_vmx)
		return KVM_KIND_VMX;
	return evidence->flag_svm ? KVM_KIND_SVM : KVM_KIND_SOFTWARE;
}

const char *kvm_kind_name(enum kvm_kind kind)
{
	static const char *const names[] = {
		[KVM_KIND_UNKNOWN] = "unknown",
		[KVM_KIND_VMX] = "Intel VMX",
		[KVM_KIND_SVM] = "AMD SVM",
		[KVM_KIND_ARM] = "Arm virtualization",
		[KVM_KIND_SOFTWARE] = "software",
	};

	return names[kind];
}
