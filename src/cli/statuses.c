/* See statuses.h. */
#include "statuses.h"

#include "compiler.h"
#include "exit_status.h"

const struct status_meaning status_meanings[] = {
	{EXIT_STATUS_POWER_OFF, "the guest powered itself off"},
	{EXIT_STATUS_USAGE, "an option or a configuration is wrong"},
	{EXIT_STATUS_INPUT, "a kernel, an initrd, another named file or a network is unusable"},
	{EXIT_STATUS_NO_KVM, "this host has no KVM that will do: see hull doctor"},
	{EXIT_STATUS_NEVER_STARTED, "the guest ended before the command did"},
	{EXIT_STATUS_REBOOT, "the guest rebooted"},
	{EXIT_STATUS_PANIC, "the guest's kernel panicked"},
	{EXIT_STATUS_TRIPLE_FAULT, "a vCPU shut down (triple fault)"},
	{EXIT_STATUS_KVM_FAILURE, "KVM could not go on running the guest"},
	{EXIT_STATUS_TIMEOUT, "the time of --timeout was over"},
	{EXIT_STATUS_HULL, "Hull itself failed: host resources, or a bug"},
	{EXIT_STATUS_CANNOT_EXECUTE, "the command could not be executed"},
	{EXIT_STATUS_NOT_FOUND, "the command was not found"},
	{EXIT_STATUS_SIGNAL, "plus N: ended by signal N"},
};

const size_t status_meaning_count = array_size(status_meanings);
