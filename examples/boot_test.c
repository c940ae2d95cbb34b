/*
 * Boots a kernel and asserts on what it says.
 *
 *	cc -o boot_test boot_test.c $(pkg-config --cflags --libs hull cmocka)
 *	KERNEL=/boot/vmlinuz ./boot_test
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

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(boots)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
