/*
 * In the place of hull, with this machine in that of the guest: the part of the init that does a
 * request, as it is, for serve_tool. hull run --control=FD [WORD...]
 */
#include "fake_control.h"
#include "init.h"
#include "session.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

_Noreturn void fail(const char *pattern, ...)
{
	(void)pattern;
	_exit(1);
}

void kernel_log(const char *pattern, ...)
{
	(void)pattern;
}

_Noreturn static void serve_one(int connection)
{
	static char path[] = "PATH=/usr/bin:/bin", home[] = "HOME=/";
	static struct run run = {.environment = {path, home}, .environment_count = 2};
	sigset_t all;

	(void)signal(SIGCHLD, SIG_DFL);
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	session_run(&run, connection);
}

int main(int count, char **words)
{
	char request[64];
	int control;

	if (count < 3 || sscanf(words[2], "--control=%d", &control) != 1)
		return 116;
	(void)signal(SIGCHLD, SIG_IGN);
	control_say(control, "event started\nevent serving\n");
	for (;;) {
		ssize_t length = recv(control, request, sizeof(request) - 1, 0);
		int ends[2];

		if (length <= 0)
			return 129;
		request[length] = '\0';
		if (strcmp(request, "stop\n") == 0) {
			control_say(control, "ok\nevent ended 143 \n");
			return 143;
		}
		if (strcmp(request, "vsock 1021\n") != 0 ||
			socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
			return 1;
		control_say(ends[1], "OK 1\n");
		control_pass(control, ends[0]);
		(void)close(ends[0]);
		if (fork() == 0)
			serve_one(ends[1]);
		(void)close(ends[1]);
	}
}
