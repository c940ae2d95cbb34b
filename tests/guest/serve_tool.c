/*
 * Commands and files in a guest that serves, through libhull. PLACE is a directory in the guest,
 * made here.
 *
 *	serve_tool check PLACE OPTION...	all that can be asked
 *	serve_tool check-here PLACE OPTION...	the same where the guest is this machine
 *(serve_here) serve_tool hang PLACE OPTION...		is in the midst of a command and a copy for
 *ever
 */
#include "hull.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECONDS    1000
#define PATIENT    (120 * SECONDS)
#define FILE_BYTES 20000000
#define TEXT_BYTES 10485760

struct check {
	struct hull_vm *vm;
	const char *place;
	char directory[40]; /* of this machine */
	char *bytes;        /* FILE_BYTES */
};

_Noreturn static void __attribute__((format(printf, 1, 2))) fail(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	(void)vfprintf(stderr, format, list);
	va_end(list);
	(void)fputc('\n', stderr);
	exit(1);
}

/* The script's first argument is the place. */
static struct hull_exec_result exec_with(
	struct check *check, const char *script, const struct hull_exec_options *options)
{
	const char *const command[] = {"sh", "-c", script, "sh", check->place, NULL};
	struct hull_exec_result result;
	struct hull_error error;

	if (hull_vm_exec(check->vm, command, options, PATIENT, &result, &error) != 0)
		fail("%s: %s", script, error.message);
	return result;
}

static void expect_with(struct check *check, const char *script, int status, const char *output,
	const char *errors, const struct hull_exec_options *options)
{
	struct hull_exec_result result = exec_with(check, script, options);

	if (result.status != status)
		fail("%s: status %d, not %d: %s", script, result.status, status, result.errors);
	if (strcmp(result.output, output) != 0)
		fail("%s: it said '%s', not '%s'", script, result.output, output);
	if (strcmp(result.errors, errors) != 0)
		fail("%s: its errors are '%s', not '%s'", script, result.errors, errors);
	hull_exec_result_clear(&result);
}

static void expect(
	struct check *check, const char *script, int status, const char *output, const char *errors)
{
	expect_with(check, script, status, output, errors, NULL);
}

static void expect_code(int code, int wanted, const struct hull_error *error, const char *what)
{
	if (code != wanted)
		fail("%s: %d, not %d: %s", what, code, wanted, code ? error->message : "");
}

static void expect_bytes(const struct hull_exec_result *result, const char *bytes, size_t length)
{
	if (result->output_length != length || memcmp(result->output, bytes, length) != 0)
		fail("%zu bytes are not the %zu that were sent", result->output_length, length);
}

static void check_statuses(struct check *check)
{
	const char *const missing[] = {"no-such-program", NULL};
	const char *const denied[] = {"/etc/passwd", NULL};
	struct hull_exec_result result;
	struct hull_error error;

	expect(check, "true", 0, "", "");
	expect(check, "false", 1, "", "");
	expect(check, "exit 42", 42, "", "");
	expect(check, "exit 127", 127, "", "");
	expect(check, "echo out; echo err >&2; exit 3", 3, "out\n", "err\n");
	result = exec_with(check, "kill -9 $$", NULL);
	if (result.status != 137 || result.signal != 9)
		fail("status %d and signal %d after SIGKILL", result.status, result.signal);
	hull_exec_result_clear(&result);
	expect_code(hull_vm_exec(check->vm, missing, NULL, PATIENT, &result, &error), 0, &error,
		"a program that is missing");
	if (result.status != 127 || !strstr(result.errors, "not found"))
		fail("a missing program: %d %s", result.status, result.errors);
	hull_exec_result_clear(&result);
	expect_code(hull_vm_exec(check->vm, denied, NULL, PATIENT, &result, &error), 0, &error,
		"a file that is no program");
	if (result.status != 126 || !strstr(result.errors, "Permission denied"))
		fail("no program: %d %s", result.status, result.errors);
	hull_exec_result_clear(&result);
}

static void check_surroundings(struct check *check)
{
	const char *const environment[] = {"A=b c", "HOME=/elsewhere", NULL};
	const struct hull_exec_options options = {
		.environment = environment, .directory = "/usr/bin"};

	expect_with(check, "pwd; echo $A $HOME", 0, "/usr/bin\nb c /elsewhere\n", "", &options);
	expect(check, "cat", 0, "", "");
	/* What stays behind holds up nobody. */
	expect(check, "sleep 60 & echo started", 0, "started\n", "");
	expect(check, "echo a; (sleep 0.2; echo c) & echo b; wait", 0, "a\nb\nc\n", "");
}

static void check_init(struct check *check)
{
	const struct hull_exec_options options = {.has_user = 1, .user = 12, .group = 34};

	expect(check, "pwd; echo $HOME; id -u", 0, "/\n/root\n0\n", "");
	expect_with(check, "id -u; id -g", 0, "12\n34\n", "", &options);
	expect(check, "echo /proc/self/fd/* | wc -w", 0, "4\n", "");
}

static void check_streams(struct check *check)
{
	struct hull_exec_options options = {
		.output_max = 32u << 20, .input = check->bytes, .input_length = TEXT_BYTES};
	struct hull_exec_result result = exec_with(check, "cat", &options);

	expect_bytes(&result, check->bytes, TEXT_BYTES);
	hull_exec_result_clear(&result);
	result = exec_with(check, "cat >&2; echo end", &options);
	if (result.errors_length != TEXT_BYTES ||
		memcmp(result.errors, check->bytes, TEXT_BYTES) != 0 ||
		strcmp(result.output, "end\n") != 0)
		fail("standard error is not as it was sent");
	hull_exec_result_clear(&result);
	/* Not read, or only its beginning. */
	expect_with(check, "exit 5", 5, "", "", &options);
	result = exec_with(check, "head -c 5 | wc -c", &options);
	if (atoi(result.output) != 5)
		fail("head said '%s'", result.output);
	hull_exec_result_clear(&result);
}

static void check_copies(struct check *check, const char *in, const char *out)
{
	const struct hull_exec_options options = {.output_max = 32u << 20};
	struct hull_vm *vm = check->vm;
	struct hull_exec_result result;
	struct hull_error error;
	char path[200];
	struct stat status;

	(void)snprintf(path, sizeof(path), "%s/in", check->place);
	expect_code(hull_vm_copy_in(vm, in, path, PATIENT, &error), 0, &error, "copy in");
	result = exec_with(check, "cat $1/in", &options);
	expect_bytes(&result, check->bytes, FILE_BYTES);
	hull_exec_result_clear(&result);
	expect(check, "stat -c %a $1/in", 0, "640\n", "");
	expect_code(hull_vm_copy_out(vm, path, out, 0, PATIENT, &error), 0, &error, "copy out");
	if (stat(out, &status) != 0 || (status.st_mode & 07777) != 0640)
		fail("the mode of the copy is %o", status.st_mode);
	expect_code(hull_vm_copy_in(vm, out, path, PATIENT, &error), 0, &error, "copy again");
	expect_code(hull_vm_copy_out(vm, path, out, 1000, PATIENT, &error), -EFBIG, &error,
		"a large file");
	/* As it was. */
	expect_code(hull_vm_copy_in(vm, out, path, PATIENT, &error), 0, &error, "copy again");
	result = exec_with(check, "cat $1/in", &options);
	expect_bytes(&result, check->bytes, FILE_BYTES);
	hull_exec_result_clear(&result);
}

static void check_files(struct check *check)
{
	char in[60], out[60], path[200];
	struct hull_vm *vm = check->vm;
	struct hull_error error;

	(void)snprintf(in, sizeof(in), "%s/in", check->directory);
	(void)snprintf(out, sizeof(out), "%s/out", check->directory);
	check_copies(check, in, out);
	expect_code(
		hull_vm_copy_out(vm, "/none", out, 0, PATIENT, &error), -ENOENT, &error, "none");
	expect_code(hull_vm_copy_out(vm, check->place, out, 0, PATIENT, &error), -EISDIR, &error,
		"out of a directory");
	expect_code(hull_vm_copy_out(vm, "/dev/zero", out, 0, PATIENT, &error), -EINVAL, &error,
		"a device");
	expect_code(hull_vm_copy_in(vm, in, "/none/in", PATIENT, &error), -ENOENT, &error,
		"into a directory that is missing");
	(void)snprintf(path, sizeof(path), "%s/sub", check->place);
	expect(check, "mkdir $1/sub", 0, "", "");
	expect_code(hull_vm_copy_in(vm, in, path, PATIENT, &error), -EISDIR, &error,
		"over a directory");
	expect(check, "cd $1; echo *; rm in", 0, "in sub\n", "");
}

static void *meet_in_guest(void *pointer)
{
	expect(pointer,
		": >$1/here.$$; until [ $(ls $1/here.* | wc -l) = 8 ]; do sleep 0.1; done; "
		"echo met",
		0, "met\n", "");
	return NULL;
}

/* Each waits for all others. */
static void check_concurrency(struct check *check)
{
	pthread_t threads[8];

	for (int i = 0; i < 8; i++)
		if (pthread_create(&threads[i], NULL, meet_in_guest, check) != 0)
			fail("no thread");
	for (int i = 0; i < 8; i++)
		(void)pthread_join(threads[i], NULL);
}

static void expect_gone(struct check *check)
{
	expect(check,
		"i=0; while kill -0 $(cat $1/pid) 2>/dev/null; do sleep 0.1; i=$((i + 1)); "
		"[ $i -lt 300 ] || exit 1; done",
		0, "", "");
}

static void check_limits(struct check *check)
{
	const char *const sleeps[] = {
		"sh", "-c", "echo $$ >$1/pid; sleep 100; true", "sh", check->place, NULL};
	const char *const daemons[] = {"sh", "-c",
		"(setsid sh -c 'echo $$ >$1/pid; sleep 100; true' sh $1 >/dev/null 2>&1 &); sleep "
		"100",
		"sh", check->place, NULL};
	const char *const says[] = {
		"sh", "-c", "echo $$ >$1/pid; yes; true", "sh", check->place, NULL};
	struct hull_exec_options options = {.output_max = 1u << 20};
	struct hull_exec_result result;
	struct hull_error error;

	expect_code(hull_vm_exec(check->vm, sleeps, NULL, 2 * SECONDS, &result, &error), -ETIMEDOUT,
		&error, "a deadline");
	expect_gone(check);
	options.input = check->bytes;
	options.input_length = FILE_BYTES;
	expect_code(hull_vm_exec(check->vm, sleeps, &options, 2 * SECONDS, &result, &error),
		-ETIMEDOUT, &error, "a deadline with input");
	expect_gone(check);
	options.input = NULL;
	expect_code(hull_vm_exec(check->vm, daemons, &options, 2 * SECONDS, &result, &error),
		-ETIMEDOUT, &error, "a deadline with a daemon");
	expect_gone(check);
	expect_code(hull_vm_exec(check->vm, says, &options, PATIENT, &result, &error), -EFBIG,
		&error, "much output");
	expect_gone(check);
}

static void check_end(struct check *check)
{
	const char *const off[] = {"sleep", "1000", NULL};
	struct hull_exec_result result;
	struct hull_error error;
	int status;

	expect_code(hull_vm_stop(check->vm, &error), 0, &error, "stop");
	expect_code(hull_vm_wait(check->vm, PATIENT, &status, &error), 0, &error, "the end");
	if (status != 143)
		fail("the VM ended with %d", status);
	expect_code(hull_vm_exec(check->vm, off, NULL, PATIENT, &result, &error), -ESRCH, &error,
		"a command afterwards");
}

static void check_all(struct check *check, bool is_here)
{
	check_statuses(check);
	(void)puts("statuses");
	check_surroundings(check);
	if (!is_here)
		check_init(check);
	(void)puts("surroundings");
	check_streams(check);
	(void)puts("streams");
	check_files(check);
	(void)puts("files");
	check_concurrency(check);
	(void)puts("concurrency");
	check_limits(check);
	(void)puts("limits");
	expect(check, "rm -r $1", 0, "", "");
	check_end(check);
	(void)puts("end");
}

static void *copy_for_ever(void *pointer)
{
	struct check *check = pointer;
	struct hull_error error;
	char in[60], path[200];

	(void)snprintf(in, sizeof(in), "%s/in", check->directory);
	(void)snprintf(path, sizeof(path), "%s/in", check->place);
	while (hull_vm_copy_in(check->vm, in, path, HULL_FOREVER, &error) == 0)
		;
	fail("%s", error.message);
}

static void hang(struct check *check)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, copy_for_ever, check) != 0)
		fail("no thread");
	expect(check, "sleep 1", 0, "", "");
	(void)puts("hangs");
	expect(check, "sleep 1000", 0, "", "");
}

/* in: a file that looks like nothing in particular. */
static void make_files(struct check *check)
{
	uint32_t number = 1;
	char path[60];
	FILE *file;

	(void)snprintf(check->directory, sizeof(check->directory), "/tmp/serve-tool-XXXXXX");
	check->bytes = malloc(FILE_BYTES);
	if (!check->bytes || !mkdtemp(check->directory))
		fail("no directory");
	for (size_t i = 0; i < FILE_BYTES; i++) {
		number = number * 1664525 + 1013904223;
		check->bytes[i] = (char)(number >> 24);
	}
	(void)snprintf(path, sizeof(path), "%s/in", check->directory);
	file = fopen(path, "w");
	if (!file || fwrite(check->bytes, 1, FILE_BYTES, file) != FILE_BYTES ||
		fchmod(fileno(file), 0640) != 0 || fclose(file) != 0)
		fail("%s cannot be written", path);
}

/* Nothing is there but what was asked for. */
static void remove_files(const struct check *check)
{
	char path[60];

	(void)snprintf(path, sizeof(path), "%s/in", check->directory);
	(void)unlink(path);
	(void)snprintf(path, sizeof(path), "%s/out", check->directory);
	(void)unlink(path);
	if (rmdir(check->directory) != 0)
		fail("files are left in %s", check->directory);
}

int main(int count, char **words)
{
	struct check check = {0};
	struct hull_error error;

	if (count < 4)
		fail("serve_tool check|check-here|hang PLACE OPTION...");
	check.place = words[2];
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	make_files(&check);
	if (hull_vm_start(
		    (const char *const *)(uintptr_t)(words + 3), PATIENT, &check.vm, &error) != 0)
		fail("%s", error.message);
	if (hull_vm_wait_ready(check.vm, PATIENT, &error) != 0)
		fail("%s", error.message);
	expect(&check, "rm -rf $1 && mkdir $1", 0, "", "");
	if (strcmp(words[1], "hang") == 0)
		hang(&check);
	else
		check_all(&check, strcmp(words[1], "check-here") == 0);
	hull_vm_close(check.vm);
	remove_files(&check);
	free(check.bytes);
	return 0;
}
