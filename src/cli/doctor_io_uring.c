/*
 * Does io_uring work? An I/O thread that has no other choice is started, as disks would start it:
 * it tries the operations that it needs.
 */
#include "doctor.h"

#include "io_thread.h"

#include <errno.h>

void doctor_check_io_uring(struct report *report)
{
	const struct io_thread_options options = {.name = "doctor", .engine = IO_ENGINE_URING};
	struct io_thread *thread = NULL;
	const char *advice = NULL;
	struct err err = {0};
	int r = io_thread_create(&options, &thread, &err);

	if (r == 0) {
		report_add(report, "io_uring", FINDING_OK, NULL, "works, and disks use it");
		io_thread_destroy(thread);
		return;
	}
	if (r == -EPERM || r == -EACCES)
		advice = "sysctl kernel.io_uring_disabled=0 (or 1, with you in its group); in a "
			 "container a seccomp profile that allows io_uring";
	else if (r == -ENOSYS)
		advice = "a newer kernel, or in a container a seccomp profile that allows io_uring";
	else if (r == -ENOMEM)
		advice = "a higher limit of locked memory (ulimit -l)";
	report_add(report, "io_uring", FINDING_LIMITED, advice, "disks use threads instead: %s",
		err.text);
}
