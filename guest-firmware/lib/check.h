/*
 * Named checks and their report: one line each, "GUEST: NAME ok|FAIL detail".
 */
#pragma once

#include "format.h"

#include <stdbool.h>

struct report {
	bool failed;
	struct format detail;
};

struct check {
	const char *name;
	void (*run)(struct report *report);
};

/* Adds to the detail of the line. */
void report_note(struct report *report, const char *pattern, ...) printf_like(2, 3);

/* Marks the check failed unless the condition holds, and says why. Returns the condition. */
bool report_expect(struct report *report, bool condition, const char *pattern, ...)
	printf_like(3, 4);

/* Prints "GUEST: fact NAME VALUE", for the host to compare with what it asked for. */
void report_fact(const char *name, const char *pattern, ...) printf_like(2, 3);

struct check_totals {
	unsigned int passed;
	unsigned int failed;
};

/* Runs those checks that only names ("a,b"; NULL: all) and prints a line for each. A name that no
 * check has counts as a failure: a misspelt test must not pass. */
struct check_totals check_run(const struct check *checks, size_t count, const char *only);

/* The guest's name in front of every line; each guest defines it. */
extern const char check_guest_name[];
