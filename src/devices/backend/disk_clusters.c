/* See disk_clusters.h. */
#include "disk_clusters.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>

#define STATES_PER_WORD 32
#define BUSY_PER_WORD   64
#define EACH_STATE      UINT64_C(0x5555555555555555) /* times a state: a word full of it */

static uint64_t words(uint64_t count, unsigned int per_word)
{
	return (count + per_word - 1) / per_word;
}

static void *map_words(uint64_t count)
{
	void *memory = mmap(NULL, count * sizeof(uint64_t), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

int clusters_init(struct clusters *clusters, uint64_t count, uint64_t data_max)
{
	*clusters = (struct clusters){.count = count, .data_max = data_max};
	clusters->states = map_words(words(count, STATES_PER_WORD));
	clusters->busy = map_words(words(count, BUSY_PER_WORD));
	if (clusters->states && clusters->busy)
		return 0;
	clusters_fini(clusters);
	return -ENOMEM;
}

void clusters_fini(struct clusters *clusters)
{
	if (clusters->states)
		(void)munmap(clusters->states,
			words(clusters->count, STATES_PER_WORD) * sizeof(uint64_t));
	if (clusters->busy)
		(void)munmap(
			clusters->busy, words(clusters->count, BUSY_PER_WORD) * sizeof(uint64_t));
	clusters->states = NULL;
	clusters->busy = NULL;
}

static unsigned int state_shift(uint64_t cluster)
{
	return (unsigned int)(cluster % STATES_PER_WORD) * 2;
}

enum cluster_state clusters_state(const struct clusters *clusters, uint64_t cluster)
{
	return (enum cluster_state)(
		clusters->states[cluster / STATES_PER_WORD] >> state_shift(cluster) & 3);
}

uint64_t clusters_run_end(const struct clusters *clusters, uint64_t first, uint64_t end)
{
	enum cluster_state state = clusters_state(clusters, first);
	uint64_t full = EACH_STATE * state;

	while (first < end) {
		uint64_t word = clusters->states[first / STATES_PER_WORD] ^ full;

		word >>= state_shift(first);
		if (word) {
			first += (unsigned int)__builtin_ctzll(word) / 2;
			break;
		}
		first += STATES_PER_WORD - first % STATES_PER_WORD;
	}
	return first < end ? first : end;
}

/* The bits of a word from bit first on, at most count. */
static uint64_t bits(unsigned int first, uint64_t count)
{
	uint64_t mask = count >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << count) - 1;

	return mask << first;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

void clusters_set_state(
	struct clusters *clusters, uint64_t first, uint64_t end, enum cluster_state state)
{
	while (first < end) {
		uint64_t *word = &clusters->states[first / STATES_PER_WORD];
		uint64_t count = smaller(end - first, STATES_PER_WORD - first % STATES_PER_WORD);
		uint64_t mask = bits(state_shift(first), count * 2);

		*word = (*word & ~mask) | (EACH_STATE * state & mask);
		first += count;
	}
}

uint64_t clusters_find_busy(const struct clusters *clusters, uint64_t first, uint64_t end)
{
	if (!clusters->busy_count)
		return end;
	while (first < end) {
		uint64_t word = clusters->busy[first / BUSY_PER_WORD] >> first % BUSY_PER_WORD;

		if (word)
			return smaller(first + (unsigned int)__builtin_ctzll(word), end);
		first += BUSY_PER_WORD - first % BUSY_PER_WORD;
	}
	return end;
}

void clusters_set_busy(struct clusters *clusters, uint64_t first, uint64_t end, bool busy)
{
	if (busy)
		clusters->busy_count += end - first;
	else
		clusters->busy_count -= end - first;
	while (first < end) {
		uint64_t *word = &clusters->busy[first / BUSY_PER_WORD];
		uint64_t count = smaller(end - first, BUSY_PER_WORD - first % BUSY_PER_WORD);
		uint64_t mask = bits((unsigned int)(first % BUSY_PER_WORD), count);

		*word = busy ? *word | mask : *word & ~mask;
		first += count;
	}
}

int clusters_promise(struct clusters *clusters, uint64_t count)
{
	if (count > clusters->data_max - clusters->data_count)
		return -ENOSPC;
	clusters->data_count += count;
	return 0;
}

void clusters_give_back(struct clusters *clusters, uint64_t count)
{
	clusters->data_count -= count;
}
