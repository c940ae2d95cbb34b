/*
 * See cpuid_table.h. The table is KVM_GET_SUPPORTED_CPUID's; entries are edited in place, so that a
 * leaf that KVM does not know is never invented, except the topology leaf, which every guest needs.
 */
#include "cpuid_table.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>

enum cpuid_register { EAX, EBX, ECX, EDX };

struct cpuid_feature {
	const char *name; /* as in /proc/cpuinfo */
	uint32_t leaf;
	uint32_t subleaf;
	enum cpuid_register in;
	unsigned int bit;
	bool off_by_default;
};

/* Nested virtualisation is off unless asked for: it is a large attack surface that few guests use.
 */
static const struct cpuid_feature features[] = {
	{"pni", 1, 0, ECX, 0, false},
	{"pclmulqdq", 1, 0, ECX, 1, false},
	{"vmx", 1, 0, ECX, 5, true},
	{"ssse3", 1, 0, ECX, 9, false},
	{"fma", 1, 0, ECX, 12, false},
	{"cx16", 1, 0, ECX, 13, false},
	{"pcid", 1, 0, ECX, 17, false},
	{"sse4_1", 1, 0, ECX, 19, false},
	{"sse4_2", 1, 0, ECX, 20, false},
	{"x2apic", 1, 0, ECX, 21, false},
	{"movbe", 1, 0, ECX, 22, false},
	{"popcnt", 1, 0, ECX, 23, false},
	{"tsc_deadline_timer", 1, 0, ECX, 24, false},
	{"aes", 1, 0, ECX, 25, false},
	{"xsave", 1, 0, ECX, 26, false},
	{"avx", 1, 0, ECX, 28, false},
	{"f16c", 1, 0, ECX, 29, false},
	{"rdrand", 1, 0, ECX, 30, false},
	{"mca", 1, 0, EDX, 14, false},
	{"mce", 1, 0, EDX, 7, false},
	{"mtrr", 1, 0, EDX, 12, false},
	{"fsgsbase", 7, 0, EBX, 0, false},
	{"tsc_adjust", 7, 0, EBX, 1, false},
	{"bmi1", 7, 0, EBX, 3, false},
	{"hle", 7, 0, EBX, 4, false},
	{"avx2", 7, 0, EBX, 5, false},
	{"smep", 7, 0, EBX, 7, false},
	{"bmi2", 7, 0, EBX, 8, false},
	{"erms", 7, 0, EBX, 9, false},
	{"invpcid", 7, 0, EBX, 10, false},
	{"rtm", 7, 0, EBX, 11, false},
	{"avx512f", 7, 0, EBX, 16, false},
	{"avx512dq", 7, 0, EBX, 17, false},
	{"rdseed", 7, 0, EBX, 18, false},
	{"adx", 7, 0, EBX, 19, false},
	{"smap", 7, 0, EBX, 20, false},
	{"avx512ifma", 7, 0, EBX, 21, false},
	{"clflushopt", 7, 0, EBX, 23, false},
	{"clwb", 7, 0, EBX, 24, false},
	{"avx512cd", 7, 0, EBX, 28, false},
	{"sha_ni", 7, 0, EBX, 29, false},
	{"avx512bw", 7, 0, EBX, 30, false},
	{"avx512vl", 7, 0, EBX, 31, false},
	{"avx512vbmi", 7, 0, ECX, 1, false},
	{"umip", 7, 0, ECX, 2, false},
	{"pku", 7, 0, ECX, 3, false},
	{"avx512_vbmi2", 7, 0, ECX, 6, false},
	{"shstk", 7, 0, ECX, 7, false},
	{"gfni", 7, 0, ECX, 8, false},
	{"vaes", 7, 0, ECX, 9, false},
	{"vpclmulqdq", 7, 0, ECX, 10, false},
	{"avx512_vnni", 7, 0, ECX, 11, false},
	{"avx512_bitalg", 7, 0, ECX, 12, false},
	{"avx512_vpopcntdq", 7, 0, ECX, 14, false},
	{"la57", 7, 0, ECX, 16, false},
	{"rdpid", 7, 0, ECX, 22, false},
	{"fsrm", 7, 0, EDX, 4, false},
	{"ibt", 7, 0, EDX, 20, false},
	{"amx_bf16", 7, 0, EDX, 22, false},
	{"avx512_fp16", 7, 0, EDX, 23, false},
	{"amx_tile", 7, 0, EDX, 24, false},
	{"amx_int8", 7, 0, EDX, 25, false},
	{"avx_vnni", 7, 1, EAX, 4, false},
	{"avx512_bf16", 7, 1, EAX, 5, false},
	{"xsaveopt", 0xd, 1, EAX, 0, false},
	{"xsavec", 0xd, 1, EAX, 1, false},
	{"xgetbv1", 0xd, 1, EAX, 2, false},
	{"xsaves", 0xd, 1, EAX, 3, false},
	{"lahf_lm", 0x80000001, 0, ECX, 0, false},
	{"svm", 0x80000001, 0, ECX, 2, true},
	{"abm", 0x80000001, 0, ECX, 5, false},
	{"sse4a", 0x80000001, 0, ECX, 6, false},
	{"3dnowprefetch", 0x80000001, 0, ECX, 8, false},
	{"topoext", 0x80000001, 0, ECX, 22, false},
	{"perfctr_core", 0x80000001, 0, ECX, 23, false},
	{"pdpe1gb", 0x80000001, 0, EDX, 26, false},
	{"rdtscp", 0x80000001, 0, EDX, 27, false},
	{"clzero", 0x80000008, 0, EBX, 0, false},
	{"kvmclock", 0x40000001, 0, EAX, 0, false},
	{"kvmclock", 0x40000001, 0, EAX, 3, false},
	{"kvmclock", 0x40000001, 0, EAX, 24, false},
	{"kvm_steal_time", 0x40000001, 0, EAX, 5, false},
	{"kvm_asyncpf", 0x40000001, 0, EAX, 4, false},
};

static struct kvm_cpuid_entry2 *find(struct cpuid_table *table, uint32_t leaf, uint32_t subleaf)
{
	for (uint32_t i = 0; i < table->header.nent; i++) {
		struct kvm_cpuid_entry2 *entry = &table->entries[i];
		bool indexed = entry->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX;

		if (entry->function == leaf && (!indexed || entry->index == subleaf))
			return entry;
	}
	return NULL;
}

static uint32_t *register_of(struct kvm_cpuid_entry2 *entry, enum cpuid_register in)
{
	switch (in) {
	case EAX:
		return &entry->eax;
	case EBX:
		return &entry->ebx;
	case ECX:
		return &entry->ecx;
	default:
		return &entry->edx;
	}
}

int cpuid_get_supported(int kvm_fd, struct cpuid_table *table, struct err *err)
{
	table->header.nent = CPUID_ENTRIES_MAX;
	if (ioctl(kvm_fd, KVM_GET_SUPPORTED_CPUID, &table->header) < 0)
		return err_set_errno(err, errno, "KVM did not tell which CPU features it supports");
	return 0;
}

static void clear_feature(struct cpuid_table *table, const struct cpuid_feature *feature)
{
	struct kvm_cpuid_entry2 *entry = find(table, feature->leaf, feature->subleaf);

	if (entry)
		*register_of(entry, feature->in) &= ~(1u << feature->bit);
}

static bool has_name(const struct cpuid_feature *feature, const char *name, size_t length)
{
	return strlen(feature->name) == length && memcmp(feature->name, name, length) == 0;
}

/* One "-name" or "+name"; added[i] is set for what was added. A name may stand for several bits. */
static int apply_word(
	struct cpuid_table *table, const char *word, size_t length, bool *added, struct err *err)
{
	bool known = false;

	for (size_t i = 0; i < array_size(features); i++) {
		struct kvm_cpuid_entry2 *entry;

		if (!has_name(&features[i], word + 1, length - 1))
			continue;
		known = true;
		if (!table)
			continue;
		if (word[0] == '-') {
			clear_feature(table, &features[i]);
			continue;
		}
		added[i] = true;
		entry = find(table, features[i].leaf, features[i].subleaf);
		if (!entry || !(*register_of(entry, features[i].in) & 1u << features[i].bit))
			return err_set(err, ENOTSUP, "--cpu: this host's KVM does not offer '%s'",
				features[i].name);
	}
	if (!known)
		return err_set(err, EINVAL,
			"--cpu: no CPU feature is called '%.*s' (names are those of /proc/cpuinfo)",
			(int)length - 1, word + 1);
	return 0;
}

static int scan_words(struct cpuid_table *table, const char *words, bool *added, struct err *err)
{
	while (*words) {
		size_t length = strcspn(words, ",");
		int r;

		if (length < 2 || (words[0] != '-' && words[0] != '+'))
			return err_set(err, EINVAL,
				"--cpu: '%.*s' is not -FEATURE or +FEATURE, as in --cpu=-avx512f",
				(int)length, words);
		r = apply_word(table, words, length, added, err);
		if (r < 0)
			return r;
		words += length;
		words += *words == ',';
	}
	return 0;
}

int cpuid_apply_features(struct cpuid_table *table, const char *words, struct err *err)
{
	bool added[array_size(features)] = {false};
	int r = scan_words(table, words ? words : "", added, err);

	if (r < 0 || !table)
		return r;
	for (size_t i = 0; i < array_size(features); i++)
		if (features[i].off_by_default && !added[i])
			clear_feature(table, &features[i]);
	return 0;
}

/* The number of APIC id bits that cpu_count ids need. */
static uint32_t id_bits(unsigned int cpu_count)
{
	uint32_t bits = 0;

	while ((1u << bits) < cpu_count)
		bits++;
	return bits;
}

static struct kvm_cpuid_entry2 *find_or_add(
	struct cpuid_table *table, uint32_t leaf, uint32_t subleaf, uint32_t flags)
{
	struct kvm_cpuid_entry2 *entry = find(table, leaf, subleaf);

	if (entry || table->header.nent == CPUID_ENTRIES_MAX)
		return entry;
	entry = &table->entries[table->header.nent++];
	*entry = (struct kvm_cpuid_entry2){.function = leaf, .index = subleaf, .flags = flags};
	return entry;
}

static void set_bits(uint32_t *word, unsigned int low, unsigned int width, uint32_t value)
{
	uint32_t mask = ((width < 32 ? 1u << width : 0) - 1) << low;

	*word = (*word & ~mask) | ((value << low) & mask);
}

/* Leaf 0xb: one thread per core (level 0), all cores in one package (level 1), end (level 2). */
static void set_topology_leaf(struct cpuid_table *table, unsigned int cpu_count)
{
	static const uint32_t level_types[] = {1, 2, 0}; /* SMT, core, none */
	struct kvm_cpuid_entry2 *lowest = find_or_add(table, 0, 0, 0);

	if (lowest && lowest->eax < 0xb)
		lowest->eax = 0xb;
	for (uint32_t level = 0; level < array_size(level_types); level++) {
		struct kvm_cpuid_entry2 *entry = find_or_add(
			table, 0xb, level, KVM_CPUID_FLAG_SIGNIFCANT_INDEX);

		if (!entry)
			return;
		entry->flags |= KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
		entry->eax = level == 1 ? id_bits(cpu_count) : 0;
		entry->ebx = level == 0 ? 1 : level == 1 ? cpu_count : 0;
		entry->ecx = level | level_types[level] << 8;
	}
}

void cpuid_set_common(struct cpuid_table *table, unsigned int cpu_count)
{
	uint32_t kept = 0;

	/* Leaf 0x1f describes the host's dies and modules; 0xb is what we stand by. */
	for (uint32_t i = 0; i < table->header.nent; i++)
		if (table->entries[i].function != 0x1f)
			table->entries[kept++] = table->entries[i];
	table->header.nent = kept;
	set_topology_leaf(table, cpu_count);

	for (uint32_t i = 0; i < table->header.nent; i++) {
		struct kvm_cpuid_entry2 *entry = &table->entries[i];
		bool many = cpu_count > 1;

		switch (entry->function) {
		case 1:
			set_bits(&entry->ebx, 16, 8, cpu_count < 255 ? cpu_count : 255);
			set_bits(&entry->ecx, 31, 1, 1);    /* runs under a hypervisor */
			set_bits(&entry->edx, 28, 1, many); /* the count above is valid */
			break;
		case 4: /* Intel caches: levels 1 and 2 a core's own, level 3 the package's */
			if (entry->eax & 0x1f) {
				uint32_t level = entry->eax >> 5 & 7;

				set_bits(&entry->eax, 14, 12,
					level >= 3 ? (1u << id_bits(cpu_count)) - 1 : 0);
				set_bits(&entry->eax, 26, 6, (1u << id_bits(cpu_count)) - 1);
			}
			break;
		case 0x80000001:
			set_bits(&entry->ecx, 1, 1, many && (entry->ecx >> 1 & 1)); /* CmpLegacy */
			break;
		case 0x80000008: /* AMD: cores - 1 and the width of an id */
			set_bits(&entry->ecx, 0, 8, cpu_count - 1 < 255 ? cpu_count - 1 : 255);
			set_bits(&entry->ecx, 12, 4, id_bits(cpu_count));
			break;
		case 0x8000001d: /* AMD caches, as leaf 4 */
			if (entry->eax & 0x1f)
				set_bits(&entry->eax, 14, 12,
					(entry->eax >> 5 & 7) >= 3 ? cpu_count - 1 : 0);
			break;
		default:
			break;
		}
	}
}

void cpuid_set_vcpu(struct cpuid_table *table, unsigned int index)
{
	for (uint32_t i = 0; i < table->header.nent; i++) {
		struct kvm_cpuid_entry2 *entry = &table->entries[i];

		switch (entry->function) {
		case 1:
			set_bits(&entry->ebx, 24, 8, index & 0xff);
			break;
		case 0xb:
			entry->edx = index;
			break;
		case 0x8000001e: /* AMD: extended APIC id, core id with one thread each, node 0 */
			entry->eax = index;
			entry->ebx = index & 0xff;
			entry->ecx = 0;
			break;
		default:
			break;
		}
	}
}
