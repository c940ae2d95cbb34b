/*
 * A harness that pulls the cable of a guest's first NIC and plugs it in again. The guest's console
 * goes to standard output.
 *
 * usage: link_tool OPTION...: of hull run; the guest says "guest: ready", then "guest: pulled" when
 * it has noticed, and ends by itself
 */
#include "hull.h"

#include <stdio.h>

#define PATIENCE_MS 600000

static int check(int result, const struct hull_error *error)
{
	if (result != 0)
		(void)fprintf(stderr, "link_tool: %s\n", error->message);
	return result;
}

static int drive(struct hull_vm *vm, int *ret_status)
{
	struct hull_error error;

	if (check(hull_vm_expect(vm, "guest: ready", PATIENCE_MS, NULL, &error), &error) != 0 ||
		check(hull_vm_set_link(vm, 0, 0, &error), &error) != 0 ||
		check(hull_vm_expect(vm, "guest: pulled", PATIENCE_MS, NULL, &error), &error) !=
			0 ||
		check(hull_vm_set_link(vm, 0, 1, &error), &error) != 0)
		return -1;
	return check(hull_vm_wait(vm, PATIENCE_MS, ret_status, &error), &error);
}

static void show_console(struct hull_vm *vm)
{
	char *text;

	if (hull_vm_console(vm, &text, NULL) != 0)
		return;
	(void)fputs(text, stdout);
	hull_free(text);
}

int main(int argc, char **argv)
{
	struct hull_error error;
	struct hull_vm *vm;
	int status = 1;

	(void)argc;
	if (check(hull_vm_start((const char *const *)argv + 1, PATIENCE_MS, &vm, &error), &error) !=
		0)
		return 1;
	if (drive(vm, &status) != 0)
		status = 1;
	show_console(vm);
	hull_vm_close(vm);
	return status;
}
