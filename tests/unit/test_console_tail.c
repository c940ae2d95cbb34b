/* The end of a console: whole lines, no terminal sequences, never more than there is room for. */
#include "cmocka_all.h"
#include "console_tail.h"

#include <string.h>

static void say(struct console_tail *tail, const char *words)
{
	const struct console_port port = console_tail_port(tail);

	assert_int_equal(port.ops->write(port.host, words, strlen(words)), strlen(words));
	assert_false(port.ops->is_congested(port.host));
}

static void a_short_one_is_whole(void **state)
{
	static struct console_tail tail;
	cleanup_text struct text text = {0};

	(void)state;
	console_tail_show(&tail, &text);
	assert_string_equal(text_string(&text), "");
	say(&tail, "one\r\n\033[31mtwo\a\n");
	say(&tail, "thr");
	say(&tail, "ee");
	console_tail_show(&tail, &text);
	assert_string_equal(text_string(&text), "one\n[31mtwo\nthree");
}

static void a_long_one_begins_with_a_line(void **state)
{
	static struct console_tail tail;
	cleanup_text struct text text = {0};

	(void)state;
	for (unsigned int i = 0; i < 10000; i++)
		say(&tail, "0123456789\n");
	say(&tail, "last\n");
	console_tail_show(&tail, &text);
	assert_true(text.length <= CONSOLE_TAIL_BYTES);
	assert_true(text.length > CONSOLE_TAIL_BYTES - 16);
	assert_memory_equal(text_string(&text), "0123456789\n0", 12);
	assert_string_equal(text_string(&text) + text.length - 16, "0123456789\nlast\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_short_one_is_whole),
		cmocka_unit_test(a_long_one_begins_with_a_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
