/*
 * Boots a kernel and asserts on what it says.
 *
 *	cc -o boot_test boot_test.c $(pkg-config --cflags --libs hull cmocka)
 *	KERNEL=/boot/vmlinuz ./boot_test
 *
 * With ROOT, the root of a guest, a command is run in it and a file is copied out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <hull/hull.h>
#include <stdlib.h>

#define MINUTES 60000

static const char *setting(const char *name, const char *otherwise)
{
	const char *value = getenv(name);

	return value && *value ? value : otherwise;
}

static void boots(void **state)
{
	const char *const options[] = {
		"-k", setting("KERNEL", "/boot/vmlinuz"), "-m", "512M", "--timeout", "10m", NULL};
	struct hull_error error;
	struct hull_vm *vm;

	(void)state;
	if (hull_vm_start(options, 1 * MINUTES, &vm, &error) != 0)
		fail_msg("%s", error.message);
	if (hull_vm_expect(vm, setting("EXPECT", "Linux version [0-9.]+"), 5 * MINUTES, NULL,
		    &error) != 0) {
		hull_vm_close(vm);
		fail_msg("%s", error.message);
	}
	hull_vm_close(vm);
}

static void runs_commands(void **state)
{
	const char *const command[] = {"sh", "-c", "cat; uname -s >/tmp/name; exit 3", NULL};
	const char *const options[] = {"-k", setting("KERNEL", "/boot/vmlinuz"), "-m", "512M",
		"--timeout", "10m", "--serve", "--root", setting("ROOT", ""), NULL};
	const struct hull_exec_options with_input = {.input = "hello", .input_length = 5};
	struct hull_exec_result result = {0};
	struct hull_error error;
	struct hull_vm *vm;
	int r;

	(void)state;
	if (!*setting("ROOT", ""))
		skip();
	if (hull_vm_start(options, 1 * MINUTES, &vm, &error) != 0)
		fail_msg("%s", error.message);
	r = hull_vm_exec(vm, command, &with_input, 5 * MINUTES, &result, &error);
	if (r == 0)
		r = hull_vm_copy_out(vm, "/tmp/name", "name", 100, 1 * MINUTES, &error);
	hull_vm_close(vm);
	if (r != 0)
		fail_msg("%s", error.message);
	assert_int_equal(result.status, 3);
	assert_string_equal(result.output, "hello");
	hull_exec_result_clear(&result);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(boots), cmocka_unit_test(runs_commands)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
