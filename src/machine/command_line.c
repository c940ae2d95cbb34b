/*
 * The kernel command line: Hull's words first, then the user's; a word of the user's whose key is
 * that of one of Hull's takes its place.
 */
#include "machine.h"

#include "arch.h"

#include <stdbool.h>
#include <string.h>

/* Does any of the blank-separated words have the key of word (all up to '=')? */
static bool has_key(const char *words, const char *word)
{
	size_t key_length = strcspn(word, "=");

	while (*words) {
		size_t length;

		words += strspn(words, " \t\n");
		length = strcspn(words, " \t\n");
		if (strcspn(words, "= \t\n") == key_length && memcmp(words, word, key_length) == 0)
			return true;
		words += length;
	}
	return false;
}

void machine_command_line(const struct config *config, struct text *line)
{
	const char *user = config->append ? config->append : "";
	const char *const *words = arch_command_line_words(config->console != CONFIG_CONSOLE_NULL);

	for (; !config->append_only && *words; words++) {
		if (has_key(user, *words))
			continue;
		text_add(line, *words);
		if (words[1] || *user)
			text_add(line, " ");
	}
	text_add(line, user);
}
