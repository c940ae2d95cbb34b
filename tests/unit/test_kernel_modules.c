/* Modules made here: what one needs comes first, once; damaged ones are refused with a sentence. */
#include "cmocka_all.h"
#include "kernel_modules.h"

#include "fd.h"
#include "text.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAMES "\0.modinfo\0.shstrtab"

struct module {
	Elf64_Ehdr header;
	Elf64_Shdr sections[3];
	char names[sizeof(NAMES)];
	char info[256];
};

static struct module make_module(const char *depends)
{
	struct module module = {
		.header = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
				   EV_CURRENT},
			.e_type = ET_REL,
			.e_shoff = offsetof(struct module, sections),
			.e_shentsize = sizeof(Elf64_Shdr),
			.e_shnum = 3,
			.e_shstrndx = 2},
		.sections = {{0},
			{.sh_name = 1,
				.sh_type = SHT_PROGBITS,
				.sh_offset = offsetof(struct module, info)},
			{.sh_name = 10,
				.sh_type = SHT_STRTAB,
				.sh_offset = offsetof(struct module, names),
				.sh_size = sizeof(NAMES)}},
		.names = NAMES,
	};
	int length = snprintf(
		module.info, sizeof(module.info), "license=GPL%cdepends=%s", '\0', depends);

	module.sections[1].sh_size = (uint64_t)length + 1;
	return module;
}

static char directory[64];

static void write_file(const char *name, const void *bytes, size_t length)
{
	char path[128];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(fd_write(fd, bytes, length), 0);
	(void)close(fd);
}

static void add(const char *name, const char *depends)
{
	struct module module = make_module(depends);
	char path[64];

	(void)snprintf(path, sizeof(path), "kernel/fs/%s.ko", name);
	write_file(path, &module, sizeof(module));
}

static int begin(void **state)
{
	static const char builtin[] = "kernel/fs/built-in.ko\nkernel/lib/other.ko\n";
	char path[128];

	(void)state;
	(void)strcpy(directory, "/tmp/test-modules-XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/kernel", directory);
	(void)mkdir(path, 0700);
	(void)snprintf(path, sizeof(path), "%s/kernel/fs", directory);
	(void)mkdir(path, 0700);
	write_file("modules.builtin", builtin, sizeof(builtin) - 1);
	return 0;
}

static int end(void **state)
{
	char command[128];

	(void)state;
	(void)snprintf(command, sizeof(command), "rm -r %s", directory);
	return system(command); /* NOLINT(cert-env33-c): its own directory */
}

static struct kernel_modules *open_modules(void)
{
	struct kernel_modules *modules = NULL;

	assert_int_equal(kernel_modules_open(directory, &modules, NULL), 0);
	return modules;
}

static void assert_wanted(const struct kernel_modules *modules, const char *expected)
{
	cleanup_text struct text names = {0};
	size_t count;
	const struct kernel_module *wanted = kernel_modules_wanted(modules, &count);

	for (size_t i = 0; i < count; i++)
		text_addf(&names, "%s%s", i ? " " : "", wanted[i].name);
	assert_string_equal(text_string(&names), expected);
}

static void what_one_needs_comes_first(void **state)
{
	struct kernel_modules *modules;

	(void)state;
	add("top", "left,right,built_in");
	add("left", "base-part");
	add("right", "base_part");
	add("base-part", "");
	modules = open_modules();
	assert_true(kernel_modules_has(modules, "base_part"));
	assert_true(kernel_modules_has(modules, "built-in"));
	assert_false(kernel_modules_has(modules, "built"));
	assert_false(kernel_modules_has(modules, "in"));
	assert_int_equal(kernel_modules_want(modules, "top", NULL), 0);
	assert_wanted(modules, "base-part left right top");
	assert_int_equal(kernel_modules_want(modules, "right", NULL), 0);
	assert_int_equal(kernel_modules_want(modules, "other", NULL), 0);
	assert_wanted(modules, "base-part left right top");
	kernel_modules_close(modules);
}

static void a_circle_ends(void **state)
{
	struct kernel_modules *modules;

	(void)state;
	add("a", "b");
	add("b", "a");
	add("self", "self");
	modules = open_modules();
	assert_int_equal(kernel_modules_want(modules, "a", NULL), 0);
	assert_wanted(modules, "b a");
	assert_int_equal(kernel_modules_want(modules, "self", NULL), 0);
	kernel_modules_close(modules);
}

static void a_long_chain_is_refused(void **state)
{
	struct kernel_modules *modules;
	struct err err = {0};

	(void)state;
	for (unsigned int i = 0; i < 40; i++) {
		char name[16], next[16];

		(void)snprintf(name, sizeof(name), "chain%u", i);
		(void)snprintf(next, sizeof(next), "chain%u", i + 1);
		add(name, next);
	}
	add("chain40", "");
	modules = open_modules();
	assert_int_equal(kernel_modules_want(modules, "chain0", &err), -ELOOP);
	assert_non_null(strstr(err.text, "chain0"));
	assert_wanted(modules, "");
	kernel_modules_close(modules);
}

static void what_is_missing_is_named(void **state)
{
	struct kernel_modules *modules;
	struct err err = {0};

	(void)state;
	add("needy", "absent");
	modules = open_modules();
	assert_int_equal(kernel_modules_want(modules, "needy", &err), -ENOENT);
	assert_non_null(strstr(err.text, "needy"));
	assert_non_null(strstr(err.text, "'absent'"));
	assert_non_null(strstr(err.text, directory));
	assert_int_equal(kernel_modules_want(modules, "nothing", &err), -ENOENT);
	kernel_modules_close(modules);
	assert_int_equal(kernel_modules_open("/nowhere", &modules, &err), -ENOENT);
	assert_int_equal(kernel_modules_open("/proc/self/fdinfo", &modules, &err), -ENOTDIR);
}

static void damaged_files_say_nothing(void **state)
{
	const struct module whole = make_module("something");
	const char *const keys[] = {"depends", "license", "absent", "", "depend"};

	(void)state;
	assert_string_equal(kernel_module_info(&whole, sizeof(whole), "depends"), "something");
	assert_null(kernel_module_info(&whole, sizeof(whole), "depend"));
	for (size_t length = 0; length <= sizeof(whole); length++) {
		void *copy = malloc(length ? length : 1); /* so that a sanitizer knows its end */

		assert_non_null(copy);
		memcpy(copy, &whole, length);
		for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
			(void)kernel_module_info(copy, length, keys[i]);
		free(copy);
	}
	for (size_t at = 0; at < sizeof(whole); at++) {
		struct module bent = whole;

		((uint8_t *)&bent)[at] ^= 0xff;
		(void)kernel_module_info(&bent, sizeof(bent), "depends");
	}
}

/* A kernel of this name and content in the directory "boot" beside "lib"; version: of the modules
 * that are to be found, NULL: none are. */
static void assert_found(const char *name, const char *content, size_t length, const char *version)
{
	char path[192];
	char expected[256];
	char file[96];
	char *found = NULL;
	struct image kernel = {.size_bytes = length};

	(void)snprintf(file, sizeof(file), "boot/%s", name);
	write_file(file, content, length);
	(void)snprintf(path, sizeof(path), "%s/%s", directory, file);
	(void)snprintf(expected, sizeof(expected), "%s/boot/../lib/modules/%s", directory,
		version ? version : "");
	kernel.fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(kernel.fd >= 0);
	assert_int_equal(kernel_modules_find(&kernel, path, &found, NULL), 0);
	if (version)
		assert_string_equal(found, expected);
	else
		assert_null(found);
	free(found);
	(void)close(kernel.fd);
}

static void make_directory(const char *name)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", directory, name);
	assert_int_equal(mkdir(path, 0700), 0);
}

static void a_version_leads_to_modules(void **state)
{
	static const char banner[] = "kernel\0Linux version \0Linux version %s (\0"
				     "Linux version 9.1-arm64 (root@host) (gcc)";
	static const char elsewhere[] = "Linux version ../../lib/modules/9.1-arm64 (root@host)";
	const size_t end_of_version = sizeof(banner) - sizeof(" (root@host) (gcc)");
	char header[1024] = {0};

	(void)state;
	make_directory("boot");
	make_directory("lib");
	make_directory("lib/modules");
	make_directory("lib/modules/9.1-arm64");
	make_directory("lib/modules/9.2");
	assert_found("vmlinuz-9.2", "x", 1, "9.2");
	assert_found("vmlinuz", "x", 1, NULL);
	assert_found("vmlinuz", banner, sizeof(banner) - 1, "9.1-arm64");
	assert_found("vmlinuz-own", banner, sizeof(banner) - 1, "9.1-arm64");
	assert_found("vmlinuz", elsewhere, sizeof(elsewhere) - 1, NULL);
	for (size_t length = 1; length <= end_of_version; length++)
		assert_found("vmlinuz", banner, length, NULL);
	memcpy(header + 0x202, "HdrS", 4);
	header[0x20f] = 1;
	(void)strcpy(header + 0x300, "9.2 (root@host) #1 SMP");
	assert_found("vmlinuz-9.1-arm64", header, sizeof(header), "9.2");
	(void)strcpy(header + 0x300, "9.3 (root@host) #1 SMP");
	assert_found("vmlinuz-9.1-arm64", header, sizeof(header), NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_one_needs_comes_first, begin, end),
		cmocka_unit_test_setup_teardown(a_circle_ends, begin, end),
		cmocka_unit_test_setup_teardown(a_long_chain_is_refused, begin, end),
		cmocka_unit_test_setup_teardown(what_is_missing_is_named, begin, end),
		cmocka_unit_test(damaged_files_say_nothing),
		cmocka_unit_test_setup_teardown(a_version_leads_to_modules, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
