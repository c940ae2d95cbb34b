/* See check.h. */
#include "check.h"

#include "console.h"
#include "memory.h"

void report_note(struct report *report, const char *pattern, ...)
{
	va_list arguments;

	format_add(&report->detail, " ");
	va_start(arguments, pattern);
	format_add_list(&report->detail, pattern, arguments);
	va_end(arguments);
}

bool report_expect(struct report *report, bool condition, const char *pattern, ...)
{
	va_list arguments;

	if (condition)
		return true;
	report->failed = true;
	format_add(&report->detail, " [");
	va_start(arguments, pattern);
	format_add_list(&report->detail, pattern, arguments);
	va_end(arguments);
	format_add(&report->detail, "]");
	return false;
}

void report_fact(const char *name, const char *pattern, ...)
{
	char data[256] = "";
	struct format format = {data, sizeof(data), 0};
	va_list arguments;

	va_start(arguments, pattern);
	format_add_list(&format, pattern, arguments);
	va_end(arguments);
	console_print("%s: fact %s %s\n", check_guest_name, name, data);
}

/* The next comma-separated name of the list; false at its end. */
static bool next_name(const char **list, const char **ret_name, size_t *ret_length)
{
	const char *name = *list;
	size_t length = 0;

	if (!*name)
		return false;
	while (name[length] && name[length] != ',')
		length++;
	*ret_name = name;
	*ret_length = length;
	*list = name + length + (name[length] == ',');
	return true;
}

static bool same_name(const char *name, const char *other, size_t other_length)
{
	size_t i = 0;

	while (i < other_length && name[i] && name[i] == other[i])
		i++;
	return i == other_length && !name[i];
}

static bool is_wanted(const struct check *check, const char *only)
{
	const char *name;
	size_t length;

	if (!only)
		return true;
	while (next_name(&only, &name, &length)) {
		if (same_name(check->name, name, length))
			return true;
	}
	return false;
}

static unsigned int count_unknown(const struct check *checks, size_t count, const char *only)
{
	unsigned int unknown = 0;
	const char *name;
	size_t length;

	while (only && next_name(&only, &name, &length)) {
		bool known = same_name("none", name, length);

		for (size_t i = 0; i < count && !known; i++)
			known = same_name(checks[i].name, name, length);
		if (!known)
			unknown++;
	}
	return unknown;
}

struct check_totals check_run(const struct check *checks, size_t count, const char *only)
{
	struct check_totals totals = {0, count_unknown(checks, count, only)};

	if (totals.failed)
		console_print("%s: %u unknown checks named\n", check_guest_name, totals.failed);
	for (size_t i = 0; i < count; i++) {
		char detail[400] = "";
		struct report report = {false, {detail, sizeof(detail), 0}};

		if (!is_wanted(&checks[i], only))
			continue;
		checks[i].run(&report);
		if (report.failed)
			totals.failed++;
		else
			totals.passed++;
		console_print("%s: %s %s%s\n", check_guest_name, checks[i].name,
			report.failed ? "FAIL" : "ok", detail);
	}
	return totals;
}
