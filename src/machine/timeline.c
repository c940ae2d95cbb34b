/* See timeline.h. */
#include "timeline.h"

#include "clock.h"

#include <stdatomic.h>

void timeline_begin(struct timeline *timeline)
{
	*timeline = (struct timeline){.begin_ns = clock_monotonic_ns()};
}

void timeline_mark(struct timeline *timeline, enum timeline_phase phase)
{
	if (phase != TIMELINE_END &&
		atomic_load_explicit(&timeline->end_ns[phase], memory_order_relaxed))
		return;
	atomic_store_explicit(&timeline->end_ns[phase], clock_monotonic_ns(), memory_order_relaxed);
}

void timeline_report(const struct timeline *timeline, struct text *text)
{
	static const char *const names[TIMELINE_PHASES] = {
		[TIMELINE_FILES] = "open kernel and initrd",
		[TIMELINE_KVM] = "create VM and irqchip",
		[TIMELINE_MEMORY] = "map memory",
		[TIMELINE_DEVICES] = "create devices and vCPUs",
		[TIMELINE_LOAD] = "load kernel and tables",
		[TIMELINE_START] = "start vCPUs",
		[TIMELINE_FIRST_BYTE] = "first byte on the console",
		[TIMELINE_END] = "guest ended",
	};
	uint64_t before_ns = timeline->begin_ns;

	for (unsigned int phase = 0; phase < TIMELINE_PHASES; phase++) {
		uint64_t end_ns = atomic_load_explicit(
			&timeline->end_ns[phase], memory_order_relaxed);

		if (!end_ns)
			continue;
		text_addf(text, "%-26s %10.3f ms   at %10.3f ms\n", names[phase],
			(double)(end_ns - before_ns) / 1e6,
			(double)(end_ns - timeline->begin_ns) / 1e6);
		before_ns = end_ns;
	}
}
