/*
 * Writes numbered records (record.h) from a Linux guest, and looks for those of any guest in the
 * image of its disk.
 *
 *     disk_records write DISK HOW RECORD_BYTES RUN
 *         HOW is what makes a record acknowledged: direct, dsync (the write itself, opened with
 *         O_DIRECT or O_DSYNC), fsync or fdatasync. Standard output gets the lines of
 *         guest-firmware/disk/disk_writer.c.
 *     disk_records check LOG IMAGE
 *         Reads such lines up to where they were cut off, then the image. 0: nothing acknowledged
 *         is missing or torn; 1: something is; 2: the log says nothing about any record. Records
 *         behind the last acknowledged one may be there or not, or torn.
 *
 * Needs no library beyond the C library, for it also runs in minimal systems.
 */
#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define STATUS_LOST    1
#define STATUS_NOTHING 2
#define STATUS_USAGE   3

#define RECORD_MIN     512
#define RECORD_MAX     (1 << 20)
#define BUFFER_ALIGN   4096
#define LINE_BYTES_MAX 256
#define EXAMPLES       5

static const struct way {
	const char *name;
	int flags;
	int (*sync)(int descriptor);
} ways[] = {
	{"direct", O_DIRECT, NULL},
	{"dsync", O_DSYNC, NULL},
	{"fsync", 0, fsync},
	{"fdatasync", 0, fdatasync},
};

static int fail(const char *what)
{
	(void)fprintf(stderr, "disk_records: %s: %s\n", what, strerror(errno));
	return STATUS_USAGE;
}

static int write_records(const char *disk, const struct way *way, uint64_t record, uint64_t run)
{
	int descriptor = open(disk, O_WRONLY | O_CLOEXEC | way->flags);
	off_t bytes = descriptor < 0 ? -1 : lseek(descriptor, 0, SEEK_END);
	uint64_t *words = aligned_alloc(
		BUFFER_ALIGN, (record + BUFFER_ALIGN - 1) / BUFFER_ALIGN * BUFFER_ALIGN);
	uint64_t number = 0;

	if (bytes < 0 || !words)
		return fail(disk);
	printf("disk-writer: start run %" PRIu64 " first 0 record %" PRIu64 " capacity %" PRIu64
	       "\n",
		run, record, (uint64_t)bytes / record);
	for (; number < (uint64_t)bytes / record; number++) {
		record_fill(words, record, number, run);
		if (pwrite(descriptor, words, record, (off_t)(number * record)) !=
				(ssize_t)record ||
			(way->sync && way->sync(descriptor)))
			return fail(disk);
		printf("disk-writer: ack %" PRIu64 "\n", number);
	}
	printf("disk-writer: end %" PRIu64 "\n", number);
	(void)close(descriptor);
	free(words);
	return 0;
}

struct log {
	uint64_t run, first, record, capacity;
	uint64_t acknowledged; /* number of the last one, plus one */
	bool started;
};

/* Takes the text and a number behind it from the front of *at. */
static bool take(const char **at, const char *text, uint64_t *ret_number)
{
	const size_t length = strlen(text);
	char *end;

	if (strncmp(*at, text, length) != 0 || (*at)[length] < '0' || (*at)[length] > '9')
		return false;
	*ret_number = strtoull(*at + length, &end, 10);
	*at = end;
	return true;
}

static bool take_start(const char *at, struct log *log)
{
	return take(&at, "disk-writer: start run ", &log->run) &&
	       take(&at, " first ", &log->first) && take(&at, " record ", &log->record) &&
	       take(&at, " capacity ", &log->capacity);
}

/* The last line of a killed VM can be cut off anywhere: only whole lines count. */
static bool read_log(const char *path, struct log *log)
{
	FILE *file = fopen(path, "r");
	char line[LINE_BYTES_MAX];
	uint64_t number;

	if (!file)
		return false;
	while (fgets(line, sizeof(line), file)) {
		const char *at = line;

		if (!strchr(line, '\n'))
			continue;
		if (!log->started) {
			log->started = take_start(line, log);
			log->acknowledged = log->first;
		} else if (take(&at, "disk-writer: ack ", &number) && number >= log->acknowledged) {
			log->acknowledged = number + 1;
		}
	}
	(void)fclose(file);
	return log->started;
}

/* What is wrong with a record, or NULL. */
static const char *problem_of(const uint64_t *words, const struct log *log, uint64_t number)
{
	uint64_t count = log->record / sizeof(*words), bits = 0;

	for (uint64_t i = 0; i < count; i++)
		bits |= words[i];
	if (!bits)
		return "not there";
	if (words[0] != RECORD_MAGIC)
		return "no magic number";
	if (words[1] != number || words[2] != log->run || words[3] != log->record)
		return "it is another record";
	return record_sum(words, count) == words[count - 1] ? NULL : "torn";
}

static int check_records(const char *path, const struct log *log)
{
	int descriptor = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t *words = malloc(log->record);
	uint64_t bad = 0;

	if (descriptor < 0 || !words)
		return fail(path);
	for (uint64_t number = log->first; number < log->acknowledged; number++) {
		ssize_t got = pread(descriptor, words, log->record, (off_t)(number * log->record));
		const char *problem = got == (ssize_t)log->record ? problem_of(words, log, number)
		                                                  : "the image ends in it";

		if (problem && bad++ < EXAMPLES)
			printf("disk_records: record %" PRIu64 ": %s\n", number, problem);
	}
	printf("disk_records: run %" PRIu64 ", %" PRIu64 " acknowledged, %" PRIu64
	       " missing or torn\n",
		log->run, log->acknowledged - log->first, bad);
	(void)close(descriptor);
	free(words);
	return bad ? STATUS_LOST : 0;
}

static int check(const char *log_path, const char *image)
{
	struct log log = {0};

	if (!read_log(log_path, &log)) {
		puts("disk_records: the guest never started to write");
		return STATUS_NOTHING;
	}
	if (log.record < RECORD_MIN || log.record > RECORD_MAX || log.record % sizeof(uint64_t) ||
		log.acknowledged > log.capacity) {
		puts("disk_records: no disk can have such records");
		return STATUS_LOST;
	}
	return check_records(image, &log);
}

int main(int argc, char **argv)
{
	/* A line at a time, whatever standard output is: the guest will be killed. */
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 4 && !strcmp(argv[1], "check"))
		return check(argv[2], argv[3]);
	if (argc == 6 && !strcmp(argv[1], "write")) {
		uint64_t record = strtoull(argv[4], NULL, 10);

		for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
			if (!strcmp(argv[3], ways[i].name) && record >= RECORD_MIN &&
				record <= RECORD_MAX && record % RECORD_MIN == 0)
				return write_records(
					argv[2], &ways[i], record, strtoull(argv[5], NULL, 10));
		}
	}
	(void)fputs(
		"usage: disk_records write DISK HOW RECORD_BYTES RUN | check LOG IMAGE\n", stderr);
	return STATUS_USAGE;
}
