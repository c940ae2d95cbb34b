/* A command in the guest and its surroundings, as text and as what follows from them. */
#include "cmocka_all.h"
#include "config_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct config make_config(void)
{
	struct config config;

	config_init(&config);
	assert_int_equal(config_set(&config, CONFIG_KEY_KERNEL, "k", NULL), 0);
	return config;
}

static void set_command(struct config *config)
{
	char name[] = "make", word[] = "te\nst";
	char *const words[] = {name, word};

	assert_int_equal(config_command_set(config, 2, words, NULL), 0);
}

static void assert_shows(const struct config *config, enum config_key key, const char *expected)
{
	cleanup_text struct text text = {0};

	assert_true(config_show(config, key, &text));
	assert_string_equal(text_string(&text), expected);
}

static void values_are_set_and_shown(void **state)
{
	static const struct {
		enum config_key key;
		const char *value, *shown;
	} cases[] = {
		{CONFIG_KEY_ROOT, "image", "image"},
		{CONFIG_KEY_ROOT, "a,,b,rw", "a,,b,rw"},
		{CONFIG_KEY_MODULES, "/lib/modules/x", "/lib/modules/x"},
		{CONFIG_KEY_SCRIPT, "test.sh", "test.sh"},
		{CONFIG_KEY_ENV, "A=b=c", "A=b=c"},
		{CONFIG_KEY_TMPFS, "/tmp/x", "/tmp/x"},
		{CONFIG_KEY_USER, "12", "12:12"},
		{CONFIG_KEY_USER, "12:13", "12:13"},
		{CONFIG_KEY_HOST_NAME, "a.b-c", "a.b-c"},
		{CONFIG_KEY_DIRECTORY, "/usr", "/usr"},
	};

	(void)state;
	for (size_t i = 0; i < array_size(cases); i++) {
		struct config config = make_config();

		assert_int_equal(config_set(&config, cases[i].key, cases[i].value, NULL), 0);
		assert_shows(&config, cases[i].key, cases[i].shown);
		config_fini(&config);
	}
}

static void wrong_values_are_refused(void **state)
{
	static const struct {
		enum config_key key;
		const char *value;
	} cases[] = {
		{CONFIG_KEY_ROOT, ""},
		{CONFIG_KEY_ROOT, ",rw"},
		{CONFIG_KEY_ROOT, "x,ro"},
		{CONFIG_KEY_ROOT, "x,rw=1"},
		{CONFIG_KEY_MODULES, ""},
		{CONFIG_KEY_ENV, "A"},
		{CONFIG_KEY_ENV, "=b"},
		{CONFIG_KEY_PASS_ENV, ""},
		{CONFIG_KEY_PASS_ENV, "A=b"},
		{CONFIG_KEY_TMPFS, "tmp"},
		{CONFIG_KEY_USER, ""},
		{CONFIG_KEY_USER, "root"},
		{CONFIG_KEY_USER, "1:"},
		{CONFIG_KEY_USER, "4294967295"},
		{CONFIG_KEY_USER, "1:-1"},
		{CONFIG_KEY_HOST_NAME, ""},
		{CONFIG_KEY_HOST_NAME, "a b"},
		{CONFIG_KEY_DIRECTORY, "usr"},
		{CONFIG_KEY_CONSOLE_LOG, ""},
	};

	(void)state;
	for (size_t i = 0; i < array_size(cases); i++) {
		struct config config = make_config();
		struct err err = {0};

		assert_int_equal(config_set(&config, cases[i].key, cases[i].value, &err), -EINVAL);
		assert_true(err.text[0]);
		config_fini(&config);
	}
}

static void variables_are_passed(void **state)
{
	struct config config = make_config();

	(void)state;
	assert_int_equal(setenv("HULL_TEST_VARIABLE", "x y", 1), 0);
	assert_int_equal(unsetenv("HULL_TEST_ABSENT"), 0);
	assert_int_equal(config_set(&config, CONFIG_KEY_PASS_ENV, "HULL_TEST_ABSENT", NULL), 0);
	assert_int_equal(config.environment.count, 0);
	assert_int_equal(config_set(&config, CONFIG_KEY_PASS_ENV, "HULL_TEST_VARIABLE", NULL), 0);
	assert_string_equal(config.environment.list[0], "HULL_TEST_VARIABLE=x y");
	assert_int_equal(setenv("HULL_TEST_VARIABLE", "\033[31m", 1), 0);
	assert_int_equal(
		config_set(&config, CONFIG_KEY_PASS_ENV, "HULL_TEST_VARIABLE", NULL), -EINVAL);
	config_fini(&config);
}

/* The root is one disk more, behind the others, and no disk of the user's. */
static void a_root_is_the_last_disk(void **state)
{
	struct config config = make_config();
	cleanup_text struct text text = {0};

	(void)state;
	set_command(&config);
	assert_int_equal(config_set(&config, CONFIG_KEY_ROOT, "root.img", NULL), 0);
	assert_int_equal(config_set(&config, CONFIG_KEY_DISK, "data.img", NULL), 0);
	assert_int_equal(config_validate(&config, NULL), 0);
	assert_int_equal(config.disk_count, 2);
	assert_string_equal(config.disks[1].path, "root.img");
	assert_string_equal(config.disks[1].serial, "hull-root");
	assert_true(config.disks[1].read_only);
	assert_true(config_show_item(&config, CONFIG_KEY_DISK, 0, &text));
	assert_false(config_show_item(&config, CONFIG_KEY_DISK, 1, &text));
	assert_int_equal(config.console, CONFIG_CONSOLE_TAIL);
	assert_int_equal(config_virtio_count(&config), 3);
	config_fini(&config);
}

static void a_root_alone_gets_a_shell(void **state)
{
	struct config config = make_config();

	(void)state;
	assert_int_equal(config_set(&config, CONFIG_KEY_ROOT, "root.img,rw", NULL), 0);
	assert_int_equal(config_validate(&config, NULL), 0);
	assert_int_equal(config.command.count, 2);
	assert_string_equal(config.command.list[0], "/bin/sh");
	assert_false(config.disks[0].read_only);
	config_fini(&config);
}

static void a_script_comes_before_its_arguments(void **state)
{
	struct config config = make_config();

	(void)state;
	set_command(&config);
	assert_int_equal(config_set(&config, CONFIG_KEY_SCRIPT, "test.sh", NULL), 0);
	assert_int_equal(config_validate(&config, NULL), 0);
	assert_int_equal(config.command.count, 3);
	assert_string_equal(config.command.list[0], "/run/hull-script");
	assert_string_equal(config.command.list[1], "make");
	config_fini(&config);
	config = make_config();
	assert_int_equal(config_set(&config, CONFIG_KEY_SCRIPT, "test.sh", NULL), 0);
	assert_int_equal(config_validate(&config, NULL), 0);
	assert_int_equal(config.command.count, 1);
	config_fini(&config);
}

static void a_guest_that_serves_has_no_command(void **state)
{
	static const enum config_key others[] = {CONFIG_KEY_NONE, CONFIG_KEY_SCRIPT};

	(void)state;
	for (size_t i = 0; i < array_size(others); i++) {
		struct config config = make_config();
		struct err err = {0};

		assert_int_equal(config_set(&config, CONFIG_KEY_SERVE, NULL, NULL), 0);
		if (others[i] == CONFIG_KEY_NONE)
			set_command(&config);
		else
			assert_int_equal(config_set(&config, others[i], "test.sh", NULL), 0);
		assert_int_equal(config_validate(&config, &err), -EINVAL);
		assert_non_null(strstr(err.text, "--serve"));
		config_fini(&config);
	}
}

/* Its console stays where it is, and it has sockets without a path. */
static void a_guest_that_serves(void **state)
{
	struct config config = make_config();

	(void)state;
	assert_int_equal(config_set(&config, CONFIG_KEY_SERVE, NULL, NULL), 0);
	assert_int_equal(config_set(&config, CONFIG_KEY_ROOT, "root.img", NULL), 0);
	assert_int_equal(config_set(&config, CONFIG_KEY_ENV, "A=b", NULL), 0);
	assert_int_equal(config_validate(&config, NULL), 0);
	assert_int_equal(config.command.count, 0);
	assert_int_equal(config.console, CONFIG_CONSOLE_STDIO);
	assert_true(config_has_init(&config));
	assert_true(config_has_vsock(&config));
	assert_true(config_has_ports(&config));
	assert_int_equal(config.vsock_cid, 3);
	assert_int_equal(config_virtio_count(&config), 3);
	config_fini(&config);
}

static void what_does_not_go_together(void **state)
{
	static const struct {
		enum config_key key;
		const char *value;
		bool with_command;
	} cases[] = {
		{CONFIG_KEY_ENV, "A=b", false},
		{CONFIG_KEY_DIRECTORY, "/", false},
		{CONFIG_KEY_USER, "1", false},
		{CONFIG_KEY_MODULES, "/m", false},
		{CONFIG_KEY_CMDLINE, "quiet", true},
		{CONFIG_KEY_PORT, "name=stdio", true},
	};

	(void)state;
	for (size_t i = 0; i < array_size(cases); i++) {
		struct config config = make_config();
		struct err err = {0};

		if (cases[i].with_command)
			set_command(&config);
		assert_int_equal(config_set(&config, cases[i].key, cases[i].value, NULL), 0);
		assert_int_equal(config_validate(&config, &err), -EINVAL);
		assert_true(err.text[0]);
		config_fini(&config);
	}
}

static void a_command_has_an_end(void **state)
{
	struct config config = make_config();
	char *word = malloc(CONFIG_COMMAND_BYTES_MAX + 1);

	(void)state;
	assert_non_null(word);
	memset(word, 'x', CONFIG_COMMAND_BYTES_MAX);
	word[CONFIG_COMMAND_BYTES_MAX] = '\0';
	assert_int_equal(config_command_set(&config, 1, &word, NULL), -E2BIG);
	free(word);
	config_fini(&config);
}

/* The host's own root unless something else may be meant; a directory is the last share. */
static void roots_are_found(void **state)
{
	static const struct {
		const char *root, *initrd;
		unsigned int disks, shares;
	} cases[] = {
		{NULL, NULL, 0, 2},
		{NULL, "initrd", 0, 1},
		{"none", NULL, 0, 1},
		{"/", "initrd", 0, 2},
		{"/nowhere/root.img", NULL, 1, 1},
	};
	char word[] = "true";
	char *const words[] = {word};

	(void)state;
	for (size_t i = 0; i < array_size(cases); i++) {
		struct config config;
		char tag[CONFIG_SHARE_TAG_BYTES];
		int r;

		config_init(&config);
		r = config_set(&config, CONFIG_KEY_KERNEL, "k", NULL);
		if (r == 0 && cases[i].root)
			r = config_set(&config, CONFIG_KEY_ROOT, cases[i].root, NULL);
		if (r == 0 && cases[i].initrd)
			r = config_set(&config, CONFIG_KEY_INITRD, cases[i].initrd, NULL);
		if (r == 0)
			r = config_set(&config, CONFIG_KEY_SHARE, "/a:/b:ro", NULL);
		if (r == 0)
			r = config_command_set(&config, 1, words, NULL);
		assert_int_equal(r, 0);
		assert_int_equal(config_validate(&config, NULL), 0);
		assert_int_equal(config.disk_count, cases[i].disks);
		assert_int_equal(config.share_count, cases[i].shares);
		config_share_tag(&config, config.share_count - 1, tag);
		assert_string_equal(tag, cases[i].shares == 2 ? "hull-root" : "hull-share0");
		config_fini(&config);
	}
}

static void shares_are_read(void **state)
{
	static const char *const bad[] = {"", "/a", ":/b", "/a:b", "/a:/b:rx", "/a:/", "/a:/b:ro:"};
	struct config config;

	(void)state;
	config_init(&config);
	for (size_t i = 0; i < array_size(bad); i++)
		assert_int_equal(config_set(&config, CONFIG_KEY_SHARE, bad[i], NULL), -EINVAL);
	assert_int_equal(config_set(&config, CONFIG_KEY_SHARE, "a:/b//", NULL), 0);
	assert_string_equal(config.shares[0].guest_path, "/b");
	assert_false(config.shares[0].read_only);
	config_fini(&config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_set_and_shown),
		cmocka_unit_test(wrong_values_are_refused),
		cmocka_unit_test(variables_are_passed),
		cmocka_unit_test(roots_are_found),
		cmocka_unit_test(shares_are_read),
		cmocka_unit_test(a_root_is_the_last_disk),
		cmocka_unit_test(a_root_alone_gets_a_shell),
		cmocka_unit_test(a_script_comes_before_its_arguments),
		cmocka_unit_test(a_guest_that_serves_has_no_command),
		cmocka_unit_test(a_guest_that_serves),
		cmocka_unit_test(what_does_not_go_together),
		cmocka_unit_test(a_command_has_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
