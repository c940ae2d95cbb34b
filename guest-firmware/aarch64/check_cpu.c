/* See checks.h. */
#include "checks.h"

#include "cpu.h"
#include "facts.h"
#include "places.h"
#include "psci.h"
#include "smp.h"
#include "trap.h"
#include "tree.h"

#define LEVEL_SHIFT 2
#define LEVEL_MASK  3

/* Data abort: the instruction wrote; a translation fault, at any level. */
#define ABORT_WRITE             (1u << 6)
#define ABORT_FAULT_MASK        0x3c
#define ABORT_TRANSLATION_FAULT 0x04

/* Further than the 39 bits that entry.S translates. */
#define NOT_MAPPED (UINT64_C(1) << 40)

/* Affinity that the tree has no processor for: no level of it is that high. */
#define NO_PROCESSOR UINT64_C(0xff00ffffff)
#define NO_FUNCTION  0x8400ff00

#define RINGS 20

void check_entry(struct report *report)
{
	const unsigned int level = CPU_READ("currentel") >> LEVEL_SHIFT & LEVEL_MASK;

	report_expect(report, level == 1, "exception level %u", level);
	report_expect(report, facts.tree != 0, "x0 was no device tree");
	report_expect(report, cpu_affinity() == smp_affinity(0),
		"processor 0x%lx, and the tree's first is 0x%lx", cpu_affinity(), smp_affinity(0));
	report_fact("entry", "%s", "image");
}

static void expect_caught(struct report *report, const char *name, struct trap_caught caught,
	uint32_t class, uint32_t details)
{
	if (!report_expect(report, caught.taken, "%s raised nothing", name))
		return;
	report_expect(report, caught.class == class, "%s: class 0x%x", name, caught.class);
	report_expect(report, (caught.details & 0xffff) == details, "%s: syndrome 0x%x", name,
		caught.details);
}

static void check_abort(struct report *report)
{
	struct trap_caught caught;

	trap_watch();
	__asm__ volatile("str xzr, [%0]" : : "r"(NOT_MAPPED) : "memory");
	caught = trap_unwatch();
	if (!report_expect(report, caught.taken, "a store to nowhere raised nothing"))
		return;
	report_expect(report, caught.class == TRAP_DATA_ABORT, "store: class 0x%x", caught.class);
	report_expect(report,
		(caught.details & ABORT_WRITE) &&
			(caught.details & ABORT_FAULT_MASK) == ABORT_TRANSLATION_FAULT,
		"store: syndrome 0x%x", caught.details);
	report_expect(report, caught.address == NOT_MAPPED, "store: address 0x%lx", caught.address);
}

void check_exceptions(struct report *report)
{
	trap_watch();
	__asm__ volatile("brk #0x1234" : : : "memory");
	expect_caught(report, "brk", trap_unwatch(), TRAP_BREAKPOINT, 0x1234);
	trap_watch();
	__asm__ volatile("svc #0x4321" : : : "memory");
	expect_caught(report, "svc", trap_unwatch(), TRAP_SUPERVISOR, 0x4321);
	trap_watch();
	__asm__ volatile(".inst 0" : : : "memory"); /* permanently undefined */
	expect_caught(report, "udf", trap_unwatch(), TRAP_UNKNOWN, 0);
	check_abort(report);
}

static void expect_error(struct report *report, const char *what, int32_t found, int32_t wanted)
{
	report_expect(report, found == wanted, "%s: %d, not %d", what, found, wanted);
}

/* No system goes to sleep that could not come back: beside RAM, and between instructions. */
static void check_suspend(struct report *report)
{
	const uint64_t ram = facts.ram_base, end = facts.ram_base + facts.ram_bytes;
	const uint64_t places[] = {0, PLACE_UART, ram - 4, ram + 2, end, end + 2, UINT64_MAX - 3};

	if (psci_call(PSCI_FEATURES, PSCI_SYSTEM_SUSPEND, 0, 0) < 0) {
		report_note(report, "this system cannot sleep");
		return;
	}
	for (unsigned int i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		expect_error(report, "sleep", psci_call(PSCI_SYSTEM_SUSPEND, places[i], 0, 0),
			PSCI_INVALID_ADDRESS);
}

void check_psci(struct report *report)
{
	static const struct {
		const char *name;
		uint32_t number;
	} functions[] = {{"CPU_ON", PSCI_CPU_ON}, {"AFFINITY_INFO", PSCI_AFFINITY_INFO},
		{"SYSTEM_OFF", PSCI_SYSTEM_OFF}, {"SYSTEM_RESET", PSCI_SYSTEM_RESET}};
	uint32_t version;

	if (!report_expect(report, *psci_method(), "no method"))
		return;
	version = (uint32_t)psci_call(PSCI_VERSION, 0, 0, 0);
	report_expect(report, version >= 2 && version < 0x20000, "version 0x%x", version);
	report_note(report, "by %s, version %u.%u", psci_method(), version >> 16, version & 0xffff);
	if (version < 0x10000)
		return;
	for (unsigned int i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
		report_expect(report, psci_call(PSCI_FEATURES, functions[i].number, 0, 0) >= 0,
			"no %s", functions[i].name);
	report_expect(report, psci_call(PSCI_FEATURES, NO_FUNCTION, 0, 0) == PSCI_NOT_SUPPORTED,
		"a function that does not exist");
	check_suspend(report);
}

void check_smp(struct report *report)
{
	const unsigned int expected = smp_expected();
	unsigned int online;

	report_fact("cpus", "%u", expected);
	for (unsigned int i = 1; i < expected; i++)
		for (unsigned int j = 0; j < i; j++)
			report_expect(report, smp_affinity(i) != smp_affinity(j),
				"%u and %u are both 0x%lx", i, j, smp_affinity(i));
	for (unsigned int i = 1; i < expected; i++)
		report_expect(report,
			psci_call(PSCI_AFFINITY_INFO, smp_affinity(i), 0, 0) == PSCI_AFFINITY_OFF,
			"AFFINITY_INFO of %u, which is off", i);
	online = smp_start();
	report_fact("online", "%u", online);
	report_expect(report, online == expected, "%u of %u came up", online, expected);
	for (unsigned int i = 0; i < online; i++) {
		report_expect(report, smp_is_sound(i), "processor %u is not as told", i);
		report_expect(report,
			psci_call(PSCI_AFFINITY_INFO, smp_affinity(i), 0, 0) == PSCI_AFFINITY_ON,
			"AFFINITY_INFO of %u", i);
	}
}

void check_psci_errors(struct report *report)
{
	const unsigned int online = smp_start();

	expect_error(report, "start of itself",
		psci_call(PSCI_CPU_ON, cpu_affinity(), smp_entry(), 0), PSCI_ALREADY_ON);
	expect_error(report, "second start",
		psci_call(PSCI_CPU_ON, smp_affinity(online - 1), smp_entry(), 0), PSCI_ALREADY_ON);
	expect_error(report, "start of nobody",
		psci_call(PSCI_CPU_ON, NO_PROCESSOR, smp_entry(), 0), PSCI_INVALID_PARAMETERS);
	expect_error(report, "state of nobody", psci_call(PSCI_AFFINITY_INFO, NO_PROCESSOR, 0, 0),
		PSCI_INVALID_PARAMETERS);
	expect_error(report, "no function", psci_call(NO_FUNCTION, 0, 0, 0), PSCI_NOT_SUPPORTED);
}

void check_ipi(struct report *report)
{
	const unsigned int online = smp_start();
	const unsigned int hops = smp_ring();

	report_expect(report, hops == online, "%u hops round %u processors", hops, online);
	report_note(report, "%u hops", hops);
}

void check_timer_order(struct report *report)
{
	const unsigned int online = smp_start();

	for (unsigned int i = 0; i < RINGS; i++) {
		report_expect(report, smp_ring() == online, "ring %u has no end", i);
		report_expect(report, smp_ring_behind() == 0, "in ring %u a clock is %lu behind", i,
			smp_ring_behind());
	}
	report_note(report, "%u processors", online);
}
