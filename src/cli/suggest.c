/* See suggest.h. */
#include "suggest.h"

#include <string.h>

#define LENGTH_MAX 32

static size_t minimum(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Insertions, deletions, replacements and swaps of neighbours (optimal string alignment). */
static size_t edit_distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
	size_t rows[3][LENGTH_MAX + 1];
	size_t *above2 = rows[0], *above = rows[1], *row = rows[2];

	for (size_t j = 0; j <= b_length; j++)
		above[j] = j;
	for (size_t i = 1; i <= a_length; i++) {
		size_t *recycled = above2;

		row[0] = i;
		for (size_t j = 1; j <= b_length; j++) {
			row[j] = above[j - 1] + (a[i - 1] != b[j - 1]);
			row[j] = minimum(row[j], minimum(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = minimum(row[j], above2[j - 2] + 1);
		}
		above2 = above;
		above = row;
		row = recycled;
	}
	return above[b_length];
}

void suggest_consider(struct suggestion *suggestion, const char *candidate)
{
	size_t length = strlen(candidate);
	size_t distance;

	if (suggestion->wanted_length > LENGTH_MAX || length > LENGTH_MAX)
		return;
	distance = edit_distance(suggestion->wanted, suggestion->wanted_length, candidate, length);
	if (suggestion->wanted_length >= 2 && suggestion->wanted_length < length &&
		memcmp(suggestion->wanted, candidate, suggestion->wanted_length) == 0)
		distance = 1;
	if (distance > 1 + minimum(length, suggestion->wanted_length) / 4 || distance >= length)
		return;
	if (suggestion->best && distance >= suggestion->best_distance)
		return;
	suggestion->best = candidate;
	suggestion->best_distance = distance;
}
