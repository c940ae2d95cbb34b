/* Is there KVM, of what kind, and can it do what Hull asks of it? */
#include "doctor.h"

#include "arch.h"
#include "config.h"
#include "err.h"
#include "fd.h"
#include "kvm.h"
#include "kvm_capabilities.h"

#include <errno.h>

static void check_kind(struct report *report)
{
	struct kvm_evidence evidence = kvm_gather_evidence();
	enum kvm_kind kind = kvm_kind_of(&evidence);

	if (kind == KVM_KIND_SOFTWARE)
		report_add(report, "kvm kind", FINDING_LIMITED,
			"use a host whose processor offers VMX or SVM (a nested guest: ask its "
			"provider)",
			"software%s: the processor offers neither VMX nor SVM; guest kernels are "
			"interpreted, and the kernel of a distribution may not run",
			evidence.module_pvm ? " (kvm_pvm)" : "");
	else if (evidence.flag_hypervisor)
		report_add(report, "kvm kind", FINDING_OK, NULL,
			"%s, nested: this host is a guest itself, so exits are slow",
			kvm_kind_name(kind));
	else
		report_add(report, "kvm kind", FINDING_OK, NULL, "%s", kvm_kind_name(kind));
}

/* Without KVM: would loading it help? */
static void check_processor(struct report *report)
{
	struct kvm_evidence evidence = kvm_gather_evidence();

	if (!evidence.x86)
		return;
	if (evidence.flag_vmx || evidence.flag_svm)
		report_add(report, "processor", FINDING_OK, NULL, "offers %s",
			evidence.flag_vmx ? "VMX (module kvm_intel)" : "SVM (module kvm_amd)");
	else
		report_add(report, "processor", FINDING_MISSING,
			evidence.flag_hypervisor
				? "this host is a guest: ask for nested virtualization"
				: "switch virtualization on in the firmware",
			"offers neither VMX nor SVM");
}

/* The names of those capabilities of the kind that are there, or that are not; the number. */
static size_t list_capabilities(int kvm_fd, bool required, bool present, struct text *text)
{
	size_t total;
	const struct kvm_capability *list = arch_kvm_capabilities(&total);
	size_t count = 0;

	for (size_t i = 0; i < total; i++) {
		if (list[i].required != required || kvm_has_capability(kvm_fd, &list[i]) != present)
			continue;
		text_addf(text, "%s%s", count++ ? " " : "", list[i].name);
		if (!present)
			text_addf(text, " (%s)", list[i].purpose);
	}
	return count;
}

static bool check_capabilities(struct report *report, int kvm_fd, bool required)
{
	const char *name = required ? "kvm needed" : "kvm wanted";
	cleanup_text struct text present = {0};
	cleanup_text struct text missing = {0};

	(void)list_capabilities(kvm_fd, required, true, &present);
	if (list_capabilities(kvm_fd, required, false, &missing) == 0) {
		report_add(report, name, FINDING_OK, NULL, "%s", text_string(&present));
		return true;
	}
	report_add(report, name, required ? FINDING_MISSING : FINDING_LIMITED,
		required ? "use a newer kernel on this host" : NULL, "without %s",
		text_string(&missing));
	return false;
}

void doctor_check_kvm(struct report *report)
{
	struct err err = {0};
	cleanup_fd int fd = kvm_open(&err);
	unsigned long vm_type;

	if (fd < 0) {
		report_add(report, "kvm", FINDING_MISSING, NULL, "%s", err.text);
		if (fd == -ENOENT || fd == -ENXIO || fd == -ENODEV)
			check_processor(report);
		return;
	}
	if (arch_vm_type(fd, CONFIG_MEMORY_MIN_BYTES, &vm_type, &err) < 0 ||
		kvm_try(fd, vm_type, &err) < 0) {
		report_add(report, "kvm", FINDING_MISSING, NULL, "%s", err.text);
		return;
	}
	report_add(report, "kvm", FINDING_OK, NULL,
		"/dev/kvm opens, API version 12; a VM and a vCPU can be created");
	check_kind(report);
	report->usable = check_capabilities(report, fd, true);
	(void)check_capabilities(report, fd, false);
}
