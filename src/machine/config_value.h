/*
 * Values of kinds that several keys have. field: a pointer to the member of struct config.
 */
#pragma once

#include "config.h"
#include "text.h"

/* How much of a value a sentence quotes: enough to recognise it, and the advice still fits. */
#define QUOTED "'%.80s'"

/* Puts a copy in the place of the string that is there. */
must_check int config_value_copy(char **slot, const char *value, struct err *err);

/* A page of this host's: what memory is given in. */
uint64_t config_page_bytes(void);

/* A char *, NULL when it is not given. */
bool config_string_show(const void *field, struct text *text);
must_check int config_path_set(void *field, const char *value, struct err *err);

/* A bool that its key sets, or clears; it has no value. */
must_check int config_switch_set(void *field, const char *value, struct err *err);
bool config_switch_show(const void *field, struct text *text);
must_check int config_switch_clear(void *field, const char *value, struct err *err);
bool config_cleared_switch_show(const void *field, struct text *text);

/* A uint64_t of nanoseconds. */
must_check int config_time_set(void *field, const char *value, struct err *err);
bool config_time_show(const void *field, struct text *text);

/* An unsigned int. */
bool config_count_show(const void *field, struct text *text);

/* Of two or three words the one that value is, or -EINVAL. */
must_check int config_word_choose(
	const char *const words[], int count, const char *value, struct err *err);
