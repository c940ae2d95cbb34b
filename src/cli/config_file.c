/* See config_file.h. */
#include "config_file.h"

#include "fd.h"
#include "options.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

/* A line in parts: ranges of the caller's buffer. */
struct line {
	const char *name;
	size_t name_length;
	bool equals; /* there is a `=` behind the name */
	char *value; /* NULL: none; NUL-terminated */
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static char *skip_blanks(char *cursor)
{
	while (is_blank(*cursor))
		cursor++;
	return cursor;
}

/* Undoes the quotes in place; returns what is behind the closing one, or NULL without one. */
static char *unquote(char *quoted)
{
	char *out = quoted;

	for (char *in = quoted + 1; *in; in++) {
		if (*in == '"') {
			*out = '\0';
			return in + 1;
		}
		if (*in == '\\' && (in[1] == '"' || in[1] == '\\'))
			in++;
		*out++ = *in;
	}
	return NULL;
}

/* Ends an unquoted value: at a comment, then before trailing blanks. */
static void trim(char *value)
{
	char *end = value;

	while (*end && !(*end == '#' && (end == value || is_blank(end[-1]))))
		end++;
	while (end > value && is_blank(end[-1]))
		end--;
	*end = '\0';
}

static int split_value(char *value, struct line *ret_line, struct err *err)
{
	char *behind;

	if (*value != '"') {
		trim(value);
		if (*value)
			ret_line->value = value;
		return 0;
	}
	behind = unquote(value);
	if (!behind)
		return err_set(err, EINVAL, "the closing quote is missing");
	behind = skip_blanks(behind);
	if (*behind && *behind != '#')
		return err_set(err, EINVAL, "'%.80s' follows the closing quote", behind);
	ret_line->value = value;
	return 0;
}

/* 1: a line that says something, 0: an empty one, -EINVAL. */
static int split_line(char *text, struct line *ret_line, struct err *err)
{
	char *name = skip_blanks(text);
	char *cursor = name + strcspn(name, " \t\r=");
	int r;

	if (!*name || *name == '#')
		return 0;
	*ret_line = (struct line){.name = name, .name_length = (size_t)(cursor - name)};
	cursor = skip_blanks(cursor);
	ret_line->equals = *cursor == '=';
	if (ret_line->equals)
		cursor = skip_blanks(cursor + 1);
	r = split_value(cursor, ret_line, err);
	return r < 0 ? r : 1;
}

static int unknown_name(const struct line *line, struct err *err)
{
	const char *nearest = option_nearest(line->name, line->name_length, COMMAND_RUN);
	int shown = line->name_length < 80 ? (int)line->name_length : 80;

	if (nearest)
		return err_set(err, EINVAL, "unknown option '%.*s': did you mean '%s'?", shown,
			line->name, nearest);
	return err_set(
		err, EINVAL, "unknown option '%.*s': see 'hull help run'", shown, line->name);
}

static int apply_line(struct config *config, char *text, struct err *err)
{
	struct line line;
	const struct option *option;
	int r = split_line(text, &line, err);

	if (r <= 0)
		return r;
	option = option_find(line.name, line.name_length, COMMAND_RUN);
	if (!option)
		return unknown_name(&line, err);
	if (option->effect != OPTION_SETS_KEY)
		return err_set(err, EINVAL, "%s is for the command line only", option->name);
	if (option->value && !line.value && (line.equals || !option->value_is_optional))
		return err_set(err, EINVAL, "%s: the value is missing: %s %s", option->name,
			option->name, option->value);
	if (!option->value && (line.value || line.equals))
		return err_set(err, EINVAL, "%s takes no value, but was given '%.80s'",
			option->name, line.value ? line.value : "");
	r = config_set(config, option->key, line.value, err);
	return r < 0 ? err_prefix(err, r, "%s", option->name) : 0;
}

int config_file_parse(
	struct config *config, const char *name, const char *bytes, size_t length, struct err *err)
{
	char line[CONFIG_FILE_LINE_MAX + 1];
	const char *end = bytes + length;
	unsigned int number = 1;

	if (length > CONFIG_FILE_BYTES_MAX)
		return err_set(err, E2BIG, "%.200s: a configuration file has at most %d bytes",
			name, CONFIG_FILE_BYTES_MAX);
	for (const char *start = bytes; start < end; number++) {
		const char *newline = memchr(start, '\n', (size_t)(end - start));
		size_t line_length = (size_t)((newline ? newline : end) - start);
		int r;

		if (line_length > CONFIG_FILE_LINE_MAX)
			return err_set(err, EINVAL, "%.200s:%u: longer than %d bytes", name, number,
				CONFIG_FILE_LINE_MAX);
		if (memchr(start, '\0', line_length))
			return err_set(err, EINVAL, "%.200s:%u: a NUL byte: this is not text", name,
				number);
		memcpy(line, start, line_length);
		line[line_length] = '\0';
		r = apply_line(config, line, err);
		if (r < 0)
			return err_prefix(err, r, "%.200s:%u", name, number);
		start = newline ? newline + 1 : end;
	}
	return 0;
}

static void free_bytes(char **bytes)
{
	free(*bytes);
}

int config_file_load(struct config *config, const char *path, struct err *err)
{
	cleanup_with(free_bytes) char *bytes = malloc(CONFIG_FILE_BYTES_MAX + 1);
	cleanup_fd int fd = -1;
	ssize_t length;

	if (!bytes)
		return err_set(err, ENOMEM, "out of memory");
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return err_set_errno(err, errno, "--config: '%.200s'", path);
	length = fd_read(fd, bytes, CONFIG_FILE_BYTES_MAX + 1);
	if (length < 0)
		return err_set_errno(err, (int)length, "--config: '%.200s'", path);
	return config_file_parse(config, path, bytes, (size_t)length, err);
}

/* In quotes unless it is plain enough to be safe without. */
static void show_value(const char *value, struct text *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "._/:,+@%=-";
	size_t length = strlen(value);

	text_add(text, " ");
	if (length && value[0] != '=' && strspn(value, plain) == length) {
		text_add(text, value);
		return;
	}
	text_add(text, "\"");
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			text_add(text, "\\");
		text_add_bytes(text, value, 1);
	}
	text_add(text, "\"");
}

/* One line: the option and its index-th value. False: there is none. */
static bool show_line(const struct config *config, const struct option *option, unsigned int index,
	struct text *text)
{
	cleanup_text struct text value = {0};

	if (!config_show_item(config, option->key, index, &value))
		return false;
	text_add(text, option->name);
	if (option->value && !(option->value_is_optional && !value.length))
		show_value(text_string(&value), text);
	text_add(text, "\n");
	text->failed |= value.failed;
	return true;
}

void config_file_show(const struct config *config, struct text *text)
{
	for (size_t i = 0; i < option_count; i++) {
		unsigned int index = 0;

		if (option_table[i].effect != OPTION_SETS_KEY)
			continue;
		while (show_line(config, &option_table[i], index, text))
			index++;
	}
}
