/*
 * The exit statuses of hull: stable, documented in docs/exit-status.md.
 *
 * 116 to 127 are Hull's own words; 124 to 127 mean what they mean to timeout(1), env(1) and shells.
 * 128 + n: ended by signal n.
 */
#pragma once

enum exit_status {
	EXIT_STATUS_POWER_OFF = 0, /* the guest powered itself off */
	EXIT_STATUS_USAGE = 116,   /* an option or a configuration is wrong */
	EXIT_STATUS_INPUT = 117,   /* a kernel, an initrd, a named file or a network is unusable */
	EXIT_STATUS_NO_KVM = 118,  /* this host has no KVM that will do */
	EXIT_STATUS_NEVER_STARTED = 119, /* the guest ended before the command did */
	EXIT_STATUS_REBOOT = 120,        /* the guest rebooted (--on-reboot=exit) */
	EXIT_STATUS_PANIC = 121,         /* the guest's kernel panicked */
	EXIT_STATUS_TRIPLE_FAULT = 122,  /* a vCPU shut down (triple fault) */
	EXIT_STATUS_KVM_FAILURE = 123,   /* KVM could not go on running the guest */
	EXIT_STATUS_TIMEOUT = 124,       /* --timeout expired */
	EXIT_STATUS_HULL = 125,          /* Hull itself failed: host resources, a bug */
	EXIT_STATUS_CANNOT_EXECUTE = 126,
	EXIT_STATUS_NOT_FOUND = 127,
	EXIT_STATUS_SIGNAL = 128, /* plus the signal's number */
};
