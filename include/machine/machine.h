/*
 * One VM from its config to its end. The machine owns every object of the VM; it is assembled in
 * machine.c, on one page, and taken apart in the opposite order.
 */
#pragma once

#include "config.h"
#include "err.h"
#include "exit_status.h"
#include "text.h"

/* Runs the VM on the calling thread (vCPUs on their own) until it ends. Returns the exit status of
 * the process; err holds the sentence to print when that is not a plain end (empty otherwise). */
must_check int machine_run(const struct config *config, struct err *err);

/* The kernel command line that the guest will get: Hull's own words, then the user's, whose words
 * win. */
void machine_command_line(const struct config *config, struct text *line);
