/* hull doctor: what this host offers to a VM, tried and not guessed. See doctor.h. */
#include "doctor.h"

#include "command.h"
#include "exit_status.h"
#include "invocation.h"
#include "output.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define STATE_COLUMN  16
#define DETAIL_COLUMN 25

static const char *const state_words[] = {
	[FINDING_OK] = "ok",
	[FINDING_LIMITED] = "limited",
	[FINDING_MISSING] = "missing",
};

void report_add(struct report *report, const char *name, enum finding_state state,
	const char *advice, const char *format, ...)
{
	struct finding *finding = &report->findings[report->count];
	va_list args;

	if (report->count == FINDINGS_MAX)
		return;
	report->count++;
	*finding = (struct finding){.name = name, .state = state};
	(void)snprintf(finding->advice, sizeof(finding->advice), "%s", advice ? advice : "");
	va_start(args, format);
	(void)vsnprintf(finding->detail, sizeof(finding->detail), format, args);
	va_end(args);
}

static void show_finding(const struct finding *finding, bool colour, struct text *text)
{
	static const char *const colours[] = {
		[FINDING_OK] = "\033[32m",
		[FINDING_LIMITED] = "\033[33m",
		[FINDING_MISSING] = "\033[31m",
	};

	text_addf(text, "%-*s%s%-*s%s", STATE_COLUMN, finding->name,
		colour ? colours[finding->state] : "", DETAIL_COLUMN - STATE_COLUMN,
		state_words[finding->state], colour ? "\033[0m" : "");
	output_wrap(text, finding->detail, DETAIL_COLUMN, DETAIL_COLUMN);
	text_add(text, "\n");
	if (!finding->advice[0])
		return;
	output_pad(text, 0, DETAIL_COLUMN);
	text_add(text, "-> ");
	output_wrap(text, finding->advice, DETAIL_COLUMN + 3, DETAIL_COLUMN + 3);
	text_add(text, "\n");
}

void report_show(const struct report *report, bool colour, struct text *text)
{
	for (size_t i = 0; i < report->count; i++)
		show_finding(&report->findings[i], colour, text);
	text_add(text, report->usable
			       ? "\nA VM can be run here.\n"
			       : "\nNo VM can be run here: KVM is missing or will not do.\n");
}

/* RFC 8259 7. Bytes above ASCII pass as they are: messages of this program are UTF-8. */
static void add_json_string(struct text *text, const char *string)
{
	text_add(text, "\"");
	for (; *string; string++) {
		if (*string == '"' || *string == '\\')
			text_addf(text, "\\%c", *string);
		else if ((unsigned char)*string < ' ')
			text_addf(text, "\\u%04x", (unsigned int)(unsigned char)*string);
		else
			text_add_bytes(text, string, 1);
	}
	text_add(text, "\"");
}

void report_show_json(const struct report *report, struct text *text)
{
	text_addf(text, "{\"version\": \"%s\", \"usable\": %s, \"findings\": [", HULL_VERSION,
		report->usable ? "true" : "false");
	for (size_t i = 0; i < report->count; i++) {
		const struct finding *finding = &report->findings[i];

		text_add(text, i ? ",\n  {\"name\": " : "\n  {\"name\": ");
		add_json_string(text, finding->name);
		text_addf(text, ", \"state\": \"%s\", \"detail\": ", state_words[finding->state]);
		add_json_string(text, finding->detail);
		text_add(text, ", \"advice\": ");
		if (finding->advice[0])
			add_json_string(text, finding->advice);
		else
			text_add(text, "null");
		text_add(text, "}");
	}
	text_add(text, "\n]}\n");
}

/* https://no-color.org: set and not empty means none. */
static bool wants_colour(void)
{
	const char *no_colour = getenv("NO_COLOR");

	return isatty(STDOUT_FILENO) && !(no_colour && *no_colour);
}

static int run_doctor(struct invocation *invocation)
{
	static void (*const checks[])(struct report *) = {
		doctor_check_kvm,
		doctor_check_io_uring,
		doctor_check_memory,
		doctor_check_network,
		doctor_check_vhost,
		doctor_check_confinement,
		doctor_check_libraries,
		doctor_check_limits,
	};
	cleanup_text struct text text = {0};
	struct report report = {.count = 0};
	int status;

	for (size_t i = 0; i < array_size(checks); i++)
		checks[i](&report);
	if (invocation->json)
		report_show_json(&report, &text);
	else
		report_show(&report, wants_colour(), &text);
	status = output_write(&text);
	if (status != 0)
		return status;
	return report.usable ? 0 : EXIT_STATUS_NO_KVM;
}

const struct command command_doctor = {
	.name = "doctor",
	.bit = COMMAND_DOCTOR,
	.summary = "tell what this host offers to a VM, and what is missing",
	.description =
		"Tries what a VM needs or can make use of: KVM, io_uring, huge pages, tap devices, "
		"confinement, libraries, limits; and says what to do about what is missing. The "
		"status is 0 when a VM can be run here, 118 when not.",
	.run = run_doctor,
};
