/* See console_tail.h. */
#include "console_tail.h"

#include <stdbool.h>

static size_t tail_write(void *host, const void *bytes, size_t length)
{
	struct console_tail *tail = host;
	const char *from = bytes;

	for (size_t i = 0; i < length; i++)
		tail->bytes[tail->length++ % CONSOLE_TAIL_BYTES] = from[i];
	return length;
}

static bool tail_is_congested(void *host)
{
	(void)host;
	return false;
}

static void tail_resume_input(void *host)
{
	(void)host;
}

struct console_port console_tail_port(struct console_tail *tail)
{
	static const struct console_port_ops ops = {
		tail_write, tail_is_congested, tail_resume_input};

	return (struct console_port){&ops, tail};
}

void console_tail_show(const struct console_tail *tail, struct text *text)
{
	size_t at = tail->length > CONSOLE_TAIL_BYTES ? tail->length - CONSOLE_TAIL_BYTES : 0;

	if (at > 0)
		while (at < tail->length && tail->bytes[at++ % CONSOLE_TAIL_BYTES] != '\n')
			;
	for (; at < tail->length; at++) {
		char sign = tail->bytes[at % CONSOLE_TAIL_BYTES];

		/* A guest does not get to send the user's terminal its sequences. */
		if (sign == '\n' || sign == '\t' || (sign >= ' ' && sign <= '~'))
			text_addf(text, "%c", sign);
	}
}
