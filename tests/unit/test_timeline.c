/* The phases of a guest that starts more than once are those of its first life. */
#include "cmocka_all.h"
#include "timeline.h"

#include <stdatomic.h>

static uint64_t end_of(const struct timeline *timeline, enum timeline_phase phase)
{
	return atomic_load(&timeline->end_ns[phase]);
}

static void a_second_life_leaves_the_phases(void **state)
{
	static const enum timeline_phase lives[] = {TIMELINE_KVM, TIMELINE_START,
		TIMELINE_FIRST_BYTE, TIMELINE_END, TIMELINE_KVM, TIMELINE_START,
		TIMELINE_FIRST_BYTE, TIMELINE_END};
	struct timeline timeline;
	uint64_t first_end = 0;

	(void)state;
	timeline_begin(&timeline);
	for (size_t i = 0; i < array_size(lives); i++) {
		timeline_mark(&timeline, lives[i]);
		if (!first_end)
			first_end = end_of(&timeline, TIMELINE_END);
	}
	assert_int_equal(end_of(&timeline, TIMELINE_MEMORY), 0);
	assert_in_range(end_of(&timeline, TIMELINE_KVM), timeline.begin_ns,
		end_of(&timeline, TIMELINE_START));
	assert_in_range(end_of(&timeline, TIMELINE_START), timeline.begin_ns,
		end_of(&timeline, TIMELINE_FIRST_BYTE));
	assert_in_range(end_of(&timeline, TIMELINE_FIRST_BYTE), timeline.begin_ns, first_end);
	assert_in_range(first_end, timeline.begin_ns, end_of(&timeline, TIMELINE_END));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(a_second_life_leaves_the_phases)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
