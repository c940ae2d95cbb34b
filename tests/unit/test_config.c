#include "cmocka_all.h"
#include "config_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SOCKET_PATH_107                                         \
	"/tmp/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
	"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static void values_are_set_and_shown(void **state)
{
	static const struct {
		enum config_key key;
		const char *value;
		const char *shown; /* NULL: nothing */
	} cases[] = {
		{CONFIG_KEY_KERNEL, "vmlinuz", "vmlinuz"},
		{CONFIG_KEY_INITRD, "a b", "a b"},
		{CONFIG_KEY_APPEND, "quiet x=\"1 2\"", "quiet x=\"1 2\""},
		{CONFIG_KEY_APPEND, "", ""},
		{CONFIG_KEY_CMDLINE, "", ""},
		{CONFIG_KEY_MEMORY, "512", "512M"},
		{CONFIG_KEY_MEMORY, "1024", "1G"},
		{CONFIG_KEY_MEMORY, "1024K", "1M"},
		{CONFIG_KEY_MEMORY, "16T", "16T"},
		{CONFIG_KEY_MEMORY, "1114112b", "1088K"},
		{CONFIG_KEY_SHARED_MEMORY, NULL, ""},
		{CONFIG_KEY_HUGEPAGES, NULL, ""},
		{CONFIG_KEY_PREALLOC, NULL, ""},
		{CONFIG_KEY_NO_THP, NULL, ""},
		{CONFIG_KEY_CPUS, "1", "1"},
		{CONFIG_KEY_CPUS, "1024", "1024"},
		{CONFIG_KEY_CPU, "-avx512f,-sse4.1", "-avx512f,-sse4.1"},
		{CONFIG_KEY_CPU, "+vmx,-avx2", "+vmx,-avx2"},
		{CONFIG_KEY_CONSOLE, "stdio", "stdio"},
		{CONFIG_KEY_CONSOLE, "pty", "pty"},
		{CONFIG_KEY_CONSOLE, "null", "null"},
		{CONFIG_KEY_CONSOLE, "file=a=b", "file=a=b"},
		{CONFIG_KEY_CONSOLE, "socket=" SOCKET_PATH_107, "socket=" SOCKET_PATH_107},
		{CONFIG_KEY_NAME, "web-1.example", "web-1.example"},
		{CONFIG_KEY_UUID, "0123ABCD-0000-4000-8000-0000000000ff",
			"0123abcd-0000-4000-8000-0000000000ff"},
		{CONFIG_KEY_UUID, "random", "random"},
		{CONFIG_KEY_TIMEOUT, "90", "90s"},
		{CONFIG_KEY_TIMEOUT, "1.5", "1500ms"},
		{CONFIG_KEY_TIMEOUT, "0.000000001s", "0.000000001s"},
		{CONFIG_KEY_TIMEOUT, "87600h", "315360000s"},
		{CONFIG_KEY_TIMEOUT, "0", NULL},
		{CONFIG_KEY_GRACE, "0", "0s"},
		{CONFIG_KEY_ON_REBOOT, "reset", "reset"},
		{CONFIG_KEY_ON_PANIC, "pause", "pause"},
		{CONFIG_KEY_DEBUG_EXIT, NULL, ""},
		{CONFIG_KEY_TIMING, NULL, ""},
	};

	(void)state;
	for (size_t i = 0; i < array_size(cases); i++) {
		struct config config;
		cleanup_text struct text text = {0};

		config_init(&config);
		assert_int_equal(config_set(&config, cases[i].key, cases[i].value, NULL), 0);
		assert_int_equal(config_show(&config, cases[i].key, &text), cases[i].shown != NULL);
		if (cases[i].shown)
			assert_string_equal(text_string(&text), cases[i].shown);
		config_fini(&config);
	}
}

static void wrong_values_are_named(void **state)
{
	static const struct {
		enum config_key key;
		const char *value;
		const char *sentence;
	} cases[] = {
		{CONFIG_KEY_KERNEL, "", "'' is not the name of a file"},
		{CONFIG_KEY_INITRD, "a\nb", "'a\nb' holds a control character; none is allowed"},
		{CONFIG_KEY_MEMORY, "0",
			"'0' is not a size from 1M to 16T: a number of MiB, or a number with K, M, "
			"G or T behind it"},
		{CONFIG_KEY_MEMORY, "1E",
			"'1E' is not a size from 1M to 16T: a number of MiB, or a number with K, "
			"M, G or T behind it"},
		{CONFIG_KEY_CPUS, "0", "'0' is not a number of CPUs from 1 to 1024"},
		{CONFIG_KEY_CPUS, "9999", "'9999' is not a number of CPUs from 1 to 1024"},
		{CONFIG_KEY_CPU, "avx",
			"'avx' is not a list of -FEATURE and +FEATURE, as in "
			"-avx512f,+vmx"},
		{CONFIG_KEY_CONSOLE, "tty",
			"'tty' is not one of stdio, pty, null, file=PATH, socket=PATH"},
		{CONFIG_KEY_CONSOLE, "file", "'file' lacks the path: write file=PATH"},
		{CONFIG_KEY_NAME, "a b",
			"'a b' is not a name: 1 to 64 letters, digits or characters of . _ : @ + "
			"-, not beginning with -"},
		{CONFIG_KEY_UUID, "1",
			"'1' is not a UUID: 8-4-4-4-12 hexadecimal digits, not all zero, or the "
			"word random"},
		{CONFIG_KEY_TIMEOUT, "1d",
			"'1d' is not a time up to 87600h: seconds, or a number with ms, s, m or h "
			"behind it"},
		{CONFIG_KEY_ON_REBOOT, "halt", "'halt' is neither exit nor reset"},
		{CONFIG_KEY_ON_PANIC, "", "'' is neither exit nor pause"},
	};

	(void)state;
	for (size_t i = 0; i < array_size(cases); i++) {
		struct config config;
		struct err err = {0};

		config_init(&config);
		assert_int_equal(config_set(&config, cases[i].key, cases[i].value, &err), -EINVAL);
		assert_string_equal(err.text, cases[i].sentence);
		config_fini(&config);
	}
}

static void memory_in_pages_of_the_host(void **state)
{
	const unsigned int page = (unsigned int)sysconf(_SC_PAGESIZE);
	char value[32], sentence[128];
	struct config config;
	struct err err = {0};

	(void)state;
	config_init(&config);
	(void)snprintf(value, sizeof(value), "%ub", (1 << 20) + page / 2);
	(void)snprintf(sentence, sizeof(sentence),
		"'%s' is not a multiple of %uK, the size of this host's pages", value, page / 1024);
	assert_int_equal(config_set(&config, CONFIG_KEY_MEMORY, value, &err), -EINVAL);
	assert_string_equal(err.text, sentence);
	(void)snprintf(value, sizeof(value), "%ub", (1 << 20) + page);
	assert_int_equal(config_set(&config, CONFIG_KEY_MEMORY, value, &err), 0);
	assert_int_equal(config.memory_bytes, (1 << 20) + page);
	config_fini(&config);
}

static void other_wrong_values(void **state)
{
	static const struct {
		enum config_key key;
		const char *value;
	} cases[] = {
		{CONFIG_KEY_MEMORY, ""},
		{CONFIG_KEY_MEMORY, "-1"},
		{CONFIG_KEY_MEMORY, "1023K"},
		{CONFIG_KEY_MEMORY, "17T"},
		{CONFIG_KEY_MEMORY, "99999999999999999999999"},
		{CONFIG_KEY_CPUS, ""},
		{CONFIG_KEY_CPUS, "-1"},
		{CONFIG_KEY_CPUS, "1025"},
		{CONFIG_KEY_CPUS, "1x"},
		{CONFIG_KEY_CPU, ""},
		{CONFIG_KEY_CPU, "-"},
		{CONFIG_KEY_CPU, "--avx"},
		{CONFIG_KEY_CPU, "-avx,"},
		{CONFIG_KEY_CPU, "-avx,,-sse"},
		{CONFIG_KEY_CPU, "-avx,sse"},
		{CONFIG_KEY_CPU, "-avx -sse"},
		{CONFIG_KEY_CPU, "*avx"},
		{CONFIG_KEY_CONSOLE, ""},
		{CONFIG_KEY_CONSOLE, "std"},
		{CONFIG_KEY_CONSOLE, "stdio=x"},
		{CONFIG_KEY_CONSOLE, "file="},
		{CONFIG_KEY_CONSOLE, "socket=" SOCKET_PATH_107 "x"},
		{CONFIG_KEY_NAME, ""},
		{CONFIG_KEY_NAME, "-x"},
		{CONFIG_KEY_NAME, "x\x7f"},
		{CONFIG_KEY_UUID, ""},
		{CONFIG_KEY_UUID, "00000000-0000-0000-0000-000000000000"},
		{CONFIG_KEY_UUID, "0123abcd-0000-4000-8000-0000000000fg"},
		{CONFIG_KEY_TIMEOUT, "87601h"},
		{CONFIG_KEY_TIMEOUT, "-1"},
		{CONFIG_KEY_GRACE, ""},
	};

	(void)state;
	for (size_t i = 0; i < array_size(cases); i++) {
		struct config config;

		config_init(&config);
		assert_int_equal(config_set(&config, cases[i].key, cases[i].value, NULL), -EINVAL);
		config_fini(&config);
	}
}

static void words_add_up(void **state)
{
	struct config config;

	(void)state;
	config_init(&config);
	assert_int_equal(config_set(&config, CONFIG_KEY_APPEND, "a", NULL), 0);
	assert_int_equal(config_set(&config, CONFIG_KEY_APPEND, "", NULL), 0);
	assert_int_equal(config_set(&config, CONFIG_KEY_APPEND, "b c", NULL), 0);
	assert_string_equal(config.append, "a b c");
	assert_false(config.append_only);
	assert_int_equal(config_set(&config, CONFIG_KEY_CMDLINE, "d", NULL), 0);
	assert_int_equal(config_set(&config, CONFIG_KEY_APPEND, "e", NULL), 0);
	assert_string_equal(config.append, "d e");
	assert_true(config.append_only);
	config_fini(&config);
}

static void later_values_replace(void **state)
{
	struct config config;

	(void)state;
	config_init(&config);
	assert_int_equal(config_set(&config, CONFIG_KEY_CONSOLE, "file=x", NULL), 0);
	assert_int_equal(config_set(&config, CONFIG_KEY_CONSOLE, "stdio=x", NULL), -EINVAL);
	assert_string_equal(config.console_path, "x");
	assert_int_equal(config_set(&config, CONFIG_KEY_CONSOLE, "pty", NULL), 0);
	assert_null(config.console_path);
	assert_int_equal(config_set(&config, CONFIG_KEY_HUGEPAGES, NULL, NULL), 0);
	assert_int_equal(config_set(&config, CONFIG_KEY_SHARED_MEMORY, NULL, NULL), 0);
	assert_int_equal(config.memory, CONFIG_MEMORY_HUGEPAGES);
	config_fini(&config);
}

static void validation_wants_a_kernel_and_gives_a_uuid(void **state)
{
	static const uint8_t nil[16];
	struct config config;
	struct err err = {0};
	uint8_t uuid[16];

	(void)state;
	config_init(&config);
	assert_int_equal(config_validate(&config, &err), -EINVAL);
	assert_string_equal(err.text, "no kernel given: name one with --kernel FILE");
	assert_memory_equal(config.uuid, nil, sizeof(nil));
	assert_int_equal(config_set(&config, CONFIG_KEY_KERNEL, "k", NULL), 0);
	for (int i = 0; i < 8; i++) {
		assert_int_equal(config_set(&config, CONFIG_KEY_UUID, "random", NULL), 0);
		assert_int_equal(config_validate(&config, NULL), 0);
		assert_memory_not_equal(config.uuid, nil, sizeof(nil));
		assert_int_equal(config.uuid[6] >> 4, 4); /* RFC 4122 4.1.3 */
		assert_int_equal(config.uuid[8] >> 6, 2); /* RFC 4122 4.1.1 */
	}
	memcpy(uuid, config.uuid, sizeof(uuid));
	assert_int_equal(config_validate(&config, NULL), 0);
	assert_memory_equal(config.uuid, uuid, sizeof(uuid)); /* a given one stays */
	config_fini(&config);
}

/* What no text can say, but a caller in C can. */
static void validation_trusts_nobody(void **state)
{
	struct config config;

	(void)state;
	config_init(&config);
	assert_int_equal(config_set(&config, CONFIG_KEY_KERNEL, "k", NULL), 0);
	config.cpu_count = 0;
	assert_int_equal(config_validate(&config, NULL), -EINVAL);
	config.cpu_count = CONFIG_CPUS_MAX + 1;
	assert_int_equal(config_validate(&config, NULL), -EINVAL);
	config.cpu_count = 1;
	config.memory_bytes = CONFIG_MEMORY_MIN_BYTES + (uint64_t)sysconf(_SC_PAGESIZE) / 2;
	assert_int_equal(config_validate(&config, NULL), -EINVAL);
	config.memory_bytes = CONFIG_MEMORY_MAX_BYTES + 4096;
	assert_int_equal(config_validate(&config, NULL), -EINVAL);
	config.memory_bytes = CONFIG_MEMORY_MIN_BYTES;
	config.memory = CONFIG_MEMORY_HUGEPAGES;
	assert_int_equal(config_validate(&config, NULL), -EINVAL);
	config.memory_bytes *= 2;
	assert_int_equal(config_validate(&config, NULL), 0);
	config.console = CONFIG_CONSOLE_FILE;
	assert_int_equal(config_validate(&config, NULL), -EINVAL);
	config.console = CONFIG_CONSOLE_STDIO;
	config.timeout_ns = UINT64_MAX;
	assert_int_equal(config_validate(&config, NULL), -EINVAL);
	config_fini(&config);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_set_and_shown),
		cmocka_unit_test(wrong_values_are_named),
		cmocka_unit_test(memory_in_pages_of_the_host),
		cmocka_unit_test(other_wrong_values),
		cmocka_unit_test(words_add_up),
		cmocka_unit_test(later_values_replace),
		cmocka_unit_test(validation_wants_a_kernel_and_gives_a_uuid),
		cmocka_unit_test(validation_trusts_nobody),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
