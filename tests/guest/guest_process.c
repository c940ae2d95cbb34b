/* See guest_process.h. */
#include "guest_process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PIPE_SMALL_BYTES 4096
#define POLL_MS          20 /* how late the end of a process may be noticed */

struct process {
	pid_t pid;
	int input, output, errors; /* our ends; -1 when closed */
	uint64_t start_ms;
	const struct guest_case *guest_case;
	struct outcome *outcome;
};

static uint64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail */
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void close_end(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

/* Reads what is there; closes at the end of the file. */
static void drain(int *fd, struct capture *capture)
{
	char *target = capture->data + capture->length;
	ssize_t length;

	if (capture->length + 1 >= CAPTURE_BYTES) {
		close_end(fd);
		return;
	}
	length = read(*fd, target, CAPTURE_BYTES - capture->length - 1);
	if (length < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (length <= 0) {
		close_end(fd);
		return;
	}
	for (ssize_t i = 0; i < length; i++) {
		if (!target[i])
			target[i] = '.';
	}
	capture->length += (size_t)length;
	capture->data[capture->length] = '\0';
}

static bool appeared(struct capture *capture, const char *text)
{
	char *found = strstr(capture->data + capture->searched, text);

	if (found)
		capture->searched = (size_t)(found - capture->data) + strlen(text);
	return found;
}

static void take_steps(struct process *process)
{
	struct outcome *outcome = process->outcome;

	while (outcome->steps_done < CASE_STEPS_MAX) {
		const struct guest_step *step = &process->guest_case->steps[outcome->steps_done];

		if (!step->after || !(appeared(&outcome->output, step->after) ||
					    appeared(&outcome->errors, step->after)))
			return;
		outcome->steps_done++;
		if (step->send && write(process->input, step->send, strlen(step->send)) < 0)
			return; /* it has ended, which its status will tell */
		if (step->signal)
			(void)kill(process->pid, step->signal);
		if (step->close_input)
			close_end(&process->input);
	}
}

static void wait_for_output(struct process *process)
{
	const bool stalled = now_ms() - process->start_ms < process->guest_case->stall_ms;
	struct pollfd polls[] = {
		{.fd = stalled ? -1 : process->output, .events = POLLIN},
		{.fd = process->errors, .events = POLLIN},
	};

	if (poll(polls, 2, POLL_MS) <= 0)
		return;
	if (polls[0].revents)
		drain(&process->output, &process->outcome->output);
	if (polls[1].revents)
		drain(&process->errors, &process->outcome->errors);
	take_steps(process);
}

static void watch(struct process *process, unsigned int patience_ms)
{
	int status = 0;
	bool ended = false;

	while (!ended || process->output >= 0 || process->errors >= 0) {
		wait_for_output(process);
		if (!ended && waitpid(process->pid, &status, WNOHANG) == process->pid)
			ended = true;
		if (now_ms() - process->start_ms > patience_ms)
			break;
	}
	if (!ended) {
		(void)kill(process->pid, SIGKILL);
		(void)waitpid(process->pid, &status, 0); /* it is ours and it is dead */
		process->outcome->status = -1;
	} else {
		process->outcome->status = WIFEXITED(status) ? WEXITSTATUS(status)
		                                             : 128 + WTERMSIG(status);
	}
}

/* Whoever runs us may ignore signals (a shell does so for what it starts in the background), and
 * what is ignored stays ignored: hull gets the defaults. */
static int set_default_signals(posix_spawnattr_t *attributes)
{
	sigset_t all;
	int r;

	(void)sigfillset(&all);
	r = posix_spawnattr_setsigdefault(attributes, &all);
	if (r == 0)
		r = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGDEF);
	return r;
}

static int start(pid_t *ret_pid, char *const command[], int input, int output, int errors)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int r;

	if (posix_spawnattr_init(&attributes) != 0)
		return -ENOMEM;
	if (posix_spawn_file_actions_init(&actions) != 0)
		return -ENOMEM;
	r = set_default_signals(&attributes);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
	if (r == 0)
		r = posix_spawn(ret_pid, command[0], &actions, &attributes, command, environ);
	(void)posix_spawn_file_actions_destroy(&actions); /* cannot fail */
	(void)posix_spawnattr_destroy(&attributes);       /* likewise */
	return -r;
}

static int spawn(struct process *process, char *const command[])
{
	int pipes[3][2];
	int r;

	for (unsigned int i = 0; i < 3; i++) {
		if (pipe2(pipes[i], O_CLOEXEC) < 0)
			return -errno;
	}
	/* A reader that stalls is only felt when the pipe is full. */
	if (process->guest_case->stall_ms)
		(void)fcntl(pipes[1][1], F_SETPIPE_SZ, PIPE_SMALL_BYTES);
	r = start(&process->pid, command, pipes[0][0], pipes[1][1], pipes[2][1]);
	close_end(&pipes[0][0]);
	close_end(&pipes[1][1]);
	close_end(&pipes[2][1]);
	process->input = pipes[0][1];
	process->output = pipes[1][0];
	process->errors = pipes[2][0];
	return r;
}

int process_run(char *const command[], const struct guest_case *guest_case,
	unsigned int patience_ms, struct outcome *ret_outcome)
{
	struct process process = {
		.input = -1,
		.output = -1,
		.errors = -1,
		.start_ms = now_ms(),
		.guest_case = guest_case,
		.outcome = ret_outcome,
	};
	int r;

	*ret_outcome = (struct outcome){
		.output.data = calloc(1, CAPTURE_BYTES),
		.errors.data = calloc(1, CAPTURE_BYTES),
		.status = -1,
	};
	if (!ret_outcome->output.data || !ret_outcome->errors.data)
		return -ENOMEM;
	r = spawn(&process, command);
	if (r == 0)
		watch(&process, patience_ms);
	ret_outcome->duration_ms = now_ms() - process.start_ms;
	close_end(&process.input);
	close_end(&process.output);
	close_end(&process.errors);
	return r;
}

void outcome_fini(struct outcome *outcome)
{
	free(outcome->output.data);
	free(outcome->errors.data);
}
