/*
 * What hull doctor found out: a finding for each thing looked at. Main thread.
 */
#pragma once

#include "compiler.h"
#include "text.h"

#include <stdbool.h>
#include <stddef.h>

enum finding_state { FINDING_OK, FINDING_LIMITED, FINDING_MISSING };

struct finding {
	const char *name;
	enum finding_state state;
	char detail[512];
	char advice[512]; /* what to do about it; empty: nothing */
};

#define FINDINGS_MAX 32

struct report {
	struct finding findings[FINDINGS_MAX];
	size_t count;
	bool usable; /* a VM can be run here */
};

/* Adds a finding. The advice is NULL or a plain sentence. */
void report_add(struct report *report, const char *name, enum finding_state state,
	const char *advice, const char *format, ...) printf_like(5, 6);

/* The groups of checks. Each tries the thing itself, and undoes what it did. */
void doctor_check_kvm(struct report *report); /* sets usable */
void doctor_check_io_uring(struct report *report);
void doctor_check_memory(struct report *report);
void doctor_check_network(struct report *report);
void doctor_check_vhost(struct report *report);
void doctor_check_confinement(struct report *report);
void doctor_check_libraries(struct report *report);
void doctor_check_limits(struct report *report);

/* The report for people, with or without colour, and for programs. */
void report_show(const struct report *report, bool colour, struct text *text);
void report_show_json(const struct report *report, struct text *text);
