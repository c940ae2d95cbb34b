/* See checks.h. */
#include "checks.h"

#include "clock.h"
#include "cpu.h"
#include "gic.h"
#include "its.h"
#include "mmio.h"
#include "smp.h"
#include "trap.h"
#include "tree.h"

/* A GICv2m frame (SBSA, appendix E). */
#define FRAME_TYPER       0x08
#define FRAME_FIRST_SHIFT 16
#define FRAME_FIRST_MASK  0x3ff
#define FRAME_COUNT_MASK  0x3ff

#define DEVICES        16
#define MESSAGES       (DEVICES * ITS_EVENTS)
#define DEVICE_STRIDE  8 /* function 0 of each slot */
#define TARGETS_DEVICE 1

static volatile uint32_t taken[ITS_MESSAGES / 32]; /* a bit for each number */
static volatile unsigned int taken_count;
static volatile bool has_taken;
static volatile uint64_t taken_by;

static void on_message(uint32_t interrupt)
{
	const uint32_t index = interrupt - GIC_MESSAGE_FIRST;

	if (index < ITS_MESSAGES)
		taken[index / 32] |= 1u << index % 32;
	taken_count++;
	taken_by = cpu_affinity();
	has_taken = true;
}

static void check_frame(struct report *report)
{
	const uint64_t frame = tree_cells("v2m", "reg", 0);
	const uint32_t first = tree_cell("v2m", "arm,msi-base-spi", 0);
	const uint32_t count = tree_cell("v2m", "arm,msi-num-spis", 0);
	uint32_t type;

	if (!report_expect(report, frame != 0, "not in the tree"))
		return;
	type = mmio_read32(frame + FRAME_TYPER);
	report_expect(report,
		(type >> FRAME_FIRST_SHIFT & FRAME_FIRST_MASK) == first &&
			(type & FRAME_COUNT_MASK) == count,
		"type 0x%x, and the tree says %u from %u", type, count, first);
	report_expect(report, first >= GIC_SHARED_FIRST && first + count <= gic_interrupts(),
		"%u from %u of %u interrupts", count, first, gic_interrupts());
	report_note(report, "a frame with %u from %u", count, first);
}

/* KVM sorts all that is pending whenever it enters the guest: they are let in as they come. */
static bool raise_all(struct report *report)
{
	bool done = true;

	cpu_unmask_interrupts();
	for (uint32_t index = 0; done && index < MESSAGES; index++) {
		const uint32_t device = index / ITS_EVENTS * DEVICE_STRIDE;
		const uint32_t event = index % ITS_EVENTS;

		done = report_expect(report,
			its_map(device, event, GIC_MESSAGE_FIRST + index) &&
				its_raise(device, event),
			"no command for event %u of device %u", event, device);
	}
	cpu_mask_interrupts();
	return done;
}

static bool open_its(struct report *report)
{
	taken_count = 0;
	for (unsigned int i = 0; i < ITS_MESSAGES / 32; i++)
		taken[i] = 0;
	trap_set_message_handler(on_message);
	return report_expect(report, its_open(), "it does not work");
}

/* Each once. */
static void check_its(struct report *report)
{
	const uint64_t start = clock_count();

	if (!open_its(report) || !raise_all(report))
		return;
	cpu_unmask_interrupts();
	while (taken_count < MESSAGES && clock_has_patience(start))
		cpu_relax();
	cpu_mask_interrupts();
	report_expect(report, taken_count == MESSAGES, "%u of %u came", taken_count, MESSAGES);
	for (unsigned int i = 0; i < MESSAGES / 32; i++)
		if (!report_expect(report, taken[i] == UINT32_MAX, "of those from %u: 0x%x", i * 32,
			    taken[i]))
			break;
	report_note(report, "%u by an ITS at 0x%lx", MESSAGES, its_base());
	its_close();
}

void check_messages(struct report *report)
{
	if (gic_version() == 2)
		check_frame(report);
	else if (its_base())
		check_its(report);
	else
		report_note(report, "no ITS");
}

/* The handler runs where the message is sent to. */
void check_message_targets(struct report *report)
{
	unsigned int online = smp_start();

	if (!its_base()) {
		report_note(report, "no ITS");
		return;
	}
	if (!open_its(report) ||
		!report_expect(report, its_map(TARGETS_DEVICE, 0, GIC_MESSAGE_FIRST), "no map"))
		return;
	online = online < ITS_CPUS_MAX ? online : ITS_CPUS_MAX;
	for (unsigned int i = 0; i < online; i++) {
		has_taken = false;
		report_expect(report,
			(!i || (its_add_processor(i, smp_affinity(i)) &&
				       its_move(TARGETS_DEVICE, 0, i))) &&
				its_raise(TARGETS_DEVICE, 0),
			"no command for processor %u", i);
		report_expect(report, clock_wait_for(&has_taken) && taken_by == smp_affinity(i),
			"sent to processor %u, taken by 0x%lx", i, taken_by);
	}
	report_note(report, "%u processors", online);
	its_close();
}
