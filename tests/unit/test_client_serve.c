/*
 * libhull's commands and files against this program itself in the place of hull and of the guest,
 * which may say anything.
 */
#include "cmocka_all.h"
#include "hull.h"
#include "serve.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATIENCE_MS   20000
#define INPUT_BYTES   300000
#define LITERAL(text) (text), sizeof(text) - 1

/* --- The other side. --- */

/* What the guest says before it has heard anything, and whether it is gone then. */
static const struct play {
	const char *name;
	const char *bytes;
	size_t length;
	bool closes;
} plays[] = {
	{"three", LITERAL("o\3\0\0\0oute\4\0\0\0err\0s\4\0\0\0\0\3\0\0"), false},
	{"early", LITERAL("s\4\0\0\0\0\0\0\0"), true},
	{"signal", LITERAL("s\4\0\0\0\x09\0\0\0"), false},
	{"missing", LITERAL("n\4\0\0\0\2\0\0\0"), false},
	{"denied", LITERAL("n\4\0\0\0\x0d\0\0\0"), false},
	{"failed", LITERAL("f\x0b\0\0\0\x0c\0\0\0not \033it"), true},
	{"failed-0", LITERAL("f\4\0\0\0\0\0\0\0"), false},
	{"failed-far", LITERAL("f\4\0\0\0\0\0\0\x80"), false},
	{"failed-short", LITERAL("f\1\0\0\0\1"), false},
	{"long", LITERAL("o\1\0\1\0x"), false},
	{"huge", LITERAL("o\xff\xff\xff\xffx"), false},
	{"type", LITERAL("z\0\0\0\0"), false},
	{"short-number", LITERAL("s\3\0\0\0\0\0\0"), false},
	{"long-number", LITERAL("s\5\0\0\0\0\0\0\0\0"), false},
	{"stopped", LITERAL("s\4\0\0\0\x7f\x13\0\0"), false},
	{"large-status", LITERAL("s\4\0\0\0\0\0\1\0"), false},
	{"errno-0", LITERAL("n\4\0\0\0\0\0\0\0"), false},
	{"errno-far", LITERAL("n\4\0\0\0\xff\xff\xff\xff"), false},
	{"taken", LITERAL("t\4\0\0\0\1\0\0\0"), false},
	{"closes", LITERAL(""), true},
	{"half", LITERAL("s\4\0"), true},
	{"silent", LITERAL(""), false},
	{"file", LITERAL("m\4\0\0\0\xed\x09\0\0o\3\0\0\0abco\1\0\0\0d!\0\0\0\0"), false},
	{"file-long", LITERAL("m\4\0\0\0\xff\xff\xff\xffo\3\0\0\0abco\2\0\0\0de!\0\0\0\0"), false},
	{"file-cut", LITERAL("m\4\0\0\0\xed\x09\0\0o\3\0\0\0abc"), true},
	{"file-other", LITERAL("m\4\0\0\0\xed\x09\0\0o\3\0\0\0abcs\4\0\0\0\0\0\0\0"), false},
	{"file-no-mode", LITERAL("o\3\0\0\0abc!\0\0\0\0"), false},
	{"done", LITERAL("!\0\0\0\0"), false},
};

static bool read_all(int fd, void *bytes, size_t length)
{
	return length == 0 || recv(fd, bytes, length, MSG_WAITALL) == (ssize_t)length;
}

static void say_number(int fd, enum serve_type type, uint32_t number)
{
	uint8_t frame[SERVE_HEADER_BYTES + 4];

	serve_put_header(frame, type, 4);
	serve_put_number(frame + SERVE_HEADER_BYTES, number);
	(void)send(fd, frame, sizeof(frame), MSG_NOSIGNAL);
}

/* As a command that gives back what it gets; status 1 when it gets more than it has room for. */
static void play_echo(int fd)
{
	static uint8_t frame[SERVE_HEADER_BYTES + SERVE_PAYLOAD_BYTES_MAX];
	uint32_t held = 0;

	while (read_all(fd, frame, SERVE_HEADER_BYTES)) {
		uint32_t length = serve_number(frame + 1), part;

		if (!read_all(fd, frame + SERVE_HEADER_BYTES, length))
			return;
		if (frame[0] == SERVE_INPUT_END) {
			say_number(fd, SERVE_STATUS, 0);
			return;
		}
		if (frame[0] != SERVE_INPUT)
			continue;
		held += length;
		if (held > SERVE_WINDOW_BYTES)
			say_number(fd, SERVE_STATUS, 0x100);
		frame[0] = SERVE_OUTPUT;
		(void)send(fd, frame, SERVE_HEADER_BYTES + length, MSG_NOSIGNAL);
		part = held / 2 + 1;
		say_number(fd, SERVE_TAKEN, part);
		held -= part;
		/* Nothing else would bring the rest. */
		say_number(fd, SERVE_TAKEN, held);
		held = 0;
	}
}

static void play_endless(int fd, const char *first, size_t length)
{
	static uint8_t frame[SERVE_HEADER_BYTES + 5000];

	(void)send(fd, first, length, MSG_NOSIGNAL);
	serve_put_header(frame, SERVE_OUTPUT, 5000);
	while (send(fd, frame, sizeof(frame), MSG_NOSIGNAL) > 0)
		;
}

static void hear_request(int fd)
{
	static uint8_t frame[SERVE_HEADER_BYTES + SERVE_PAYLOAD_BYTES_MAX];

	do {
		if (!read_all(fd, frame, SERVE_HEADER_BYTES) ||
			!read_all(fd, frame + SERVE_HEADER_BYTES, serve_number(frame + 1)))
			return;
	} while (frame[0] != SERVE_EXECUTE && frame[0] != SERVE_WRITE);
}

/* False: the connection stays, in silence. */
static bool play_guest(int fd, const char *name)
{
	if (strcmp(name, "greeting") == 0) {
		(void)send(fd, "NO 1\n", 5, MSG_NOSIGNAL);
		return false;
	}
	(void)send(fd, "OK 1\n", 5, MSG_NOSIGNAL);
	if (strcmp(name, "early") == 0)
		hear_request(fd);
	if (strcmp(name, "echo") == 0)
		play_echo(fd);
	else if (strcmp(name, "endless") == 0)
		play_endless(fd, "", 0);
	else if (strcmp(name, "file-endless") == 0)
		play_endless(fd, LITERAL("m\4\0\0\0\xed\x09\0\0"));
	for (size_t i = 0; i < sizeof(plays) / sizeof(plays[0]); i++) {
		if (strcmp(name, plays[i].name) != 0)
			continue;
		(void)send(fd, plays[i].bytes, plays[i].length, MSG_NOSIGNAL);
		return plays[i].closes;
	}
	return false;
}

static void pass(int control, int fd)
{
	_Alignas(struct cmsghdr) char bytes[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec iov = {(char[]){"ok\n"}, 3};
	struct msghdr message = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = bytes,
		.msg_controllen = sizeof(bytes)};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(int));
	(void)sendmsg(control, &message, MSG_NOSIGNAL);
}

static void say(int control, const char *words)
{
	(void)send(control, words, strlen(words), MSG_NOSIGNAL);
}

static int be_hull(int control, const char *name)
{
	char request[64];

	say(control, "event started\n");
	if (strcmp(name, "not-serving") == 0)
		(void)pause();
	say(control, "event serving\n");
	while (recv(control, request, sizeof(request), 0) > 0) {
		int ends[2];

		if (strncmp(request, "vsock 1021\n", 11) != 0)
			return 3;
		if (strcmp(name, "refused") == 0) {
			say(control, "error 19 no driver\n");
			continue;
		}
		if (strcmp(name, "no-descriptor") == 0) {
			say(control, "ok\n");
			continue;
		}
		if (strcmp(name, "ends") == 0) {
			say(control, "event ended 121 it panicked\n");
			return 121;
		}
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
			return 4;
		pass(control, ends[0]);
		(void)close(ends[0]);
		if (play_guest(ends[1], name))
			(void)close(ends[1]);
	}
	return 0;
}

/* --- This side. --- */

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
