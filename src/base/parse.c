/* See parse.h. */
#include "parse.h"

#include "clock.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 16;
}

/* Reads digits of the base; returns the first other character, or NULL when none was read. On
 * overflow *overflow is set and the digits are still consumed. */
static const char *scan_digits(const char *text, uint64_t base, uint64_t *value, bool *overflow)
{
	const char *cursor = text;

	*value = 0;
	*overflow = false;
	for (; digit_value(*cursor) < (int)base; cursor++) {
		if (__builtin_mul_overflow(*value, base, value) ||
			__builtin_add_overflow(*value, (uint64_t)digit_value(*cursor), value))
			*overflow = true;
	}
	return cursor == text ? NULL : cursor;
}

int parse_u64(const char *text, uint64_t maximum, uint64_t *ret_value)
{
	bool hexadecimal = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	uint64_t value;
	bool overflow;
	const char *end = scan_digits(
		hexadecimal ? text + 2 : text, hexadecimal ? 16 : 10, &value, &overflow);

	if (!end || *end)
		return -EINVAL;
	if (overflow || value > maximum)
		return -ERANGE;
	*ret_value = value;
	return 0;
}

int parse_size_bytes(const char *text, uint64_t default_unit, uint64_t *ret_bytes)
{
	static const char letters[] = "KMGT";
	uint64_t value;
	uint64_t unit = default_unit;
	bool overflow;
	const char *end = scan_digits(text, 10, &value, &overflow);

	if (!end)
		return -EINVAL;
	if (*end) {
		char upper = *end >= 'a' && *end <= 'z' ? (char)(*end - 'a' + 'A') : *end;
		const char *letter = strchr(letters, upper);

		if (letter)
			unit = UINT64_C(1024) << (10 * (letter - letters));
		else if (upper == 'B')
			unit = 1;
		else
			return -EINVAL;
		end++;
		if (letter && *end && strcasecmp(end, "b") != 0 && strcasecmp(end, "ib") != 0)
			return -EINVAL;
		if (!letter && *end)
			return -EINVAL;
	}
	if (overflow || __builtin_mul_overflow(value, unit, &value))
		return -ERANGE;
	*ret_bytes = value;
	return 0;
}

int parse_duration_ns(const char *text, uint64_t *ret_ns)
{
	static const struct {
		const char *suffix;
		uint64_t ns;
	} units[] = {
		{"", NANOSECONDS_PER_SECOND},
		{"ms", NANOSECONDS_PER_SECOND / 1000},
		{"s", NANOSECONDS_PER_SECOND},
		{"m", 60 * NANOSECONDS_PER_SECOND},
		{"h", 3600 * NANOSECONDS_PER_SECOND},
	};
	uint64_t whole, fraction = 0, scale = 1;
	bool overflow;
	const char *end = scan_digits(text, 10, &whole, &overflow);

	if (!end)
		return -EINVAL;
	if (*end == '.') {
		const char *digits = ++end;

		for (; *end >= '0' && *end <= '9'; end++) {
			if (scale >= NANOSECONDS_PER_SECOND)
				continue; /* finer than a nanosecond */
			fraction = fraction * 10 + (uint64_t)(*end - '0');
			scale *= 10;
		}
		if (end == digits)
			return -EINVAL;
	}
	for (size_t i = 0; i < array_size(units); i++) {
		uint64_t total;

		if (strcmp(end, units[i].suffix) != 0)
			continue;
		if (overflow || __builtin_mul_overflow(whole, units[i].ns, &total) ||
			__builtin_add_overflow(total,
				(uint64_t)((__uint128_t)fraction * units[i].ns / scale), &total))
			return -ERANGE;
		*ret_ns = total;
		return 0;
	}
	return -EINVAL;
}
