#include "cmocka_all.h"
#include "kvm.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static void kinds(void **state)
{
	static const struct {
		const char *cpuinfo;
		bool intel, amd, pvm;
		enum kvm_kind kind;
		bool nested;
	} cases[] = {
		{"processor\t: 0\nflags\t\t: fpu vmx sse\n", false, false, false, KVM_KIND_VMX,
			false},
		{"flags\t\t: fpu sse svm\n", false, false, false, KVM_KIND_SVM, false},
		{"flags\t\t: svm hypervisor\n", false, true, false, KVM_KIND_SVM, true},
		{"flags\t\t: fpu sse hypervisor\n", false, false, true, KVM_KIND_SOFTWARE, true},
		{"flags\t\t: fpu svm_lock avmx vmx2\n", false, false, false, KVM_KIND_SOFTWARE,
			false},
		{"vmx flags\t: none\nflags\t\t:\n", false, false, false, KVM_KIND_SOFTWARE, false},
		{"flags\t\t: fpu vmx", false, false, true, KVM_KIND_SOFTWARE, false},
		{"flags\t\t: fpu", true, false, true, KVM_KIND_VMX, false},
		{"Features\t: fp asimd\n", false, false, false, KVM_KIND_ARM, false},
		{"flags\t\t: fpu\nflags\t\t: vmx\n", false, false, false, KVM_KIND_SOFTWARE, false},
		{"", false, false, false, KVM_KIND_UNKNOWN, false},
		{"flags", false, false, false, KVM_KIND_UNKNOWN, false},
		{"\n\n:", false, false, false, KVM_KIND_UNKNOWN, false},
	};

	(void)state;
	for (size_t i = 0; i < array_size(cases); i++) {
		struct kvm_evidence evidence = {.module_intel = cases[i].intel,
			.module_amd = cases[i].amd,
			.module_pvm = cases[i].pvm};

		kvm_read_cpuinfo(cases[i].cpuinfo, &evidence);
		assert_int_equal(kvm_kind_of(&evidence), cases[i].kind);
		assert_int_equal(evidence.flag_hypervisor, cases[i].nested);
	}
}

static void devices_that_are_not_kvm(void **state)
{
	struct err err;

	(void)state;
	assert_int_equal(kvm_open_path("/nonexistent/kvm", &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nonexistent/kvm does not exist: load KVM"));
	assert_int_equal(kvm_open_path("/dev/null", &err), -ENODEV);
	assert_string_equal(err.text, "/dev/null is not KVM's device");
	assert_int_equal(kvm_open_path("/", &err), -EISDIR);
	assert_int_equal(kvm_open_path("/dev/null", NULL), -ENODEV);
}

static void missing_capabilities_are_named(void **state)
{
	/* A descriptor that answers no KVM request lacks everything. */
	static const struct kvm_capability capabilities[] = {
		{1, "ONE", true, ""}, {2, "TWO", false, ""}, {3, "THREE", true, ""}};
	struct err err;

	(void)state;
	assert_int_equal(kvm_check_required(-1, capabilities, 3, &err), -ENOTSUP);
	assert_string_equal(err.text, "this host's KVM lacks KVM_CAP_ONE, KVM_CAP_THREE");
	assert_int_equal(kvm_check_required(-1, &capabilities[1], 1, &err), 0);
	assert_int_equal(kvm_try(-1, 0, &err), -EBADF);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds),
		cmocka_unit_test(devices_that_are_not_kvm),
		cmocka_unit_test(missing_capabilities_are_named),
	};

	return cmocka_run_group_tests_name("kvm", tests, NULL, NULL);
}
