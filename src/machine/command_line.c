/*
 * The kernel command line: Hull's words first, then the user's; a word of the user's whose key is
 * that of one of Hull's takes its place.
 */
#include "machine.h"

#include "arch.h"
#include "config_net.h"

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

static void add_word(struct text *line, const char *word)
{
	text_addf(line, "%s%s", line->length ? " " : "", word);
}

void machine_command_line(const struct config *config, struct text *line)
{
	const char *user = config->append ? config->append : "";
	const char *const *words = arch_command_line_words(config->console != CONFIG_CONSOLE_NULL);

	for (; !config->append_only && *words; words++)
		if (!has_key(user, *words))
			add_word(line, *words);
	if (config->ip && !config->append_only && !has_key(user, "ip=")) {
		cleanup_text struct text ip = {0};

		config_ip_word(config->ip, &ip);
		add_word(line, text_string(&ip));
		line->failed |= ip.failed;
	}
	if (*user)
		add_word(line, user);
}
