/*
 * Runs the table of guest_cases.c against a hull and prints TAP.
 *
 *     guest_runner [--patience=SECONDS] HULL FIRMWARE_DIRECTORY [GROUP [CASE]]
 *
 * Needs no library beyond the C library and nothing else in the system, so that it also runs in a
 * minimal one. 77 without a usable /dev/kvm, 1 when a case fails.
 */
#include "guest_process.h"
#include "shared_directory.h"
#include "virtio_cases.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATUS_FAILED  1
#define STATUS_USAGE   2
#define STATUS_SKIPPED 77

#define COMMAND_WORDS_MAX  (CASE_WORDS_MAX + 8)
#define PATIENCE_SECONDS   180
#define FLOOD_LINE_BYTES   64
#define DISKS_MAX          2
#define DISK_BYTES         (64L << 20)
#define SHOWN_BYTES        1500
#define FAILURES_SHOWN     20
#define RAM_NOT_TOLD_BYTES (UINT64_C(1) << 20) /* the legacy hole and what the loader keeps */

struct setup {
	const char *hull;
	const char *firmware;
	unsigned int patience_ms;
};

struct command {
	char *words[COMMAND_WORDS_MAX];
	char guest[PATH_MAX], file[PATH_MAX];
	char disks[DISKS_MAX][PATH_MAX]; /* made for the case; "" when not used */
	char disk_options[DISKS_MAX][PATH_MAX];
	unsigned int disk_count;
	char link[128];
	char sockets[64];
	struct shared_directory shared;
	unsigned int count;
	uint64_t file_bytes; /* of the option's file; 0: none */
};

/* execve takes words that it will not write to, and says so in no type. */
static void add_word(struct command *command, const char *word)
{
	union {
		const char *given;
		char *wanted;
	} same = {.given = word};

	if (command->count + 1 < COMMAND_WORDS_MAX)
		command->words[command->count++] = same.wanted;
}

/* "@disk,ro": the option with the name of a fresh file of zeros in place of the word. */
static const char *make_disk(struct command *command, const char *option)
{
	unsigned int index = command->disk_count;
	char path[] = "/tmp/hull-disk-XXXXXX";
	int fd;

	if (index == DISKS_MAX)
		return option;
	fd = mkstemp(path);
	if (fd < 0 || ftruncate(fd, DISK_BYTES) != 0)
		fprintf(stderr, "# cannot make a disk: %s\n", strerror(errno));
	if (fd >= 0)
		(void)close(fd); /* its size is all there is to it */
	command->disk_count++;
	(void)snprintf(command->disks[index], PATH_MAX, "%s", path);
	(void)snprintf(command->disk_options[index], PATH_MAX, "%s%s", path,
		option + strcspn(option, ","));
	return command->disk_options[index];
}

/* "@link": a socket of datagrams that is its own peer; hull removes it. */
static const char *make_link(struct command *command)
{
	(void)snprintf(command->link, sizeof(command->link),
		"socket=/tmp/hull-link-%d,peer=/tmp/hull-link-%d", (int)getpid(), (int)getpid());
	return command->link;
}

/* "@sockets": the path of a socket device; hull removes it. */
static const char *make_sockets(struct command *command)
{
	(void)snprintf(
		command->sockets, sizeof(command->sockets), "/tmp/hull-sockets-%d", (int)getpid());
	return command->sockets;
}

static void remove_files(const struct command *command)
{
	for (unsigned int i = 0; i < command->disk_count; i++)
		(void)unlink(command->disks[i]);
	shared_remove(&command->shared);
}

static void build_command(
	const struct setup *setup, const struct guest_case *guest_case, struct command *command)
{
	struct stat status;

	memset(command, 0, sizeof(*command));
	(void)snprintf(command->guest, sizeof(command->guest), "%s/%s", setup->firmware,
		guest_case->guest ? guest_case->guest : "probe"); /* too long is not found */
	add_word(command, setup->hull);
	add_word(command, "run");
	add_word(command, "-k");
	add_word(command, command->guest);
	for (size_t i = 0; i < CASE_WORDS_MAX && guest_case->options[i]; i++) {
		const char *option = guest_case->options[i];

		if (strncmp(option, "@disk", 5) == 0) {
			option = make_disk(command, option);
		} else if (strcmp(option, "@link") == 0) {
			option = make_link(command);
		} else if (strcmp(option, "@sockets") == 0) {
			option = make_sockets(command);
		} else if (strcmp(option, "@share") == 0) {
			shared_make(&command->shared);
			option = command->shared.option;
		} else if (option[0] == '@') {
			(void)snprintf(command->file, sizeof(command->file), "%s/%s",
				setup->firmware, option + 1);
			command->file_bytes = stat(command->file, &status) == 0
			                              ? (uint64_t)status.st_size
			                              : 0;
			option = command->file;
		}
		add_word(command, option);
	}
	if (guest_case->words) {
		add_word(command, "-p");
		add_word(command, guest_case->words);
	}
}

/* The number behind "probe: fact NAME "; false when there is none. */
static bool read_fact(const char *output, const char *name, uint64_t *ret_value)
{
	char prefix[64];
	const char *found;

	(void)snprintf(prefix, sizeof(prefix), "probe: fact %s ", name); /* fits */
	found = strstr(output, prefix);
	if (!found)
		return false;
	*ret_value = strtoull(found + strlen(prefix), NULL, 10);
	return true;
}

static const char *check_flood(const char *output, unsigned int kib)
{
	const char *at = strstr(output, "flood 00000000 ");
	unsigned int lines = kib * 1024 / FLOOD_LINE_BYTES;
	char expected[32];

	for (unsigned int i = 0; i < lines; i++, at += FLOOD_LINE_BYTES) {
		(void)snprintf(expected, sizeof(expected), "flood %08u ", i); /* fits */
		if (!at || strncmp(at, expected, strlen(expected)) != 0 ||
			strnlen(at, FLOOD_LINE_BYTES) < FLOOD_LINE_BYTES ||
			at[FLOOD_LINE_BYTES - 1] != '\n')
			return "console output was lost or reordered";
	}
	return NULL;
}

static const char *check_lines(const struct guest_case *guest_case, const char *output)
{
	for (size_t i = 0; i < CASE_LINES_MAX && guest_case->lines[i]; i++) {
		const char *found = strstr(output, guest_case->lines[i]);

		if (!found)
			return guest_case->lines[i];
		output = found + strlen(guest_case->lines[i]);
	}
	return NULL;
}

/* What was wrong, or NULL. */
static const char *judge(const struct guest_case *guest_case, const struct command *command,
	const struct outcome *outcome)
{
	const char *output = outcome->output.data;
	uint64_t value = 0;

	if (outcome->status == -1)
		return "hung and was killed";
	if (outcome->status != guest_case->status)
		return "another status";
	if (guest_case->all_pass && (strstr(output, " FAIL") || !strstr(output, ", 0 failed")))
		return "not all of the guest's checks passed";
	if (guest_case->memory_mib &&
		(!read_fact(output, "ram-bytes", &value) || value > guest_case->memory_mib << 20 ||
			value + RAM_NOT_TOLD_BYTES < guest_case->memory_mib << 20))
		return "the guest's RAM is not what was asked for";
	if (command->file_bytes &&
		(!read_fact(output, "module-bytes", &value) || value != command->file_bytes))
		return "the initrd's size is not the file's";
	if (outcome->steps_done < CASE_STEPS_MAX && guest_case->steps[outcome->steps_done].after)
		return "it never said what the next step waited for";
	if (guest_case->flood_kib && check_flood(output, guest_case->flood_kib))
		return check_flood(output, guest_case->flood_kib);
	if (check_lines(guest_case, output))
		return "a line is missing";
	if (guest_case->message && !strstr(outcome->errors.data, guest_case->message))
		return "the message is missing";
	if (command->shared.path[0])
		return shared_check(&command->shared);
	return NULL;
}

/* The lines of checks that failed, which may be far from the end. */
static void show_failed_checks(const struct capture *capture)
{
	const char *at = capture->data;
	unsigned int count = 0;

	while ((at = strstr(at, " FAIL"))) {
		while (at > capture->data && at[-1] != '\n')
			at--;
		if (count++ < FAILURES_SHOWN)
			printf("# failed: %.*s\n", (int)strcspn(at, "\n"), at);
		at += strcspn(at, "\n");
	}
	if (count > FAILURES_SHOWN)
		printf("# and %u more\n", count - FAILURES_SHOWN);
}

/* The end of what was captured, as TAP comments. */
static void show(const char *title, const struct capture *capture)
{
	const char *at = capture->data;

	if (!capture->length)
		return;
	if (capture->length > SHOWN_BYTES)
		at += capture->length - SHOWN_BYTES;
	printf("# %s:\n", title);
	while (*at) {
		size_t length = strcspn(at, "\n");

		printf("#   %.*s\n", (int)length, at);
		at += length + (at[length] == '\n');
	}
}

static void show_failure(const struct guest_case *guest_case, const struct command *command,
	const struct outcome *outcome)
{
	const char *line = check_lines(guest_case, outcome->output.data);

	printf("# command:");
	for (unsigned int i = 0; i < command->count; i++)
		printf(" '%s'", command->words[i]);
	printf("\n# status %d, expected %d\n", outcome->status, guest_case->status);
	if (line)
		printf("# missing line: %s%s", line, strchr(line, '\n') ? "" : "\n");
	show_failed_checks(&outcome->output);
	show("standard output", &outcome->output);
	show("standard error", &outcome->errors);
}

static bool run_case(
	const struct setup *setup, const struct guest_case *guest_case, unsigned int number)
{
	struct command command;
	struct outcome outcome;
	const char *problem;
	int r;

	build_command(setup, guest_case, &command);
	r = process_run(command.words, guest_case, setup->patience_ms, &outcome);
	problem = r < 0 ? strerror(-r) : judge(guest_case, &command, &outcome);
	printf("%sok %u - %s: %s%s%s (%" PRIu64 " ms)\n", problem ? "not " : "", number,
		guest_case->group, guest_case->name, problem ? ": " : "", problem ? problem : "",
		outcome.duration_ms);
	if (problem && r == 0)
		show_failure(guest_case, &command, &outcome);
	(void)fflush(stdout); /* what cannot be printed cannot be reported either */
	outcome_fini(&outcome);
	remove_files(&command);
	return !problem;
}

static bool is_wanted(const struct guest_case *guest_case, const char *group, const char *name)
{
	return (!group || strcmp(group, guest_case->group) == 0) &&
	       (!name || strcmp(name, guest_case->name) == 0);
}

static int run_all(const struct setup *setup, const char *group, const char *name)
{
	const struct {
		const struct guest_case *cases;
		size_t count;
	} tables[] = {{guest_cases, guest_case_count}, {virtio_cases, virtio_case_count}};
	unsigned int count = 0, failed = 0;

	for (size_t table = 0; table < sizeof(tables) / sizeof(tables[0]); table++)
		for (size_t i = 0; i < tables[table].count; i++)
			count += is_wanted(&tables[table].cases[i], group, name);
	printf("1..%u\n", count);
	count = 0;
	for (size_t table = 0; table < sizeof(tables) / sizeof(tables[0]); table++)
		for (size_t i = 0; i < tables[table].count; i++)
			if (is_wanted(&tables[table].cases[i], group, name))
				failed += !run_case(setup, &tables[table].cases[i], ++count);
	if (!count)
		printf("# no such group or case\n");
	return failed || !count ? STATUS_FAILED : 0;
}

static bool kvm_is_usable(void)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		printf("1..0 # SKIP /dev/kvm: %s\n", strerror(errno));
		return false;
	}
	(void)close(fd); /* nothing was written */
	return true;
}

int main(int argc, char **argv)
{
	static const char patience_option[] = "--patience=";
	struct setup setup = {.patience_ms = PATIENCE_SECONDS * 1000};

	if (argc > 1 && strncmp(argv[1], patience_option, sizeof(patience_option) - 1) == 0) {
		setup.patience_ms = (unsigned int)strtoul(
					    argv[1] + sizeof(patience_option) - 1, NULL, 10) *
		                    1000;
		argv++;
		argc--;
	}
	if (argc < 3 || argc > 5 || !setup.patience_ms) {
		(void)fputs("usage: guest_runner [--patience=SECONDS] HULL FIRMWARE_DIRECTORY "
			    "[GROUP [CASE]]\n",
			stderr);
		return STATUS_USAGE;
	}
	setup.hull = argv[1];
	setup.firmware = argv[2];
	if (!kvm_is_usable())
		return STATUS_SKIPPED;
	/* A hull that ends early must not take the runner with it. */
	(void)signal(SIGPIPE, SIG_IGN); /* a valid signal number cannot fail */
	return run_all(&setup, argc > 3 ? argv[3] : NULL, argc > 4 ? argv[4] : NULL);
}
