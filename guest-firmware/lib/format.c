/* See format.h. */
#include "format.h"

#include <stdbool.h>

static void add_byte(struct format *format, char byte)
{
	if (format->length + 1 >= format->capacity)
		return;
	format->data[format->length++] = byte;
	format->data[format->length] = '\0';
}

static void add_number(
	struct format *format, uint64_t value, unsigned int base, unsigned int width, char padding)
{
	char digits[24];
	unsigned int count = 0;

	do {
		digits[count++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	for (; width > count; width--)
		add_byte(format, padding);
	while (count)
		add_byte(format, digits[--count]);
}

static void add_signed(struct format *format, int64_t value)
{
	if (value < 0)
		add_byte(format, '-');
	add_number(format, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 10, 0, ' ');
}

static void add_string(struct format *format, const char *string)
{
	while (*string)
		add_byte(format, *string++);
}

void format_add_list(struct format *format, const char *pattern, va_list arguments)
{
	for (; *pattern; pattern++) {
		unsigned int width = 0;
		char padding = ' ';
		bool wide = false;

		if (*pattern != '%') {
			add_byte(format, *pattern);
			continue;
		}
		if (*++pattern == '0')
			padding = *pattern++;
		while (*pattern >= '0' && *pattern <= '9')
			width = width * 10 + (unsigned int)(*pattern++ - '0');
		if (*pattern == 'l') {
			wide = true;
			pattern++;
		}
		if (*pattern == 's')
			add_string(format, va_arg(arguments, const char *));
		else if (*pattern == 'c')
			add_byte(format, (char)va_arg(arguments, int));
		else if (*pattern == 'd')
			add_signed(format, wide ? va_arg(arguments, long) : va_arg(arguments, int));
		else if (*pattern == 'u' || *pattern == 'x')
			add_number(format,
				wide ? va_arg(arguments, unsigned long)
				     : va_arg(arguments, unsigned int),
				*pattern == 'x' ? 16 : 10, width, padding);
		else
			add_byte(format, '?');
	}
}

void format_add(struct format *format, const char *pattern, ...)
{
	va_list arguments;

	va_start(arguments, pattern);
	format_add_list(format, pattern, arguments);
	va_end(arguments);
}
