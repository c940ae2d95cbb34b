/*
 * libhull's commands and files against this program itself in the place of hull and of the guest,
 * which may say anything.
 */
#include "cmocka_all.h"
#include "fake_serving_guest.h"
#include "hull.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATIENCE_MS 20000
#define INPUT_BYTES 300000

static struct hull_vm *start(const char *name)
{
	const char *const options[] = {name, NULL};
	struct hull_vm *vm = NULL;
	struct hull_error error = {0};

	if (hull_vm_start(options, PATIENCE_MS, &vm, &error) != 0)
		fail_msg("%s", error.message);
	return vm;
}

static const char *const command[] = {"make", "test", NULL};

static void a_command(void **state)
{
	struct hull_vm *vm = start("three");
	struct hull_exec_result result;
	struct hull_error error;

	(void)state;
	assert_int_equal(hull_vm_wait_ready(vm, PATIENCE_MS, &error), 0);
	assert_int_equal(hull_vm_exec(vm, command, NULL, PATIENCE_MS, &result, &error), 0);
	assert_int_equal(result.status, 3);
	assert_int_equal(result.signal, 0);
	assert_string_equal(result.output, "out");
	assert_int_equal(result.errors_length, 4);
	assert_memory_equal(result.errors, "err\0", 5);
	hull_exec_result_clear(&result);
	assert_null(result.output);
	assert_int_equal(hull_vm_exec(vm, command + 2, NULL, 0, &result, &error), -EINVAL);
	hull_vm_close(vm);
}

static void ways_to_end(void **state)
{
	static const struct {
		const char *name, *errors;
		int status, signal;
	} cases[] = {
		{"early", "", 0, 0},
		{"signal", "", 137, 9},
		{"missing", "hull: make: not found, in the guest\n", 127, 0},
		{"denied", "hull: make: Permission denied, in the guest\n", 126, 0},
	};
	static const char input[INPUT_BYTES];
	const struct hull_exec_options options = {.input = input, .input_length = INPUT_BYTES};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct hull_vm *vm = start(cases[i].name);
		struct hull_exec_result result;
		struct hull_error error;

		for (int with = 0; with < 2; with++) {
			assert_int_equal(hull_vm_exec(vm, command, with ? &options : NULL,
						 PATIENCE_MS, &result, &error),
				0);
			assert_int_equal(result.status, cases[i].status);
			assert_int_equal(result.signal, cases[i].signal);
			assert_string_equal(result.output, "");
			assert_string_equal(result.errors, cases[i].errors);
			hull_exec_result_clear(&result);
		}
		hull_vm_close(vm);
	}
}

static void input_has_a_window(void **state)
{
	static char input[INPUT_BYTES];
	const struct hull_exec_options options = {.input = input, .input_length = sizeof(input)};
	struct hull_vm *vm = start("echo");
	struct hull_exec_result result;
	struct hull_error error;

	(void)state;
	for (size_t i = 0; i < sizeof(input); i++)
		input[i] = (char)(i * i >> 3);
	assert_int_equal(hull_vm_exec(vm, command, &options, PATIENCE_MS, &result, &error), 0);
	assert_int_equal(result.status, 0);
	assert_int_equal(result.output_length, sizeof(input));
	assert_memory_equal(result.output, input, sizeof(input));
	hull_exec_result_clear(&result);
	hull_vm_close(vm);
}

static void lies_about_a_command(void **state)
{
	static const struct {
		const char *name, *sentence;
		int code;
	} cases[] = {
		{"failed", "make, in the guest: not ?it: Cannot allocate memory", -ENOMEM},
		{"failed-0", "makes no sense", -EPROTO},
		{"failed-far", "makes no sense", -EPROTO},
		{"failed-short", "makes no sense", -EPROTO},
		{"long", "makes no sense", -EPROTO},
		{"huge", "makes no sense", -EPROTO},
		{"type", "makes no sense", -EPROTO},
		{"short-number", "makes no sense", -EPROTO},
		{"long-number", "makes no sense", -EPROTO},
		{"stopped", "makes no sense", -EPROTO},
		{"large-status", "makes no sense", -EPROTO},
		{"errno-0", "makes no sense", -EPROTO},
		{"errno-far", "makes no sense", -EPROTO},
		{"taken", "makes no sense", -EPROTO},
		{"file", "makes no sense", -EPROTO},
		{"greeting", "makes no sense", -EPROTO},
		{"no-descriptor", "without its descriptor", -EPROTO},
		{"closes", "closed the connection", -EPROTO},
		{"half", "closed the connection", -EPROTO},
		{"refused", "no driver", -ENODEV},
		{"ends", "the VM has ended: it panicked", -ESRCH},
		{"endless", "larger than 1000000 bytes", -EFBIG},
	};
	const struct hull_exec_options options = {.output_max = 1000000};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct hull_vm *vm = start(cases[i].name);
		struct hull_exec_result result;
		struct hull_error error;
		int r = hull_vm_exec(vm, command, &options, PATIENCE_MS, &result, &error);

		if (r != cases[i].code || !strstr(error.message, cases[i].sentence))
			fail_msg("%s: %d: %s", cases[i].name, r, r ? error.message : "");
		hull_vm_close(vm);
	}
}

static void deadlines(void **state)
{
	static const char *const names[] = {"silent", "not-serving"};
	struct hull_exec_result result;
	struct hull_error error;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct hull_vm *vm = start(names[i]);

		assert_int_equal(hull_vm_exec(vm, command, NULL, 50, &result, &error), -ETIMEDOUT);
		assert_non_null(strstr(error.message, "within 50 ms"));
		hull_vm_close(vm);
	}
}

static void words_are_bounded(void **state)
{
	static char word[SERVE_PAYLOAD_BYTES_MAX + 2];
	const char *words[20] = {"echo", word};
	struct hull_vm *vm = start("silent");
	struct hull_exec_result result;
	struct hull_error error;

	(void)state;
	memset(word, 'w', sizeof(word) - 1);
	assert_int_equal(hull_vm_exec(vm, words, NULL, PATIENCE_MS, &result, &error), -E2BIG);
	word[sizeof(word) - 2] = '\0';
	for (size_t i = 1; i < 19; i++)
		words[i] = word;
	assert_int_equal(hull_vm_exec(vm, words, NULL, PATIENCE_MS, &result, &error), -E2BIG);
	hull_vm_close(vm);
}

/* --- Files. --- */

struct place {
	char directory[64], path[80];
};

static void make_place(struct place *place, const char *contents)
{
	FILE *file;

	(void)snprintf(place->directory, sizeof(place->directory), "/tmp/hull-serve-XXXXXX");
	assert_non_null(mkdtemp(place->directory));
	(void)snprintf(place->path, sizeof(place->path), "%s/file", place->directory);
	file = fopen(place->path, "w");
	assert_non_null(file);
	assert_true(fputs(contents, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* There is the file and nothing beside it. */
static void end_place(const struct place *place, const char *contents, mode_t mode)
{
	char found[100] = "";
	FILE *file = fopen(place->path, "r");
	struct stat status;

	assert_non_null(file);
	assert_int_equal(fstat(fileno(file), &status), 0);
	assert_int_equal(status.st_mode & 07777, mode);
	assert_int_equal(fread(found, 1, sizeof(found) - 1, file), strlen(contents));
	assert_int_equal(fclose(file), 0);
	assert_string_equal(found, contents);
	assert_int_equal(unlink(place->path), 0);
	assert_int_equal(rmdir(place->directory), 0);
}

static void files_come_out(void **state)
{
	static const struct {
		const char *name, *contents;
		int code;
		mode_t mode;
	} cases[] = {
		{"file", "abcd", 0, 0755},
		{"file-long", "old", -EFBIG, 0600},
		{"file-endless", "old", -EFBIG, 0600},
		{"file-cut", "old", -EPROTO, 0600},
		{"file-other", "old", -EPROTO, 0600},
		{"file-no-mode", "old", -EPROTO, 0600},
		{"done", "old", -EPROTO, 0600},
		{"failed", "old", -ENOMEM, 0600},
		{"huge", "old", -EPROTO, 0600},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct hull_vm *vm = start(cases[i].name);
		struct hull_error error;
		struct place place;
		int r;

		make_place(&place, "old");
		assert_int_equal(chmod(place.path, 0600), 0);
		r = hull_vm_copy_out(vm, "/f", place.path, 4, PATIENCE_MS, &error);
		if (r != cases[i].code)
			fail_msg("%s: %d: %s", cases[i].name, r, r ? error.message : "");
		end_place(&place, cases[i].contents, cases[i].mode);
		hull_vm_close(vm);
	}
}

static void files_go_in(void **state)
{
	static const struct {
		const char *name;
		int code;
	} cases[] = {
		{"done", 0},
		{"failed", -ENOMEM},
		{"type", -EPROTO},
		{"early", -EPROTO},
		{"closes", -EPROTO},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct hull_vm *vm = start(cases[i].name);
		struct hull_error error;
		struct place place;
		int r;

		make_place(&place, "new");
		assert_int_equal(chmod(place.path, 0640), 0);
		r = hull_vm_copy_in(vm, place.path, "/f", PATIENCE_MS, &error);
		if (r != cases[i].code)
			fail_msg("%s: %d: %s", cases[i].name, r, r ? error.message : "");
		end_place(&place, "new", 0640);
		hull_vm_close(vm);
	}
}

static void no_files(void **state)
{
	struct hull_vm *vm = start("file");
	struct hull_error error;
	char path[SERVE_PATH_BYTES_MAX + 2];

	(void)state;
	memset(path, '/', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(hull_vm_copy_in(vm, "/nowhere", "/f", 0, &error), -ENOENT);
	assert_int_equal(hull_vm_copy_in(vm, "/tmp", "/f", 0, &error), -EISDIR);
	assert_int_equal(hull_vm_copy_in(vm, "/dev/null", "/f", 0, &error), -EINVAL);
	assert_int_equal(hull_vm_copy_in(vm, "/proc/self/exe", "f", 0, &error), -EINVAL);
	assert_int_equal(hull_vm_copy_in(vm, "/proc/self/exe", path, 0, &error), -EINVAL);
	assert_int_equal(hull_vm_copy_out(vm, "f", "/tmp/x", 0, 0, &error), -EINVAL);
	assert_int_equal(hull_vm_copy_out(vm, "/f", "/nowhere/x", 0, PATIENCE_MS, &error), -ENOENT);
	hull_vm_close(vm);
}

static unsigned int open_fds(void)
{
	unsigned int count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void nothing_stays_open(void **state)
{
	static const char *const names[] = {"three", "type", "no-descriptor", "closes"};
	unsigned int before = open_fds();

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct hull_vm *vm = start(names[i]);
		unsigned int with_vm = open_fds();

		for (int again = 0; again < 3; again++) {
			struct hull_exec_result result;

			if (hull_vm_exec(vm, command, NULL, PATIENCE_MS, &result, NULL) == 0)
				hull_exec_result_clear(&result);
		}
		assert_int_equal(open_fds(), with_vm);
		hull_vm_close(vm);
	}
	assert_int_equal(open_fds(), before);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_command),
		cmocka_unit_test(ways_to_end),
		cmocka_unit_test(input_has_a_window),
		cmocka_unit_test(lies_about_a_command),
		cmocka_unit_test(deadlines),
		cmocka_unit_test(words_are_bounded),
		cmocka_unit_test(files_come_out),
		cmocka_unit_test(files_go_in),
		cmocka_unit_test(no_files),
		cmocka_unit_test(nothing_stays_open),
	};
	int control;

	if (argc > 3 && sscanf(argv[2], "--control=%d", &control) == 1)
		return be_hull(control, argv[3]);
	if (setenv("HULL_BINARY", "/proc/self/exe", 1) != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
