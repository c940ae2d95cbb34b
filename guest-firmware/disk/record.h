/*
 * Numbered records that show whether they are whole: what a writer puts on a disk so that a test
 * can look for it in the image of a VM that was killed.
 *
 * A record: the magic number "HULLREC1", number, run, length in bytes, then words derived from
 * number and run, and in its last 8 bytes the sum of all words before, so that a torn one shows.
 * Words are of 64 bits, little-endian; a record has at least 5 of them.
 */
#ifndef RECORD_H
#define RECORD_H

#include <stdint.h>

#define RECORD_MAGIC UINT64_C(0x314345524c4c5548)
#define RECORD_MIX   UINT64_C(0x9e3779b97f4a7c15)

static inline uint64_t record_sum(const uint64_t *words, uint64_t count)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < count - 1; i++)
		sum += words[i];
	return sum;
}

static inline void record_fill(uint64_t *words, uint64_t bytes, uint64_t number, uint64_t run)
{
	uint64_t count = bytes / sizeof(*words);
	uint64_t value = number * RECORD_MIX + run;

	words[0] = RECORD_MAGIC;
	words[1] = number;
	words[2] = run;
	words[3] = bytes;
	for (uint64_t i = 4; i < count - 1; i++)
		words[i] = value += RECORD_MIX;
	words[count - 1] = record_sum(words, count);
}

#endif
