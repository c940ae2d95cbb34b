/* See words.h. */
#include "words.h"

/* What follows name in the last word that starts with it ("" or "=..."), or NULL. */
static const char *find(const char *line, const char *name)
{
	const char *found = NULL;

	while (*line) {
		const char *letter = name;

		while (*line == ' ')
			line++;
		while (*letter && *line == *letter) {
			line++;
			letter++;
		}
		if (!*letter && (!*line || *line == ' ' || *line == '='))
			found = line;
		while (*line && *line != ' ')
			line++;
	}
	return found;
}

bool words_has(const char *line, const char *name)
{
	return find(line, name);
}

bool words_value(const char *line, const char *name, char *ret_value, size_t capacity)
{
	const char *value = find(line, name);
	size_t length = 0;

	ret_value[0] = '\0';
	if (!value || *value != '=')
		return false;
	for (value++; *value && *value != ' ' && length + 1 < capacity; value++)
		ret_value[length++] = *value;
	ret_value[length] = '\0';
	return true;
}

static unsigned int digit_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return (unsigned int)(digit - '0');
	if (digit >= 'a' && digit <= 'f')
		return (unsigned int)(digit - 'a') + 10;
	return 16;
}

uint64_t words_number(const char *line, const char *name, uint64_t fallback)
{
	char value[24];
	const char *digit = value;
	unsigned int base = 10;
	uint64_t number = 0;

	if (!words_value(line, name, value, sizeof(value)) || !*digit)
		return fallback;
	if (digit[0] == '0' && digit[1] == 'x') {
		base = 16;
		digit += 2;
	}
	for (; *digit; digit++) {
		if (digit_value(*digit) >= base)
			return fallback;
		number = number * base + digit_value(*digit);
	}
	return number;
}

bool string_equal(const char *left, const char *right)
{
	while (*left && *left == *right) {
		left++;
		right++;
	}
	return *left == *right;
}
