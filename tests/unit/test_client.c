/*
 * libhull against this program itself in the place of hull: VMs that work, hulls that talk nonsense
 * and hulls that die at each point.
 */
#include "cmocka_all.h"
#include "hull.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 20000
#define THREADS     20

/* --- The other side: hull run --control=FD PLAY [--...]. --- */

struct hull {
	FILE *requests, *answers;
	char line[256];
};

static void say(struct hull *hull, const char *words)
{
	(void)fputs(words, hull->answers);
	(void)fflush(hull->answers);
}

static void print(const char *words)
{
	(void)fputs(words, stdout);
	(void)fflush(stdout);
}

static bool hear(struct hull *hull)
{
	if (!fgets(hull->line, sizeof(hull->line), hull->requests))
		return false;
	hull->line[strcspn(hull->line, "\n")] = '\0';
	return true;
}

static int play_vm(struct hull *hull)
{
	char line[100];

	say(hull, "event started\n");
	print("boot\r\nname 4");
	print("2 of\tx\r\nlogin: ");
	if (fgets(line, sizeof(line), stdin))
		(void)printf("hello %s", line);
	(void)fflush(stdout);
	while (hear(hull)) {
		if (strcmp(hull->line, "state") == 0)
			say(hull, "ok running 1.000\nevent of a younger hull\n");
		else if (strcmp(hull->line, "pause") == 0)
			say(hull, "ok\n");
		else if (strcmp(hull->line, "stop") == 0)
			break;
		else
			say(hull, "error 19 nobody listens\n");
	}
	say(hull, "ok\nevent ended 42 as it should\n");
	return 42;
}

static int play_flood(struct hull *hull)
{
	say(hull, "event started\n");
	for (int i = 0; i < 200000; i++)
		(void)printf("line %d of many that nobody reads in time\r\n", i);
	print("the end\n");
	return hear(hull) ? 0 : 1;
}

static int play_noise(struct hull *hull, const char *noise, size_t length)
{
	say(hull, "event started\n");
	(void)fwrite(noise, 1, length, hull->answers);
	(void)fflush(hull->answers);
	(void)pause();
	return 0;
}

static int play_command(char **words)
{
	static char bytes[1 << 20];
	size_t length = fread(bytes, 1, sizeof(bytes), stdin);

	while (*words && strcmp(*words, "--") != 0)
		words++;
	(void)fwrite(bytes, 1, length, stdout);
	(void)fprintf(stderr, "command %s", words[1]);
	return 7;
}

static int play(struct hull *hull, const char *name, char **words)
{
	static char long_line[20000];

	if (strcmp(name, "vm") == 0)
		return play_vm(hull);
	if (strcmp(name, "flood") == 0)
		return play_flood(hull);
	if (strcmp(name, "usage") == 0) {
		(void)fputs("hull: note\nhull: no kernel given\n", stderr);
		return 116;
	}
	if (strcmp(name, "early-end") == 0) {
		say(hull, "event ended 118 no KVM\n");
		return 118;
	}
	if (strcmp(name, "long") == 0) {
		memset(long_line, 'x', sizeof(long_line));
		return play_noise(hull, long_line, sizeof(long_line));
	}
	if (strcmp(name, "nul") == 0)
		return play_noise(hull, "event started\0\n", 15);
	if (strcmp(name, "unasked") == 0)
		return play_noise(hull, "ok\n", 3);
	if (strcmp(name, "status") == 0)
		return play_noise(hull, "event ended 99999999999 x\n", 26);
	if (strcmp(name, "answer") == 0) {
		say(hull, "event started\n");
		(void)hear(hull);
		say(hull, "perhaps\n");
		(void)pause();
	}
	if (strcmp(name, "dies-asked") == 0) {
		say(hull, "event started\n");
		return hear(hull) ? 3 : 4;
	}
	if (strcmp(name, "closes") == 0) {
		say(hull, "event started\n");
		(void)fclose(hull->answers);
		(void)fclose(hull->requests);
	}
	if (strcmp(name, "hang-on") == 0)
		say(hull, "event started\n");
	if (strcmp(name, "command") == 0)
		return play_command(words);
	(void)pause();
	return 0;
}

static int be_hull(char **words)
{
	struct hull hull;
	int fd = -1;

	if (sscanf(words[2], "--control=%d", &fd) != 1)
		return 116;
	hull.requests = fdopen(fd, "r");
	hull.answers = fdopen(dup(fd), "w");
	return hull.requests && hull.answers ? play(&hull, words[3], words + 4) : 125;
}

/* --- This side. --- */

static struct hull_vm *start(const char *name)
{
	const char *const options[] = {name, NULL};
	struct hull_vm *vm = NULL;
	struct hull_error error = {0};
	int r = hull_vm_start(options, PATIENCE_MS, &vm, &error);

	if (r != 0)
		fail_msg("%s", error.message);
	return vm;
}

static void a_vm(void **state)
{
	struct hull_vm *vm = start("vm");
	struct hull_match match;
	struct hull_error error;
	enum hull_state vm_state;
	char *text;
	int status;

	(void)state;
	assert_int_equal(
		hull_vm_expect(vm, "^name ([0-9]+) of(x)?", PATIENCE_MS, &match, &error), 0);
	assert_int_equal(match.count, 3);
	assert_string_equal(match.groups[0], "name 42 of");
	assert_string_equal(match.groups[1], "42");
	assert_null(match.groups[2]);
	hull_match_clear(&match);
	assert_int_equal(hull_vm_expect(vm, "boot", 0, NULL, &error), -ETIMEDOUT);
	assert_non_null(strstr(error.message, "login: "));
	assert_int_equal(hull_vm_expect(vm, "login: $", PATIENCE_MS, NULL, &error), 0);
	assert_int_equal(hull_vm_send(vm, "me\n", 3, PATIENCE_MS, &error), 0);
	assert_int_equal(hull_vm_expect(vm, "hello me$", PATIENCE_MS, NULL, &error), 0);
	assert_int_equal(hull_vm_expect(vm, "(", PATIENCE_MS, NULL, &error), -EINVAL);
	assert_int_equal(hull_vm_state(vm, &vm_state, &error), 0);
	assert_int_equal(vm_state, HULL_STATE_RUNNING);
	assert_int_equal(hull_vm_pause(vm, &error), 0);
	assert_int_equal(hull_vm_press_power_button(vm, &error), -ENODEV);
	assert_string_equal(error.message, "nobody listens");
	assert_int_equal(hull_vm_wait(vm, 10, &status, &error), -ETIMEDOUT);
	assert_int_equal(hull_vm_stop(vm, &error), 0);
	assert_int_equal(hull_vm_wait(vm, PATIENCE_MS, &status, &error), 0);
	assert_int_equal(status, 42);
	assert_int_equal(hull_vm_state(vm, &vm_state, &error), 0);
	assert_int_equal(vm_state, HULL_STATE_ENDED);
	assert_int_equal(hull_vm_expect(vm, "more", PATIENCE_MS, NULL, &error), -EPIPE);
	assert_int_equal(error.status, 42);
	assert_non_null(strstr(error.message, "as it should"));
	assert_int_equal(hull_vm_pause(vm, &error), -ESRCH);
	assert_int_equal(hull_vm_send(vm, "x", 1, 0, &error), -EPIPE);
	assert_int_equal(hull_vm_kill(vm, &error), 0);
	assert_int_equal(hull_vm_console(vm, &text, &error), 0);
	assert_string_equal(text, "boot\nname 42 of\tx\nlogin: hello me\n");
	hull_free(text);
	hull_vm_close(vm);
	hull_vm_close(NULL);
}

static void does_not_start(void **state)
{
	static const struct {
		const char *name, *sentence;
		int code, status;
	} cases[] = {
		{"usage", "the VM did not start: no kernel given (status 116)", -EINVAL, 116},
		{"early-end", "the VM did not start: no KVM (status 118)", -ENODEV, 118},
		{"hang", "the VM did not start within 50 ms", -ETIMEDOUT, -1},
	};
	struct hull_error error;
	struct hull_vm *vm;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *const options[] = {cases[i].name, NULL};
		int timeout_ms = strcmp(cases[i].name, "hang") == 0 ? 50 : PATIENCE_MS;

		assert_int_equal(hull_vm_start(options, timeout_ms, &vm, &error), cases[i].code);
		assert_string_equal(error.message, cases[i].sentence);
		assert_int_equal(error.status, cases[i].status);
	}
	assert_int_equal(hull_vm_start(NULL, 0, &vm, NULL) < 0, 1);
}

static void no_such_program(void **state)
{
	const char *const options[] = {"vm", NULL};
	struct hull_error error;
	struct hull_vm *vm;

	(void)state;
	assert_int_equal(setenv("HULL_BINARY", "/nonexistent/hull", 1), 0);
	assert_int_equal(hull_vm_start(options, PATIENCE_MS, &vm, &error), -ENOENT);
	assert_non_null(strstr(error.message, "/nonexistent/hull"));
	assert_int_equal(setenv("HULL_BINARY", "/proc/self/exe", 1), 0);
}

static void nonsense(void **state)
{
	static const char *const names[] = {"long", "nul", "unasked", "status"};
	struct hull_error error;
	int status;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct hull_vm *vm = start(names[i]);

		assert_int_equal(hull_vm_wait(vm, PATIENCE_MS, &status, &error), 0);
		assert_int_equal(status, 128 + SIGKILL);
		assert_int_equal(hull_vm_pause(vm, &error), -ESRCH);
		assert_non_null(strstr(error.message, "no word of its protocol"));
		hull_vm_close(vm);
	}
}

static void nonsense_as_an_answer(void **state)
{
	struct hull_vm *vm = start("answer");
	struct hull_error error;

	(void)state;
	assert_int_equal(hull_vm_pause(vm, &error), -EPROTO);
	assert_non_null(strstr(error.message, "perhaps"));
	hull_vm_close(vm);
}

static void dies_when_asked(void **state)
{
	struct hull_vm *vm = start("dies-asked");
	struct hull_error error;
	int status;

	(void)state;
	assert_int_equal(hull_vm_pause(vm, &error), -ESRCH);
	assert_int_equal(error.status, 3);
	assert_int_equal(hull_vm_wait(vm, 0, &status, &error), 0);
	assert_int_equal(status, 3);
	hull_vm_close(vm);
	/* Closed, with nobody's answer and nobody's end. */
	vm = start("closes");
	assert_int_equal(hull_vm_expect(vm, "x", 50, NULL, &error), -ETIMEDOUT);
	assert_int_equal(hull_vm_kill(vm, &error), 0);
	assert_int_equal(hull_vm_expect(vm, "x", PATIENCE_MS, NULL, &error), -EPIPE);
	hull_vm_close(vm);
}

static void flood(void **state)
{
	struct hull_vm *vm = start("flood");
	struct hull_error error;
	char *text;

	(void)state;
	assert_int_equal(hull_vm_expect(vm, "^the end$", PATIENCE_MS, NULL, &error), 0);
	assert_int_equal(hull_vm_console(vm, &text, &error), 0);
	assert_in_range(strlen(text), 1 << 18, 1 << 20);
	hull_free(text);
	hull_vm_close(vm);
}

static void a_command(void **state)
{
	const char *const options[] = {"command", NULL}, *const words[] = {"true", NULL};
	const char *const hang[] = {"hang", NULL}, *const none[] = {NULL};
	static char input[500000];
	struct hull_result result;
	struct hull_error error;

	(void)state;
	memset(input, 'i', sizeof(input));
	assert_int_equal(
		hull_run(options, words, input, sizeof(input), PATIENCE_MS, &result, &error), 0);
	assert_int_equal(result.status, 7);
	assert_int_equal(result.output_length, sizeof(input));
	assert_memory_equal(result.output, input, sizeof(input));
	assert_string_equal(result.errors, "command true");
	hull_result_clear(&result);
	assert_int_equal(hull_run(options, words, NULL, 0, PATIENCE_MS, &result, &error), 0);
	assert_string_equal(result.output, "");
	hull_result_clear(&result);
	assert_int_equal(hull_run(hang, words, NULL, 0, 50, &result, &error), -ETIMEDOUT);
	assert_int_equal(hull_run(options, none, NULL, 0, 50, &result, &error), -EINVAL);
}

/* Somebody else takes the process's status: hull's word counts. */
static void status_is_taken(void **state)
{
	struct sigaction old, ignore = {.sa_handler = SIG_IGN};
	struct hull_error error;
	struct hull_vm *vm;
	int status;

	(void)state;
	assert_int_equal(sigaction(SIGCHLD, &ignore, &old), 0);
	vm = start("vm");
	assert_int_equal(hull_vm_send(vm, "me\n", 3, PATIENCE_MS, &error), 0);
	assert_int_equal(hull_vm_stop(vm, &error), 0);
	assert_int_equal(hull_vm_wait(vm, PATIENCE_MS, &status, &error), 0);
	assert_int_equal(status, 42);
	hull_vm_close(vm);
	vm = start("hang-on");
	hull_vm_close(vm);
	assert_int_equal(sigaction(SIGCHLD, &old, NULL), 0);
}

static void *one_of_many(void *argument)
{
	const char *const options[] = {"vm", NULL};
	struct hull_vm *vm;
	int status = -1;

	if (hull_vm_start(options, PATIENCE_MS, &vm, NULL) != 0)
		return NULL;
	if (hull_vm_expect(vm, "login: ", PATIENCE_MS, NULL, NULL) == 0 &&
		hull_vm_send(vm, "me\n", 3, PATIENCE_MS, NULL) == 0 &&
		hull_vm_expect(vm, "hello me", PATIENCE_MS, NULL, NULL) == 0 &&
		hull_vm_stop(vm, NULL) == 0)
		(void)hull_vm_wait(vm, PATIENCE_MS, &status, NULL);
	hull_vm_close(vm);
	return status == 42 ? argument : NULL;
}

static unsigned int open_fds(void)
{
	unsigned int count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void many(void **state)
{
	unsigned int before = open_fds();
	pthread_t threads[THREADS];
	int ok = 0;

	(void)state;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, one_of_many, &ok), 0);
	for (int i = 0; i < THREADS; i++) {
		void *result;

		assert_int_equal(pthread_join(threads[i], &result), 0);
		assert_ptr_equal(result, &ok);
	}
	assert_int_equal(open_fds(), before);
	/* No zombie either. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_vm),
		cmocka_unit_test(does_not_start),
		cmocka_unit_test(no_such_program),
		cmocka_unit_test(nonsense),
		cmocka_unit_test(nonsense_as_an_answer),
		cmocka_unit_test(dies_when_asked),
		cmocka_unit_test(flood),
		cmocka_unit_test(a_command),
		cmocka_unit_test(status_is_taken),
		cmocka_unit_test(many),
	};

	if (argc > 3 && strcmp(argv[1], "run") == 0)
		return be_hull(argv);
	if (argc > 1 && strcmp(argv[1], "run") == 0)
		return 116;
	if (setenv("HULL_BINARY", "/proc/self/exe", 1) != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
