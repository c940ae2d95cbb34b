/* See config_words.h. */
#include "config_words.h"

#include "parse.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define WORD_MAX 256

const char *config_words_first(const char *value, struct text *ret_first)
{
	for (; *value; value++) {
		if (*value == ',' && value[1] != ',')
			return value + 1;
		value += *value == ',';
		text_add_bytes(ret_first, value, 1);
	}
	return NULL;
}

int config_words_each(const char *words, config_word_fn *set, void *object, struct err *err)
{
	while (words) {
		size_t length = strcspn(words, ",");
		char word[WORD_MAX];
		char *equals;
		int r;

		if (length >= sizeof(word))
			return err_set(err, EINVAL, "'%.40s...' is too long", words);
		memcpy(word, words, length);
		word[length] = '\0';
		equals = strchr(word, '=');
		if (equals)
			*equals++ = '\0';
		r = set(object, word, equals, err);
		if (r < 0)
			return r;
		words = words[length] ? words + length + 1 : NULL;
	}
	return 0;
}

int config_words_limit(const char *name, const char *value, bool bytes, uint64_t *rate,
	uint64_t *burst, struct err *err)
{
	char copy[64];
	char *slash;
	int r;

	if (strlen(value) >= sizeof(copy))
		return err_set(err, EINVAL, "%s='%.40s' is too long", name, value);
	memcpy(copy, value, strlen(value) + 1);
	slash = strchr(copy, '/');
	if (slash)
		*slash++ = '\0';
	r = bytes ? parse_size_bytes(copy, 1, rate) : parse_u64(copy, UINT32_MAX, rate);
	if (r == 0 && slash)
		r = bytes ? parse_size_bytes(slash, 1, burst) : parse_u64(slash, UINT32_MAX, burst);
	if (r < 0 || !*rate)
		return err_set(err, EINVAL,
			"%s='%.40s' is not a rate per second, or a rate and a burst as in %s", name,
			value, bytes ? "50M/200M" : "1000/5000");
	return 0;
}

void config_words_show_first(const char *first, struct text *text)
{
	for (; *first; first++) {
		if (*first == ',')
			text_add(text, ",");
		text_add_bytes(text, first, 1);
	}
}

void config_words_show_limit(struct text *text, const char *name, uint64_t rate, uint64_t burst)
{
	if (!rate)
		return;
	text_addf(text, ",%s=%" PRIu64, name, rate);
	if (burst)
		text_addf(text, "/%" PRIu64, burst);
}
