#include "cmocka_all.h"
#include "cpuid_table.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define INDEXED KVM_CPUID_FLAG_SIGNIFCANT_INDEX

/* What a host might offer; bits as the processor manuals have them. */
static struct cpuid_table *make_table(void)
{
	static const struct kvm_cpuid_entry2 entries[] = {
		{.function = 0, .eax = 0x1f},
		{.function = 1, .ebx = 0x12345678, .ecx = 1u << 5 | 1u << 21, .edx = 1u << 12},
		{.function = 4, .index = 0, .flags = INDEXED, .eax = 1u << 5 | 1, .ebx = 1},
		{.function = 4, .index = 3, .flags = INDEXED, .eax = 3u << 5 | 3 | 0xfffu << 14},
		{.function = 7, .index = 0, .flags = INDEXED, .ebx = 1u << 16 | 1u << 5},
		{.function = 0x1f, .index = 0, .flags = INDEXED, .ebx = 2},
		{.function = 0x1f, .index = 1, .flags = INDEXED, .ebx = 8},
		{.function = 0x40000001, .eax = 1u << 24 | 1u << 5 | 1u << 3 | 1},
		{.function = 0x80000001, .ecx = 1u << 2 | 1u << 22},
		{.function = 0x80000008, .ecx = 0x7fff},
		{.function = 0x8000001e, .eax = 99, .ebx = 99, .ecx = 99},
	};
	struct cpuid_table *table = calloc(1, sizeof(*table));

	assert_non_null(table);
	memcpy(table->entries, entries, sizeof(entries));
	table->header.nent = array_size(entries);
	return table;
}

static bool has_entry(const struct cpuid_table *table, uint32_t leaf, uint32_t subleaf)
{
	for (uint32_t i = 0; i < table->header.nent; i++)
		if (table->entries[i].function == leaf && table->entries[i].index == subleaf)
			return true;
	return false;
}

static const struct kvm_cpuid_entry2 *entry(
	const struct cpuid_table *table, uint32_t leaf, uint32_t subleaf)
{
	uint32_t i = 0;

	assert_true(has_entry(table, leaf, subleaf));
	while (table->entries[i].function != leaf || table->entries[i].index != subleaf)
		i++;
	return &table->entries[i];
}

static void topology(void **state)
{
	static const struct {
		unsigned int cpus;
		uint32_t id_bits;
	} cases[] = {{1, 0}, {2, 1}, {3, 2}, {4, 2}, {8, 3}, {255, 8}, {300, 9}, {1024, 10}};

	(void)state;
	for (size_t i = 0; i < array_size(cases); i++) {
		struct cpuid_table *table = make_table();
		unsigned int cpus = cases[i].cpus, last = cpus - 1;

		cpuid_set_common(table, cpus);
		cpuid_set_vcpu(table, last);
		assert_false(has_entry(table, 0x1f, 0));
		assert_false(has_entry(table, 0x1f, 1));
		assert_int_equal(entry(table, 0xb, 0)->ebx, 1);
		assert_int_equal(entry(table, 0xb, 0)->ecx, 0x100);
		assert_int_equal(entry(table, 0xb, 1)->eax, cases[i].id_bits);
		assert_int_equal(entry(table, 0xb, 1)->ebx, cpus);
		assert_int_equal(entry(table, 0xb, 1)->ecx, 0x201);
		assert_int_equal(entry(table, 0xb, 1)->edx, last);
		assert_int_equal(entry(table, 0xb, 2)->ecx, 2);
		assert_int_equal(entry(table, 1, 0)->ebx >> 24, last & 0xff);
		assert_int_equal(entry(table, 1, 0)->ebx & 0xffff, 0x5678);
		assert_int_equal(entry(table, 1, 0)->ebx >> 16 & 0xff, cpus < 255 ? cpus : 255);
		assert_int_equal(entry(table, 1, 0)->edx >> 28 & 1, cpus > 1);
		assert_int_equal(entry(table, 1, 0)->ecx >> 31, 1);
		assert_int_equal(entry(table, 4, 0)->eax >> 14 & 0xfff, 0);
		assert_int_equal(
			entry(table, 4, 3)->eax >> 14 & 0xfff, (1u << cases[i].id_bits) - 1);
		assert_int_equal(entry(table, 0x80000008, 0)->ecx >> 12 & 0xf, cases[i].id_bits);
		assert_int_equal(entry(table, 0x8000001e, 0)->eax, last);
		assert_int_equal(entry(table, 0x8000001e, 0)->ecx, 0);
		free(table);
	}
}

static void features(void **state)
{
	struct cpuid_table *table = make_table();

	(void)state;
	assert_int_equal(cpuid_apply_features(table, "-avx512f", NULL), 0);
	assert_int_equal(entry(table, 7, 0)->ebx, 1u << 5);
	assert_int_equal(entry(table, 1, 0)->ecx, 1u << 21); /* no vmx unless asked for */
	assert_int_equal(entry(table, 0x80000001, 0)->ecx, 1u << 22);
	free(table);
	table = make_table();
	assert_int_equal(cpuid_apply_features(table, "+vmx,-x2apic", NULL), 0);
	assert_int_equal(entry(table, 1, 0)->ecx, 1u << 5);
	assert_int_equal(entry(table, 0x80000001, 0)->ecx, 1u << 22);
	free(table);
	table = make_table();
	assert_int_equal(cpuid_apply_features(table, "-kvmclock", NULL), 0);
	assert_int_equal(entry(table, 0x40000001, 0)->eax, 1u << 5);
	free(table);
}

static void bad_features(void **state)
{
	static const struct {
		const char *words;
		int result;
		const char *part;
	} cases[] = {
		{"avx512f", -EINVAL, "'avx512f' is not -FEATURE"},
		{"-", -EINVAL, "'-' is not"},
		{"-avx512f,,", -EINVAL, "'' is not"},
		{"-avx9000", -EINVAL, "'avx9000'"},
		{"-avx2,-AVX", -EINVAL, "'AVX'"},
		{"+la57", -ENOTSUP, "does not offer 'la57'"},
	};

	(void)state;
	for (size_t i = 0; i < array_size(cases); i++) {
		struct cpuid_table *table = make_table();
		struct err err = {0};

		assert_int_equal(
			cpuid_apply_features(table, cases[i].words, &err), cases[i].result);
		assert_non_null(strstr(err.text, cases[i].part));
		free(table);
	}
	assert_int_equal(cpuid_apply_features(NULL, "-avx2,+la57", NULL), 0);
	assert_int_equal(cpuid_apply_features(NULL, "-avx9000", NULL), -EINVAL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(topology),
		cmocka_unit_test(features),
		cmocka_unit_test(bad_features),
	};

	return cmocka_run_group_tests_name("cpuid_table", tests, NULL, NULL);
}
