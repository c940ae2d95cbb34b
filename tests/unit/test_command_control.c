/* The guest's words about its command: the known ones, and everything else. */
#include "cmocka_all.h"
#include "command_control.h"

#include <string.h>

#define EVENTS_MAX 16

struct heard {
	enum command_event events[EVENTS_MAX];
	uint32_t values[EVENTS_MAX];
	unsigned int count;
};

static void hear(void *owner, enum command_event event, uint32_t value)
{
	struct heard *heard = owner;

	assert_true(heard->count < EVENTS_MAX);
	heard->events[heard->count] = event;
	heard->values[heard->count++] = value;
}

static struct heard say(const char *words, size_t piece)
{
	struct heard heard = {.count = 0};
	struct command_control control = {.report = hear, .owner = &heard};
	size_t length = strlen(words);

	for (size_t at = 0; at < length; at += piece)
		command_control_take(
			&control, words + at, length - at < piece ? length - at : piece);
	return heard;
}

static void known_words(void **state)
{
	(void)state;
	for (size_t piece = 1; piece < 20; piece++) {
		struct heard heard = say("started\nexit 42\n", piece);

		assert_int_equal(heard.count, 2);
		assert_int_equal(heard.events[0], COMMAND_STARTED);
		assert_int_equal(heard.events[1], COMMAND_EXITED);
		assert_int_equal(heard.values[1], 42);
	}
	assert_int_equal(say("noexec 2\n", 64).events[0], COMMAND_NOT_EXECUTED);
	assert_int_equal(say("noexec 2\n", 64).values[0], 2);
}

static void nonsense_is_dropped(void **state)
{
	static const char *const nonsense[] = {"", "\n", "exit", "exit \n", "exit 256\n",
		"exit -1\n", "exit 1 \n", "exit 99999999999999999999\n", " exit 1\n", "noexec x\n",
		"noexec 4096\n", "start\n", "started \n", "STARTED\n", "\n\n\n\n", "\033[2J\n",
		"\x01\x02\x7f\n", "exit 1\r\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++)
		assert_int_equal(say(nonsense[i], 7).count, 0);
}

static void the_first_end_counts(void **state)
{
	struct heard heard = say("started\nstarted\nexit 1\nexit 2\nfailed x\nstarted\n", 5);

	(void)state;
	assert_int_equal(heard.count, 2);
	assert_int_equal(heard.values[1], 1);
}

static void long_lines_are_cut(void **state)
{
	struct heard heard = {.count = 0};
	struct command_control control = {.report = hear, .owner = &heard};

	(void)state;
	command_control_take(&control, "failed \033[31m", 12);
	for (unsigned int i = 0; i < 100000; i++)
		command_control_take(&control, "y", 1);
	assert_int_equal(heard.count, 0);
	command_control_take(&control, "\n", 1);
	assert_int_equal(heard.events[0], COMMAND_FAILED);
	assert_memory_equal(control.sentence, "?[31myy", 7);
	assert_int_equal(strlen(control.sentence), COMMAND_CONTROL_LINE_BYTES - 1 - 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_words),
		cmocka_unit_test(nonsense_is_dropped),
		cmocka_unit_test(the_first_end_counts),
		cmocka_unit_test(long_lines_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
