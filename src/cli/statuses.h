/*
 * The exit statuses in words, for help and the man page.
 */
#pragma once

#include <stddef.h>

struct status_meaning {
	int status;
	const char *meaning;
};

extern const struct status_meaning status_meanings[];
extern const size_t status_meaning_count;
