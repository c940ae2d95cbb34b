/* See console.h. */
#include "console.h"

void console_print(const char *pattern, ...)
{
	char data[512] = "";
	struct format format = {data, sizeof(data), 0};
	va_list arguments;

	va_start(arguments, pattern);
	format_add_list(&format, pattern, arguments);
	va_end(arguments);
	console_write(data, format.length);
}
