#include "cmocka_all.h"
#include "command.h"
#include "config_file.h"
#include "help.h"
#include "invocation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORDS_MAX 8

static int parse(struct invocation *invocation, const char *const words[WORDS_MAX], struct err *err)
{
	char *copies[WORDS_MAX] = {0};
	int count = 0;

	for (; count < WORDS_MAX && words[count]; count++) {
		copies[count] = strdup(words[count]);
		assert_non_null(copies[count]);
	}
	invocation_init(invocation, &command_run);
	count = invocation_parse(invocation, count, copies, err);
	invocation->word = NULL; /* it points into the copies */
	for (int i = 0; i < WORDS_MAX; i++)
		free(copies[i]);
	return count;
}

static void words_become_a_config(void **state)
{
	static const struct {
		const char *words[WORDS_MAX];
		enum config_key key;
		const char *shown; /* NULL: nothing */
	} cases[] = {
		{{"vmlinuz"}, CONFIG_KEY_KERNEL, "vmlinuz"},
		{{"-k", "vmlinuz"}, CONFIG_KEY_KERNEL, "vmlinuz"},
		{{"-kvmlinuz"}, CONFIG_KEY_KERNEL, "vmlinuz"},
		{{"--kernel=a=b"}, CONFIG_KEY_KERNEL, "a=b"},
		{{"--kernel", "a", "--kernel", "b"}, CONFIG_KEY_KERNEL, "b"},
		{{"-m", "2", "k", "-c", "3"}, CONFIG_KEY_KERNEL, "k"},
		{{"-"}, CONFIG_KEY_KERNEL, "-"},
		{{"-m1G"}, CONFIG_KEY_MEMORY, "1G"},
		{{"--mem", "2G"}, CONFIG_KEY_MEMORY, "2G"},
		{{"-m", "1G", "--memory=3G"}, CONFIG_KEY_MEMORY, "3G"},
		{{"--smp=4"}, CONFIG_KEY_CPUS, "4"},
		{{"--cpu", "-avx"}, CONFIG_KEY_CPU, "-avx"},
		{{"--cpu=-avx"}, CONFIG_KEY_CPU, "-avx"},
		{{"-p", "a", "-pb", "--append=c d", "--params", "e"}, CONFIG_KEY_APPEND,
			"a b c d e"},
		{{"-p", "-x"}, CONFIG_KEY_APPEND, "-x"},
		{{"-p", "--"}, CONFIG_KEY_APPEND, "--"},
		{{"-p", "a", "--cmdline", "b"}, CONFIG_KEY_CMDLINE, "b"},
		{{"-p", "a", "--cmdline", "b"}, CONFIG_KEY_APPEND, NULL},
		{{"--cmdline="}, CONFIG_KEY_CMDLINE, ""},
		{{"-vqm", "64"}, CONFIG_KEY_MEMORY, "64M"},
		{{"--timing", "--debug-exit"}, CONFIG_KEY_TIMING, ""},
		{{"--rng"}, CONFIG_KEY_RNG, ""},
		{{"--rng=rate=64K"}, CONFIG_KEY_RNG, "rate=65536"},
		{{"--rng", "k"}, CONFIG_KEY_KERNEL, "k"},
		{{"--rng=rate=1", "--rng"}, CONFIG_KEY_RNG, ""},
		{{"k"}, CONFIG_KEY_RNG, NULL},
		{{NULL}, CONFIG_KEY_TIMING, NULL},
	};

	(void)state;
	for (size_t i = 0; i < array_size(cases); i++) {
		struct invocation invocation;
		cleanup_text struct text shown = {0};
		struct err err = {0};

		assert_int_equal(parse(&invocation, cases[i].words, &err), 0);
		assert_string_equal(err.text, "");
		assert_int_equal(config_show(&invocation.config, cases[i].key, &shown),
			cases[i].shown != NULL);
		if (cases[i].shown)
			assert_string_equal(text_string(&shown), cases[i].shown);
		invocation_fini(&invocation);
	}
}

static void wrong_words_are_named(void **state)
{
	static const struct {
		const char *words[WORDS_MAX];
		const char *sentence;
	} cases[] = {
		{{"--kernal", "x"}, "unknown option '--kernal': did you mean '--kernel'?"},
		{{"--kernal=x"}, "unknown option '--kernal': did you mean '--kernel'?"},
		{{"--mme=1G"}, "unknown option '--mme': did you mean '--mem'?"},
		{{"--time"}, "unknown option '--time': did you mean '--timeout'?"},
		{{"--=x"}, "unknown option '--': see 'hull help run'"},
		{{"--json"}, "unknown option '--json': see 'hull help run'"},
		{{"-d", "x,qcow2"},
			"--disk: 'qcow2' is not one of ro, direct, ephemeral[=SIZE], cache=, "
			"serial=, queues=, rate=, iops="},
		{{"--transport=isa"}, "--transport: 'isa' is not one of pci, mmio, mmio-cmdline"},
		{{"-x"}, "unknown option '-x': see 'hull help run'"},
		{{"-vx"}, "unknown option '-x': see 'hull help run'"},
		{{"-\xc3\xa9"}, "unknown option '-?': see 'hull help run'"},
		{{"-kernel", "x"}, "unknown option '-kernel': did you mean '--kernel'?"},
		{{"-initrd=x"}, "unknown option '-initrd=x': did you mean '--initrd'?"},
		{{"-smp", "2"}, "unknown option '-smp': did you mean '--smp'?"},
		{{"-k"}, "--kernel: the value is missing: --kernel FILE"},
		{{"k", "--memory"}, "--memory: the value is missing: --memory SIZE"},
		{{"-vm"}, "--memory: the value is missing: --memory SIZE"},
		{{"--kernel="}, "--kernel: '' is not the name of a file"},
		{{""}, "--kernel: '' is not the name of a file"},
		{{"--timing=yes"}, "--timing takes no value, but was given 'yes'"},
		{{"--timing="}, "--timing takes no value, but was given ''"},
		{{"--rng="}, "--rng: '' is not rate=BYTES, the bytes that a second may bring, as "
			     "in rate=64K"},
		{{"--rng=rate=0"}, "--rng: 'rate=0' is not rate=BYTES, the bytes that a second "
				   "may bring, as in rate=64K"},
		{{"--rng=rate"}, "--rng: 'rate' is not rate=BYTES, the bytes that a second may "
				 "bring, as in rate=64K"},
		{{"a", "b"}, "unexpected word 'b': the kernel is 'a' already"},
		{{"-k", "a", "b"}, "two values for --kernel: 'a', and 'b' as a plain word"},
		{{"k", "-m", "0"},
			"--memory: '0' is not a size from 1M to 16T: a number of MiB, or a number "
			"with K, M, G or T behind it"},
		{{"-m=1G"}, "--memory: '=1G' is not a size from 1M to 16T: a number of MiB, or a "
			    "number with K, M, G or T behind it"},
		{{"-c", "0"}, "--cpus: '0' is not a number of CPUs from 1 to 1024"},
		{{"-c9999"}, "--cpus: '9999' is not a number of CPUs from 1 to 1024"},
		{{"k", "--"}, "'--': the command to run in the guest is missing"},
		{{"--config", "/nonexistent"},
			"--config: '/nonexistent': No such file or directory"},
		{{"--config", "/"}, "--config: '/': Is a directory"},
		{{"--config=/dev/zero"}, "/dev/zero: a configuration file has at most 65536 bytes"},
	};

	(void)state;
	for (size_t i = 0; i < array_size(cases); i++) {
		struct invocation invocation;
		struct err err = {0};

		assert_true(parse(&invocation, cases[i].words, &err) < 0);
		assert_string_equal(err.text, cases[i].sentence);
		invocation_fini(&invocation);
	}
}

static void file_lines_become_a_config(void **state)
{
	static const struct {
		const char *text;
		enum config_key key;
		const char *shown;
	} cases[] = {
		{"memory 2G", CONFIG_KEY_MEMORY, "2G"},
		{"memory=2G\n", CONFIG_KEY_MEMORY, "2G"},
		{" \tmemory = 2G \t\r\n", CONFIG_KEY_MEMORY, "2G"},
		{"mem 2G # much\n", CONFIG_KEY_MEMORY, "2G"},
		{"memory \"2G\"# much\n", CONFIG_KEY_MEMORY, "2G"},
		{"memory 1G\n\n#memory 3G\nmemory 2G", CONFIG_KEY_MEMORY, "2G"},
		{"kernel a#b\n", CONFIG_KEY_KERNEL, "a#b"},
		{"kernel \"a #b\"\n", CONFIG_KEY_KERNEL, "a #b"},
		{"kernel \"a \\\"b\\\\\\n\"\n", CONFIG_KEY_KERNEL, "a \"b\\\\n"},
		{"kernel==a", CONFIG_KEY_KERNEL, "=a"},
		{"console file=/a=b", CONFIG_KEY_CONSOLE, "file=/a=b"},
		{"append console=ttyS0 quiet\nappend x=\"1 2\"", CONFIG_KEY_APPEND,
			"console=ttyS0 quiet x=\"1 2\""},
		{"cmdline \"\"", CONFIG_KEY_CMDLINE, ""},
		{"timing # always\n", CONFIG_KEY_TIMING, ""},
		{"rng # as it comes\n", CONFIG_KEY_RNG, ""},
		{"rng rate=1M\n", CONFIG_KEY_RNG, "rate=1048576"},
		{"rng = rate=1M\n", CONFIG_KEY_RNG, "rate=1048576"},
		{"", CONFIG_KEY_MEMORY, "1G"},
		{"\n\n   \n# x", CONFIG_KEY_MEMORY, "1G"},
	};

	(void)state;
	for (size_t i = 0; i < array_size(cases); i++) {
		struct config config;
		cleanup_text struct text shown = {0};

		config_init(&config);
		assert_int_equal(
			config_file_parse(&config, "f", cases[i].text, strlen(cases[i].text), NULL),
			0);
		assert_true(config_show(&config, cases[i].key, &shown));
		assert_string_equal(text_string(&shown), cases[i].shown);
		config_fini(&config);
	}
}

static void wrong_lines_are_numbered(void **state)
{
	static const struct {
		const char *text;
		size_t length; /* 0: strlen */
		const char *sentence;
	} cases[] = {
		{"memory", 0, "f:1: memory: the value is missing: memory SIZE"},
		{"\n\nmemory =\n", 0, "f:3: memory: the value is missing: memory SIZE"},
		{"memry =", 0, "f:1: unknown option 'memry': did you mean 'memory'?"},
		{"rng =", 0, "f:1: rng: the value is missing: rng rate=BYTES"},
		{"timing =", 0, "f:1: timing takes no value, but was given ''"},
		{"memory # 1G", 0, "f:1: memory: the value is missing: memory SIZE"},
		{"memory 1G\ncpus 0\n", 0, "f:2: cpus: '0' is not a number of CPUs from 1 to 1024"},
		{"memry 1G", 0, "f:1: unknown option 'memry': did you mean 'memory'?"},
		{"--memory 1G", 0, "f:1: unknown option '--memory': did you mean 'memory'?"},
		{"=", 0, "f:1: unknown option '': see 'hull help run'"},
		{"kernel \"a", 0, "f:1: the closing quote is missing"},
		{"kernel \"a\\\"", 0, "f:1: the closing quote is missing"},
		{"kernel \"a\" b", 0, "f:1: 'b' follows the closing quote"},
		{"timing yes", 0, "f:1: timing takes no value, but was given 'yes'"},
		{"timing \"\"", 0, "f:1: timing takes no value, but was given ''"},
		{"config x", 0, "f:1: config is for the command line only"},
		{"dry-run", 0, "f:1: dry-run is for the command line only"},
		{"help", 0, "f:1: help is for the command line only"},
		{"kernel \"\"", 0, "f:1: kernel: '' is not the name of a file"},
		{"timing\nkernel a\0b", 17, "f:2: a NUL byte: this is not text"},
		{"kernel a\tb", 0,
			"f:1: kernel: 'a\tb' holds a control character; none is allowed"},
	};

	(void)state;
	for (size_t i = 0; i < array_size(cases); i++) {
		struct config config;
		struct err err = {0};
		size_t length = cases[i].length ? cases[i].length : strlen(cases[i].text);

		config_init(&config);
		assert_int_equal(
			config_file_parse(&config, "f", cases[i].text, length, &err), -EINVAL);
		assert_string_equal(err.text, cases[i].sentence);
		config_fini(&config);
	}
}

static void files_are_bounded(void **state)
{
	char *bytes = malloc(CONFIG_FILE_BYTES_MAX + 1);
	struct config config;
	struct err err = {0};

	(void)state;
	assert_non_null(bytes);
	config_init(&config);
	memset(bytes, '\n', CONFIG_FILE_BYTES_MAX + 1);
	assert_int_equal(
		config_file_parse(&config, "f", bytes, CONFIG_FILE_BYTES_MAX + 1, &err), -E2BIG);
	assert_int_equal(config_file_parse(&config, "f", bytes, CONFIG_FILE_BYTES_MAX, &err), 0);
	memset(bytes + 1, '#', CONFIG_FILE_LINE_MAX);
	assert_int_equal(config_file_parse(&config, "f", bytes, CONFIG_FILE_BYTES_MAX, &err), 0);
	bytes[CONFIG_FILE_LINE_MAX + 1] = '#';
	assert_int_equal(
		config_file_parse(&config, "f", bytes, CONFIG_FILE_BYTES_MAX, &err), -EINVAL);
	assert_string_equal(err.text, "f:2: longer than 8192 bytes");
	config_fini(&config);
	free(bytes);
}

static void what_is_shown_reads_back(void **state)
{
	static const char *const lists[][WORDS_MAX] = {
		{"k"},
		{"a b\"c\\d", "-p", "x=\"1 2\" # y", "-i", "#i", "--name", "n"},
		{"=k", "--cmdline", "", "-m", "1088K", "-c", "1024", "--hugepages"},
		{"k", "--rng"},
		{"k", "--transport=mmio-cmdline", "--io-engine=threads"},
		{"k", "--rng=rate=5000"},
		{"k", "--console=socket=/a b", "--timeout=1.5", "--grace=0", "--cpu", "-a,-b"},
		{"k", "--on-reboot=reset", "--on-panic=pause", "--debug-exit", "--timing",
			"--no-thp", "--prealloc", "--shared-memory"},
		{"\"", "--uuid=0123abcd-0000-4000-8000-0000000000ff", "--append= a ", "-i",
			"\xc3\xa9"},
	};

	(void)state;
	for (size_t i = 0; i < array_size(lists); i++) {
		struct invocation invocation;
		struct config again;
		cleanup_text struct text first = {0};
		cleanup_text struct text second = {0};

		assert_int_equal(parse(&invocation, lists[i], NULL), 0);
		config_file_show(&invocation.config, &first);
		config_init(&again);
		assert_int_equal(
			config_file_parse(&again, "f", text_string(&first), first.length, NULL), 0);
		config_file_show(&again, &second);
		assert_string_equal(text_string(&first), text_string(&second));
		assert_string_equal(again.kernel_path, invocation.config.kernel_path);
		if (invocation.config.append)
			assert_string_equal(again.append, invocation.config.append);
		assert_int_equal(again.append_only, invocation.config.append_only);
		config_fini(&again);
		invocation_fini(&invocation);
	}
}

static void the_command_line_wins_over_files(void **state)
{
	static const char contents[] = "memory 2G\ncpus 2\nkernel from-file\nappend a\n";
	char path[] = "/tmp/hull-test-XXXXXX";
	int fd = mkstemp(path);
	const char *const words[WORDS_MAX] = {
		"-m", "3G", "from-words", "-p", "b", "--config", path};
	struct invocation invocation;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, contents, sizeof(contents) - 1), sizeof(contents) - 1);
	close(fd);
	assert_int_equal(parse(&invocation, words, NULL), 0);
	assert_int_equal(unlink(path), 0);
	assert_true(invocation.config.memory_bytes == UINT64_C(3) << 30);
	assert_int_equal(invocation.config.cpu_count, 2);
	assert_string_equal(invocation.config.kernel_path, "from-words");
	assert_string_equal(invocation.config.append, "a b");
	invocation_fini(&invocation);
}

static void help_wins_over_what_follows(void **state)
{
	static const char *const words[WORDS_MAX] = {"a", "b", "-h", "--bogus"};
	struct invocation invocation;

	(void)state;
	assert_int_equal(parse(&invocation, words, NULL), 0);
	assert_true(invocation.help);
	invocation_fini(&invocation);
}

/* Every name once, every key once, and what the table says of defaults is what config_init does. */
static void the_table_is_consistent(void **state)
{
	bool keys[CONFIG_KEY_COUNT] = {false};
	struct config config;

	(void)state;
	config_init(&config);
	for (size_t i = 0; i < option_count; i++) {
		const struct option *option = &option_table[i];
		cleanup_text struct text shown = {0};

		assert_non_null(option->help);
		assert_ptr_equal(
			option_find(option->name, strlen(option->name), COMMAND_ALL), option);
		if (option->alias)
			assert_ptr_equal(
				option_find(option->alias, strlen(option->alias), COMMAND_ALL),
				option);
		if (option->letter)
			assert_ptr_equal(option_find_letter(option->letter, COMMAND_ALL), option);
		assert_int_equal(option->effect == OPTION_SETS_KEY, option->key != CONFIG_KEY_NONE);
		if (option->effect != OPTION_SETS_KEY)
			continue;
		assert_false(keys[option->key]);
		keys[option->key] = true;
		assert_int_equal(
			config_show(&config, option->key, &shown), option->default_value != NULL);
		if (option->default_value)
			assert_string_equal(text_string(&shown), option->default_value);
	}
	for (int key = CONFIG_KEY_NONE + 1; key < CONFIG_KEY_COUNT; key++)
		assert_true(keys[key]);
	config_fini(&config);
}

static void assert_lines_fit(const char *text)
{
	for (size_t length; *text; text += length + (text[length] == '\n')) {
		length = strcspn(text, "\n");
		assert_true(length < 80);
	}
}

static void help_names_every_command(void **state)
{
	cleanup_text struct text help = {0};

	(void)state;
	help_add_overview(&help);
	assert_lines_fit(text_string(&help));
	for (size_t i = 0; command_table[i]; i++) {
		cleanup_text struct text line = {0};

		text_addf(&line, "\n  %s ", command_table[i]->name);
		assert_int_equal(strstr(text_string(&help), text_string(&line)) == NULL,
			command_table[i]->hidden);
	}
}

static void a_command_follows_two_dashes(void **state)
{
	static const char *const words[] = {
		"-m", "1G", "k", "--", "make", "-k", "--", "--help", NULL};
	struct invocation invocation;

	(void)state;
	assert_int_equal(parse(&invocation, words, NULL), 0);
	assert_false(invocation.help);
	assert_int_equal(invocation.config.command.count, 4);
	for (unsigned int i = 0; i < 4; i++)
		assert_string_equal(invocation.config.command.list[i], words[i + 4]);
	assert_string_equal(invocation.config.kernel_path, "k");
	invocation_fini(&invocation);
}

static void help_names_every_option(void **state)
{
	(void)state;
	for (size_t i = 0; command_table[i]; i++) {
		cleanup_text struct text help = {0};

		help_add_command(&help, command_table[i]);
		for (size_t j = 0; j < option_count; j++) {
			cleanup_text struct text name = {0};
			bool takes = option_table[j].commands & command_table[i]->bit;

			text_addf(&name, " --%s%s", option_table[j].name,
				option_table[j].value_is_optional ? "[=" : " ");
			assert_int_equal(
				strstr(text_string(&help), text_string(&name)) != NULL, takes);
		}
		assert_lines_fit(text_string(&help));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_become_a_config),
		cmocka_unit_test(wrong_words_are_named),
		cmocka_unit_test(file_lines_become_a_config),
		cmocka_unit_test(wrong_lines_are_numbered),
		cmocka_unit_test(files_are_bounded),
		cmocka_unit_test(what_is_shown_reads_back),
		cmocka_unit_test(the_command_line_wins_over_files),
		cmocka_unit_test(help_wins_over_what_follows),
		cmocka_unit_test(the_table_is_consistent),
		cmocka_unit_test(help_names_every_command),
		cmocka_unit_test(a_command_follows_two_dashes),
		cmocka_unit_test(help_names_every_option),
	};

	return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
