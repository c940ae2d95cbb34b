/* hull as a child, see client.h. */
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Standard descriptors of a harness may be closed: ours are never in their place. */
#define FIRST_FD 10

static void close_one(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

int process_raise_fd(int *fd)
{
	int raised;

	if (*fd >= FIRST_FD)
		return 0;
	raised = fcntl(*fd, F_DUPFD_CLOEXEC, FIRST_FD);
	if (raised < 0)
		return -errno;
	(void)close(*fd);
	*fd = raised;
	return 0;
}

/* ends[0] is ours. */
static int make_pair(int ends[2])
{
	int r = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0 ? -errno : 0;

	for (int i = 0; r == 0 && i < 2; i++)
		r = process_raise_fd(&ends[i]);
	return r;
}

struct ends {
	int input[2], output[2], messages[2], control[2];
};

static int make_ends(struct ends *ends, bool has_command)
{
	int r = make_pair(ends->input);

	if (r == 0)
		r = make_pair(ends->messages);
	if (r == 0 && has_command)
		r = make_pair(ends->output);
	if (r == 0)
		r = make_pair(ends->control);
	return r;
}

/* Words of the command line, which only points to the others'. NULL: no memory. */
static char **make_words(
	const char *const options[], const char *const command[], const char *control)
{
	size_t count = 0;
	const char **words;

	for (size_t i = 0; options && options[i]; i++)
		count++;
	for (size_t i = 0; command && command[i]; i++)
		count++;
	words = calloc(count + 6, sizeof(*words));
	if (!words)
		return NULL;
	count = 0;
	words[count++] = "hull";
	words[count++] = "run";
	words[count++] = control;
	for (size_t i = 0; options && options[i]; i++)
		words[count++] = options[i];
	if (command)
		words[count++] = "--";
	for (size_t i = 0; command && command[i]; i++)
		words[count++] = command[i];
	return (char **)(uintptr_t)words;
}

static int set_actions(posix_spawn_file_actions_t *actions, const struct ends *ends)
{
	int output = ends->output[1] >= 0 ? ends->output[1] : ends->input[1];
	int error = posix_spawn_file_actions_adddup2(actions, ends->input[1], STDIN_FILENO);

	if (!error)
		error = posix_spawn_file_actions_adddup2(actions, output, STDOUT_FILENO);
	if (!error)
		error = posix_spawn_file_actions_adddup2(actions, ends->messages[1], STDERR_FILENO);
	/* Onto itself: it stays open. */
	if (!error)
		error = posix_spawn_file_actions_adddup2(
			actions, ends->control[1], ends->control[1]);
	return error;
}

/* Signals that this thread blocks are not hull's to block, and those of the terminal go to the
 * harness alone. */
static int set_attributes(posix_spawnattr_t *attributes)
{
	sigset_t none;
	int error;

	(void)sigemptyset(&none);
	error = posix_spawnattr_setsigmask(attributes, &none);
	if (!error)
		error = posix_spawnattr_setpgroup(attributes, 0);
	if (!error)
		error = posix_spawnattr_setflags(
			attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
	return error;
}

static int spawn(const struct ends *ends, char **words, pid_t *ret_pid, struct hull_error *error)
{
	const char *binary = getenv("HULL_BINARY");
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int r;

	if (posix_spawn_file_actions_init(&actions) != 0)
		return client_fail(error, ENOMEM, "no memory for a process");
	if (posix_spawnattr_init(&attributes) != 0) {
		(void)posix_spawn_file_actions_destroy(&actions);
		return client_fail(error, ENOMEM, "no memory for a process");
	}
	r = set_actions(&actions, ends);
	if (r == 0)
		r = set_attributes(&attributes);
	if (r == 0 && binary && *binary)
		r = posix_spawn(ret_pid, binary, &actions, &attributes, words, environ);
	else if (r == 0)
		r = posix_spawnp(ret_pid, "hull", &actions, &attributes, words, environ);
	(void)posix_spawnattr_destroy(&attributes);
	(void)posix_spawn_file_actions_destroy(&actions);
	if (r != 0)
		return client_fail(error, r, "cannot start %s: %s%s",
			binary && *binary ? binary : "hull", strerrordesc_np(r),
			binary && *binary ? " (HULL_BINARY)"
					  : "; is it installed? HULL_BINARY can name it");
	return 0;
}

int process_start(const char *const options[], const char *const command[],
	struct process *ret_process, struct hull_error *error)
{
	struct ends ends = {{-1, -1}, {-1, -1}, {-1, -1}, {-1, -1}};
	struct process process = {.pidfd = -1};
	char control[32];
	char **words;
	int r = make_ends(&ends, command != NULL);

	if (r < 0)
		(void)client_fail(error, r, "no sockets for a VM: %s", strerrordesc_np(-r));
	(void)snprintf(control, sizeof(control), "--control=%d", ends.control[1]);
	words = make_words(options, command, control);
	if (!words)
		r = client_fail(error, ENOMEM, "no memory for a VM's options");
	else if (r == 0)
		r = spawn(&ends, words, &process.pid, error);
	free(words);
	process.input = ends.input[0];
	process.output = ends.output[0];
	process.messages = ends.messages[0];
	process.control = ends.control[0];
	close_one(&ends.input[1]);
	close_one(&ends.output[1]);
	close_one(&ends.messages[1]);
	close_one(&ends.control[1]);
	if (r < 0) {
		process_fini(&process);
		return r;
	}
	process.pidfd = pidfd_open(process.pid, 0);
	*ret_process = process;
	return 0;
}

void process_kill(const struct process *process)
{
	if (process->pidfd >= 0)
		(void)pidfd_send_signal(process->pidfd, SIGKILL, NULL, 0);
	else
		(void)kill(process->pid, SIGKILL);
}

int process_reap(struct process *process, int *ret_status)
{
	int status;
	pid_t r = waitpid(process->pid, &status, WNOHANG);

	if (r == 0 || (r < 0 && errno == EINTR))
		return 0;
	if (r < 0)
		*ret_status = -1;
	else
		*ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return 1;
}

size_t process_receive(int fd, bool *is_open, char *bytes, size_t size)
{
	ssize_t count;

	if (!*is_open)
		return 0;
	count = recv(fd, bytes, size, MSG_DONTWAIT);
	if (count < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	*is_open = count > 0;
	return count > 0 ? (size_t)count : 0;
}

size_t process_receive_control(int fd, bool *is_open, char *bytes, size_t size, int *ret_fd)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = {bytes, size};
	struct msghdr message = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = CMSG_LEN(sizeof(int))}; /* room for one, not for padding */
	const struct cmsghdr *header;
	ssize_t count;

	*ret_fd = -1;
	if (!*is_open)
		return 0;
	count = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (count < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	*is_open = count > 0;
	header = count > 0 ? CMSG_FIRSTHDR(&message) : NULL;
	if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
		header->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(ret_fd, CMSG_DATA(header), sizeof(int));
	return count > 0 ? (size_t)count : 0;
}

void process_fini(struct process *process)
{
	close_one(&process->pidfd);
	close_one(&process->input);
	close_one(&process->output);
	close_one(&process->messages);
	close_one(&process->control);
}
