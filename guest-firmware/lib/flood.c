/* See flood.h. */
#include "flood.h"

#include "check.h"
#include "console.h"

#define LINE_BYTES    64
#define LINES_PER_KIB (1024 / LINE_BYTES)
#define LABEL         "flood "
#define ZERO          "00000000"
#define FILLER        "abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLMNOPQRSTU"

/* Counting in the text itself keeps the guest out of the way of what is measured. */
static void increment(char *digits, unsigned int count)
{
	while (count-- > 0 && digits[count]++ == '9')
		digits[count] = '0';
}

void flood(uint64_t kib, void (*write)(const char *bytes, size_t length))
{
	static char line[] = LABEL ZERO " " FILLER "\n";
	uint64_t lines = kib * LINES_PER_KIB;

	_Static_assert(sizeof(line) - 1 == LINE_BYTES, "a flood line");
	for (uint64_t i = 0; i < lines; i++) {
		write(line, LINE_BYTES);
		increment(line + sizeof(LABEL) - 1, sizeof(ZERO) - 1);
	}
	console_print("%s: flooded %lu bytes\n", check_guest_name, lines * LINE_BYTES);
}
