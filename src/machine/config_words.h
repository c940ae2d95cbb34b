/*
 * Values of the form FIRST[,WORD[=VALUE]]..., as disks and NICs have them. A comma in FIRST is
 * written twice.
 */
#pragma once

#include "compiler.h"
#include "err.h"
#include "text.h"

#include <stdbool.h>
#include <stdint.h>

/* Takes one word; value: NULL when it has no '='. */
typedef int config_word_fn(void *object, const char *name, const char *value, struct err *err);

/* Adds FIRST to ret_first; returns what follows its comma, or NULL: no words. */
const char *config_words_first(const char *value, struct text *ret_first);
/* Calls set for each word until one fails. words: NULL is fine. */
must_check int config_words_each(
	const char *words, config_word_fn *set, void *object, struct err *err);

/* RATE or RATE/BURST per second; bytes with a suffix, operations plainly. */
must_check int config_words_limit(const char *name, const char *value, bool bytes, uint64_t *rate,
	uint64_t *burst, struct err *err);

void config_words_show_first(const char *first, struct text *text);
/* Nothing for a rate of 0. */
void config_words_show_limit(struct text *text, const char *name, uint64_t rate, uint64_t burst);
