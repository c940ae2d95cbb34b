/* See output.h. */
#include "output.h"

#include "exit_status.h"
#include "fd.h"
#include "log.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define COLUMNS 79

int output_write(const struct text *text)
{
	int r = text->failed ? -ENOMEM : fd_write(STDOUT_FILENO, text_string(text), text->length);

	if (r == -EPIPE)
		return EXIT_STATUS_SIGNAL + SIGPIPE;
	if (r < 0) {
		log_line(LOG_LEVEL_ERROR, "cannot write to standard output: %s",
			strerrordesc_np(-r));
		return EXIT_STATUS_HULL;
	}
	return 0;
}

void output_pad(struct text *text, unsigned int from, unsigned int to)
{
	for (; from < to; from++)
		text_add(text, " ");
}

void output_wrap(struct text *text, const char *words, unsigned int column, unsigned int indent)
{
	bool first = true;

	while (*words) {
		size_t length = strcspn(words, " ");

		if (!first && column + 1 + length > COLUMNS) {
			text_add(text, "\n");
			output_pad(text, 0, indent);
			column = indent;
		} else if (!first) {
			text_add(text, " ");
			column++;
		}
		text_add_bytes(text, words, length);
		column += (unsigned int)length;
		words += length + (words[length] == ' ');
		first = false;
	}
}
