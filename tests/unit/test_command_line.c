#include "cmocka_all.h"
#include "machine.h"

#include <string.h>

static void check(const char *append, bool only, enum config_console console, const char *expected)
{
	char copy[128];
	struct config config = {.append_only = only, .console = console};
	struct text line = {0};

	if (append) {
		(void)strncpy(copy, append, sizeof(copy) - 1);
		copy[sizeof(copy) - 1] = '\0';
		config.append = copy;
	}
	machine_command_line(&config, &line);
	assert_string_equal(text_string(&line), expected);
	text_fini(&line);
}

/* Hull's words yield to the user's by key. */
static void words(void **state)
{
	(void)state;
	check(NULL, false, CONFIG_CONSOLE_STDIO, "console=ttyS0 panic=-1 reboot=panic_warm");
	check("quiet", false, CONFIG_CONSOLE_STDIO,
		"console=ttyS0 panic=-1 reboot=panic_warm quiet");
	check("panic=0 x", false, CONFIG_CONSOLE_STDIO,
		"console=ttyS0 reboot=panic_warm panic=0 x");
	check("a panic=5 reboot=t", false, CONFIG_CONSOLE_STDIO,
		"console=ttyS0 a panic=5 reboot=t");
	check("nopanic=1 panics panic_x=3", false, CONFIG_CONSOLE_STDIO,
		"console=ttyS0 panic=-1 reboot=panic_warm nopanic=1 panics panic_x=3");
	check("panic", false, CONFIG_CONSOLE_STDIO, "console=ttyS0 reboot=panic_warm panic");
	check("console=hvc0", false, CONFIG_CONSOLE_STDIO,
		"panic=-1 reboot=panic_warm console=hvc0");
	check(NULL, false, CONFIG_CONSOLE_NULL, "panic=-1 reboot=panic_warm");
	check("a b", true, CONFIG_CONSOLE_STDIO, "a b");
	check(NULL, true, CONFIG_CONSOLE_STDIO, "");
}

/* --ip is Hull's word, too. */
static void address(void **state)
{
	char ip[] = "10.0.2.15/24,10.0.2.2", user[] = "quiet", own[] = "ip=off";
	struct config config = {.ip = ip, .append = user};
	cleanup_text struct text line = {0};
	cleanup_text struct text yielding = {0};

	(void)state;
	machine_command_line(&config, &line);
	assert_string_equal(text_string(&line), "console=ttyS0 panic=-1 reboot=panic_warm "
						"ip=10.0.2.15::10.0.2.2:255.255.255.0:::off quiet");
	config.append = own;
	machine_command_line(&config, &yielding);
	assert_string_equal(
		text_string(&yielding), "console=ttyS0 panic=-1 reboot=panic_warm ip=off");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(words),
		cmocka_unit_test(address),
	};

	return cmocka_run_group_tests_name("command_line", tests, NULL, NULL);
}
