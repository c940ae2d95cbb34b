#include "arch.h"
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

/* Which devices there are only Hull knows. */
static void devices(void **state)
{
	struct config_disk disks[12] = {{0}};
	struct config config = {.console = CONFIG_CONSOLE_NULL,
		.transport = CONFIG_TRANSPORT_MMIO_CMDLINE,
		.disks = disks,
		.disk_count = 1,
		.rng = true};
	char user[] = "virtio_mmio.device=1K@0xd0000000:20";
	struct text line = {0};
	struct board_device place;

	(void)state;
	if (arch_board_virtio_mmio(0, true, &place) < 0)
		skip(); /* this architecture has no places that a word can name */
	machine_command_line(&config, &line);
	assert_string_equal(text_string(&line),
		"panic=-1 reboot=panic_warm virtio_mmio.device=0x200@0xf0000000:5 "
		"virtio_mmio.device=0x200@0xf0001000:6");
	text_fini(&line);
	config.append = user;
	config.rng = false;
	config.has_hvc = true;
	machine_command_line(&config, &line);
	assert_string_equal(text_string(&line),
		"panic=-1 reboot=panic_warm virtio_mmio.device=0x200@0xf0000000:5 "
		"virtio_mmio.device=0x200@0xf0001000:6 virtio_mmio.device=1K@0xd0000000:20");
	text_fini(&line);
	config.append_only = true;
	machine_command_line(&config, &line);
	assert_string_equal(text_string(&line), user);
	text_fini(&line);
	/* As many as there are places; making the others is refused. */
	config.append_only = false;
	config.append = NULL;
	config.disk_count = 12;
	machine_command_line(&config, &line);
	assert_non_null(strstr(text_string(&line), "0xf0007000:15"));
	assert_null(strstr(text_string(&line), "0xf0008000"));
	text_fini(&line);
	config.transport = CONFIG_TRANSPORT_MMIO;
	machine_command_line(&config, &line);
	assert_string_equal(text_string(&line), "panic=-1 reboot=panic_warm");
	text_fini(&line);
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
		cmocka_unit_test(devices),
		cmocka_unit_test(address),
	};

	return cmocka_run_group_tests_name("command_line", tests, NULL, NULL);
}
