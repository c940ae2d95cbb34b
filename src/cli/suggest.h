/*
 * Which known name a misspelt one most likely means.
 */
#pragma once

#include <stddef.h>

struct suggestion {
	const char *wanted;
	size_t wanted_length;
	const char *best; /* NULL: nothing is near */
	size_t best_distance;
};

/* Takes the candidate when it is nearer than what was found before and near enough: one edit in
 * every three characters, or the wanted name is a beginning of it. */
void suggest_consider(struct suggestion *suggestion, const char *candidate);
