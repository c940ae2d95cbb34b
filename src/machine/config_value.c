/* See config_value.h. */
#include "config_value.h"

#include "clock.h"
#include "parse.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int config_value_copy(char **slot, const char *value, struct err *err)
{
	char *copy = strdup(value);

	if (!copy)
		return err_set(err, ENOMEM, "out of memory");
	free(*slot);
	*slot = copy;
	return 0;
}

uint64_t config_page_bytes(void)
{
	return (uint64_t)sysconf(_SC_PAGESIZE);
}

bool config_string_show(const void *field, struct text *text)
{
	const char *string = *(char *const *)field;

	if (string)
		text_add(text, string);
	return string != NULL;
}

int config_path_set(void *field, const char *value, struct err *err)
{
	if (!*value)
		return err_set(err, EINVAL, "'' is not the name of a file");
	return config_value_copy(field, value, err);
}

int config_switch_set(void *field, const char *value, struct err *err)
{
	(void)value;
	(void)err;
	*(bool *)field = true;
	return 0;
}

bool config_switch_show(const void *field, struct text *text)
{
	(void)text;
	return *(const bool *)field;
}

int config_switch_clear(void *field, const char *value, struct err *err)
{
	(void)value;
	(void)err;
	*(bool *)field = false;
	return 0;
}

bool config_cleared_switch_show(const void *field, struct text *text)
{
	(void)text;
	return !*(const bool *)field;
}

int config_time_set(void *field, const char *value, struct err *err)
{
	uint64_t ns;

	if (parse_duration_ns(value, &ns) < 0 || ns > CONFIG_TIME_MAX_NS)
		return err_set(err, EINVAL,
			QUOTED " is not a time up to 87600h: seconds, or a number with ms, s, m or "
			       "h behind it",
			value);
	*(uint64_t *)field = ns;
	return 0;
}

bool config_time_show(const void *field, struct text *text)
{
	const uint64_t millisecond = NANOSECONDS_PER_SECOND / 1000;
	uint64_t ns = *(const uint64_t *)field;

	if (ns % NANOSECONDS_PER_SECOND == 0)
		text_addf(text, "%" PRIu64 "s", ns / NANOSECONDS_PER_SECOND);
	else if (ns % millisecond == 0)
		text_addf(text, "%" PRIu64 "ms", ns / millisecond);
	else
		text_addf(text, "%" PRIu64 ".%09" PRIu64 "s", ns / NANOSECONDS_PER_SECOND,
			ns % NANOSECONDS_PER_SECOND);
	return true;
}

int config_word_choose(const char *const words[], int count, const char *value, struct err *err)
{
	for (int i = 0; i < count; i++)
		if (strcmp(words[i], value) == 0)
			return i;
	if (count == 2)
		return err_set(
			err, EINVAL, QUOTED " is neither %s nor %s", value, words[0], words[1]);
	return err_set(err, EINVAL, QUOTED " is not one of %s, %s, %s", value, words[0], words[1],
		words[2]);
}

bool config_count_show(const void *field, struct text *text)
{
	text_addf(text, "%u", *(const unsigned int *)field);
	return true;
}
