/* The control socket: requests and answers, peers that are rude, slow or gone. */
#include "cmocka_all.h"
#include "control_socket.h"
#include "fd.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct scene {
	struct loop loop;
	struct control_socket control;
	int peer;
	int passed;
	unsigned int requests, gone;
};

static void echo(void *owner, const char *line, struct text *answer)
{
	struct scene *scene = owner;

	scene->requests++;
	if (strcmp(line, "no") == 0)
		control_refuse(answer, -ENOSYS, "no\nway");
	else
		text_addf(answer, "ok %s", line);
	if (strcmp(line, "pass") == 0)
		control_socket_pass(&scene->control, dup(scene->passed));
}

static void count_gone(void *owner)
{
	((struct scene *)owner)->gone++;
}

static void begin(struct scene *scene, int fd)
{
	const struct control_events events = {.request = echo, .gone = count_gone, .owner = scene};

	assert_int_equal(control_socket_init(&scene->control, &scene->loop, fd, &events, NULL), 0);
}

static int setup(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));
	int fds[2];

	assert_non_null(scene);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	scene->peer = fds[1];
	begin(scene, fds[0]);
	*state = scene;
	return 0;
}

static int teardown(void **state)
{
	struct scene *scene = *state;

	control_socket_fini(&scene->control);
	assert_int_equal(scene->loop.source_count, 0);
	fd_close(&scene->peer);
	free(scene);
	return 0;
}

static void say(struct scene *scene, const char *words)
{
	assert_int_equal(fd_write(scene->peer, words, strlen(words)), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(loop_run_once(&scene->loop, 0), 0);
}

static void expect(struct scene *scene, const char *wanted)
{
	char heard[512] = "";
	ssize_t count = recv(scene->peer, heard, sizeof(heard) - 1, MSG_DONTWAIT);

	assert_int_equal(count, (ssize_t)strlen(wanted));
	assert_string_equal(heard, wanted);
}

static void requests_are_answered(void **state)
{
	struct scene *scene = *state;

	say(scene, "one\n");
	expect(scene, "ok one\n");
	say(scene, "a\nb\nno\nc");
	expect(scene, "ok a\nok b\nerror 38 no way\n");
	say(scene, "d\n\n");
	expect(scene, "ok cd\nok \n");
	control_socket_say(&scene->control, "event started");
	expect(scene, "event started\n");
	assert_int_equal(scene->gone, 0);
}

/* -1: none. */
static int receive_fd(struct scene *scene)
{
	_Alignas(struct cmsghdr) char space[CMSG_SPACE(sizeof(int))];
	char bytes[64];
	struct iovec iov = {bytes, sizeof(bytes)};
	struct msghdr message = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = space,
		.msg_controllen = sizeof(space)};
	int fd;

	assert_true(recvmsg(scene->peer, &message, MSG_DONTWAIT) > 0);
	if (!CMSG_FIRSTHDR(&message))
		return -1;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	return fd;
}

static void descriptors_go_with_their_answer(void **state)
{
	struct scene *scene = *state;
	int ends[2], fd;
	char byte;

	assert_int_equal(pipe(ends), 0);
	scene->passed = ends[1];
	say(scene, "pass\n");
	fd = receive_fd(scene);
	assert_true(fd >= 0);
	(void)close(ends[1]);
	say(scene, "next\n");
	assert_int_equal(receive_fd(scene), -1);
	/* Nobody else has it. */
	(void)close(fd);
	assert_int_equal(read(ends[0], &byte, 1), 0);
	(void)close(ends[0]);
}

static void nul_is_refused(void **state)
{
	struct scene *scene = *state;

	assert_int_equal(fd_write(scene->peer, "a\0b\n", 4), 0);
	assert_int_equal(loop_run_once(&scene->loop, 0), 0);
	expect(scene, "error 22 a line with a NUL\n");
	assert_int_equal(scene->requests, 0);
}

static void long_line_ends_it(void **state)
{
	struct scene *scene = *state;
	char line[CONTROL_LINE_BYTES_MAX + 1];

	memset(line, 'x', sizeof(line));
	line[CONTROL_LINE_BYTES_MAX - 1] = '\n';
	line[CONTROL_LINE_BYTES_MAX] = '\0';
	say(scene, line);
	assert_int_equal(scene->requests, 1);
	assert_int_equal(scene->gone, 0);
	line[CONTROL_LINE_BYTES_MAX - 1] = 'x';
	say(scene, line);
	assert_int_equal(scene->requests, 1);
	assert_int_equal(scene->gone, 1);
}

static void peer_goes(void **state)
{
	struct scene *scene = *state;

	say(scene, "last\nhalf");
	fd_close(&scene->peer);
	assert_int_equal(loop_run_once(&scene->loop, 1000), 0);
	assert_int_equal(loop_run_once(&scene->loop, 0), 0);
	assert_int_equal(scene->requests, 1);
	assert_int_equal(scene->gone, 1);
	control_socket_say(&scene->control, "event ended 0");
	assert_int_equal(scene->gone, 1);
}

static void peer_that_never_reads(void **state)
{
	struct scene *scene = *state;

	for (int i = 0; i < 1000000 && !scene->gone; i++)
		control_socket_say(&scene->control, "event of some length, to nobody's interest");
	assert_int_equal(scene->gone, 1);
}

/* It was made by a process whose child has it still. */
static void maker_ends(void **state)
{
	struct scene scene = {.peer = -1};
	int channel[2], fds[2], hold[2];
	pid_t maker;
	char byte = 0;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, channel), 0);
	assert_int_equal(pipe(hold), 0);
	maker = fork();
	if (maker == 0) {
		struct iovec iov = {&byte, 1};
		_Alignas(struct cmsghdr) char space[CMSG_SPACE(sizeof(int))] = {0};
		struct msghdr message = {.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = space,
			.msg_controllen = sizeof(space)};
		struct cmsghdr *header = CMSG_FIRSTHDR(&message);

		(void)close(hold[1]);
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0)
			_exit(1);
		*header = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)),
			.cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS};
		memcpy(CMSG_DATA(header), &fds[0], sizeof(int));
		if (fork() == 0) {
			_exit((int)fd_read(hold[0], &byte, 1));
		}
		(void)sendmsg(channel[1], &message, 0);
		(void)pause();
		_exit(1);
	}
	{
		struct iovec iov = {&byte, 1};
		_Alignas(struct cmsghdr) char space[CMSG_SPACE(sizeof(int))];
		struct msghdr message = {.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = space,
			.msg_controllen = sizeof(space)};
		int fd;

		assert_int_equal(recvmsg(channel[0], &message, 0), 1);
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
		begin(&scene, fd);
	}
	assert_int_equal(loop_run_once(&scene.loop, 50), 0);
	assert_int_equal(scene.gone, 0);
	(void)kill(maker, SIGKILL);
	assert_int_equal(loop_run_once(&scene.loop, 5000), 0);
	if (scene.control.peer.fd >= 0)
		assert_int_equal(scene.gone, 1);
	assert_int_equal(waitpid(maker, NULL, 0), maker);
	control_socket_fini(&scene.control);
	(void)close(hold[0]);
	(void)close(hold[1]);
	(void)close(channel[0]);
	(void)close(channel[1]);
}

static void only_stream_sockets(void **state)
{
	struct control_socket control = {0};
	const struct control_events events = {0};
	struct loop loop = {0};
	struct err err = {0};
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(control_socket_init(&control, &loop, fds[0], &events, &err), -ENOTSOCK);
	assert_non_null(strstr(err.text, "--control"));
	(void)close(fds[0]);
	(void)close(fds[1]);
	assert_int_equal(control_socket_init(&control, &loop, fds[0], &events, &err), -EBADF);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds), 0);
	assert_int_equal(control_socket_init(&control, &loop, fds[0], &events, &err), -EPROTOTYPE);
	(void)close(fds[0]);
	(void)close(fds[1]);
	control_socket_fini(&control);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(requests_are_answered, setup, teardown),
		cmocka_unit_test_setup_teardown(descriptors_go_with_their_answer, setup, teardown),
		cmocka_unit_test_setup_teardown(nul_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(long_line_ends_it, setup, teardown),
		cmocka_unit_test_setup_teardown(peer_goes, setup, teardown),
		cmocka_unit_test_setup_teardown(peer_that_never_reads, setup, teardown),
		cmocka_unit_test(maker_ends),
		cmocka_unit_test(only_stream_sockets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
