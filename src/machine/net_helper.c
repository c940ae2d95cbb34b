/* See net_helper.h. */
#include "net_helper.h"

#include "config_net.h"
#include "fd.h"
#include "net_helper_passt.h"
#include "net_user.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Loading a library and opening ports takes milliseconds; this is for a process that hangs. */
#define READY_TIMEOUT_MS 30000
#define SENTENCE_BYTES   512

/* The program that runs, even if its file has been replaced since. */
#define THIS_PROGRAM "/proc/self/exe"

/* What the process is started with, beyond standard input, output and error. */
struct plumbing {
	int stream_fd;
	int status_fd;
	bool status_is_stderr; /* else it is NET_USER_STATUS_FD */
};

/* Descriptors are taken from above those that they become, so that none is overwritten. */
static int raise_fd(int *fd)
{
	int raised = fcntl(*fd, F_DUPFD_CLOEXEC, NET_USER_STATUS_FD + 1);

	if (raised < 0)
		return -errno;
	fd_close(fd);
	*fd = raised;
	return 0;
}

static int add_plumbing(posix_spawn_file_actions_t *actions, const struct plumbing *plumbing)
{
	int status = plumbing->status_is_stderr ? STDERR_FILENO : NET_USER_STATUS_FD;
	int r = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);

	if (r == 0)
		r = posix_spawn_file_actions_addopen(
			actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(
			actions, plumbing->stream_fd, NET_USER_STREAM_FD);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(actions, plumbing->status_fd, status);
	if (r == 0)
		r = posix_spawn_file_actions_addclosefrom_np(
			actions, plumbing->status_is_stderr ? NET_USER_STREAM_FD + 1
							    : NET_USER_STATUS_FD + 1);
	return r;
}

/* A group of its own, so that what a terminal sends to the VM's is not meant for it; and no signal
 * blocked or ignored. */
static int add_attributes(posix_spawnattr_t *attributes)
{
	sigset_t none, all;
	int r = posix_spawnattr_setflags(
		attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);

	(void)sigemptyset(&none);
	(void)sigfillset(&all);
	if (r == 0)
		r = posix_spawnattr_setpgroup(attributes, 0);
	if (r == 0)
		r = posix_spawnattr_setsigmask(attributes, &none);
	if (r == 0)
		r = posix_spawnattr_setsigdefault(attributes, &all);
	return r;
}

/* program: a path, or a name to be found by PATH. 0 and the child's number, or -errno. */
static int spawn(const char *program, char *const arguments[], const struct plumbing *plumbing,
	pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int r = posix_spawn_file_actions_init(&actions);

	if (r != 0)
		return -r;
	r = posix_spawnattr_init(&attributes);
	if (r == 0) {
		r = add_plumbing(&actions, plumbing);
		if (r == 0)
			r = add_attributes(&attributes);
		if (r == 0)
			r = posix_spawnp(
				ret_pid, program, &actions, &attributes, arguments, environ);
		(void)posix_spawnattr_destroy(&attributes);
	}
	(void)posix_spawn_file_actions_destroy(&actions);
	return -r;
}

/* The NIC as the process is to read it: the option's own text, without what is the machine's. */
static void describe_user(const struct config *config, unsigned int index, struct text *text)
{
	const struct config_net *given = &config->nets[index];
	struct config_net net = {
		.kind = CONFIG_NET_USER,
		.fd = -1,
		.vhost_fd = -1,
		.has_mac = true,
		.mtu = given->mtu ? given->mtu : NET_HELPER_MTU,
		.restrict_host = given->restrict_host,
		.publish = given->publish,
		.publish_count = given->publish_count,
	};
	const struct config alone = {.nets = &net, .net_count = 1};

	config_net_mac(config, index, net.mac);
	(void)!config_net_show(&alone, 0, text); /* there is one */
}

static int start_user(const struct config *config, unsigned int index,
	const struct plumbing *plumbing, pid_t *ret_pid, struct err *err)
{
	cleanup_text struct text word = {0};
	char program[] = "hull";
	char command[] = NET_HELPER_COMMAND;
	int r = net_user_supported(err);

	if (r < 0)
		return r;
	describe_user(config, index, &word);
	if (word.failed)
		return err_set_errno(err, ENOMEM, "the network's process");
	r = spawn(THIS_PROGRAM, (char *[]){program, command, word.data, NULL}, plumbing, ret_pid);
	return r == 0 ? 0 : err_set_errno(err, r, "the network's process: starting " THIS_PROGRAM);
}

static int start_passt(const struct config_net *net, const struct plumbing *plumbing,
	pid_t *ret_pid, struct err *err)
{
	struct passt_arguments arguments;
	int r = passt_arguments_init(&arguments, net, NET_USER_STREAM_FD, NET_HELPER_MTU);

	if (r == 0)
		r = spawn(arguments.words[0], arguments.words, plumbing, ret_pid);
	passt_arguments_fini(&arguments);
	if (r == -ENOENT)
		return err_set(err, ENOPKG,
			"passt is not installed: install the package passt, or use --net user");
	return r == 0 ? 0 : err_set_errno(err, r, "passt: starting it");
}

int net_helper_start(const struct config *config, unsigned int index, struct net_helper *ret_helper,
	int *ret_fd, struct err *err)
{
	const struct config_net *net = &config->nets[index];
	struct plumbing plumbing = {.status_is_stderr = net->kind == CONFIG_NET_PASST};
	cleanup_fd int stream = -1, stream_end = -1, status = -1, status_end = -1;
	int streams[2], pipes[2];
	pid_t pid = 0;
	int r = 0;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, streams) != 0)
		return err_set_errno(err, errno, "the network's process: a socket");
	stream = streams[0];
	stream_end = streams[1];
	if (pipe2(pipes, O_CLOEXEC) != 0)
		return err_set_errno(err, errno, "the network's process: a pipe");
	status = pipes[0];
	status_end = pipes[1];
	r = raise_fd(&stream_end);
	if (r == 0)
		r = raise_fd(&status_end);
	if (r < 0)
		return err_set_errno(err, r, "the network's process: descriptors");
	plumbing.stream_fd = stream_end;
	plumbing.status_fd = status_end;
	r = net->kind == CONFIG_NET_PASST ? start_passt(net, &plumbing, &pid, err)
	                                  : start_user(config, index, &plumbing, &pid, err);
	if (r < 0)
		return r;
	*ret_helper = (struct net_helper){
		.pid = pid, .status_fd = take_fd(&status), .kind = net->kind};
	*ret_fd = take_fd(&stream);
	return 0;
}

/* All that the process says until it closes the pipe, or as much as fits. */
static int read_status(int fd, char sentence[SENTENCE_BYTES])
{
	size_t length = 0;

	for (;;) {
		struct pollfd readable = {.fd = fd, .events = POLLIN};
		int count = poll(&readable, 1, READY_TIMEOUT_MS);
		char byte_bucket[64];
		char *to = length < SENTENCE_BYTES - 1 ? sentence + length : byte_bucket;
		size_t room = length < SENTENCE_BYTES - 1 ? SENTENCE_BYTES - 1 - length
		                                          : sizeof(byte_bucket);
		ssize_t got;

		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0)
			return count < 0 ? -errno : -ETIMEDOUT;
		got = read(fd, to, room);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		if (to != byte_bucket)
			length += (size_t)got;
	}
	sentence[length] = '\0';
	return 0;
}

/* passt goes to the background when it is ready, and says how that went by its status. */
static int wait_passt(struct net_helper *helper, char *sentence, struct err *err)
{
	pid_t pid = helper->pid;
	int status;

	helper->pid = 0;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_set_errno(err, errno, "passt");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return err_set(err, ECHILD, "passt: %s", passt_last_line(sentence));
}

static int wait_user(const char *sentence, struct err *err)
{
	if (strcmp(sentence, NET_USER_READY) == 0)
		return 0;
	return err_set(err, ECHILD, "%s",
		sentence[0] ? sentence : "the network's process ended before it was ready");
}

int net_helper_wait(struct net_helper *helper, struct err *err)
{
	char sentence[SENTENCE_BYTES];
	int r;

	if (helper->pid == 0)
		return 0;
	r = read_status(helper->status_fd, sentence);
	fd_close(&helper->status_fd);
	if (r < 0)
		return err_set_errno(err, r, "the network's process does not become ready");
	return helper->kind == CONFIG_NET_PASST ? wait_passt(helper, sentence, err)
	                                        : wait_user(sentence, err);
}

void net_helper_stop(struct net_helper *helper)
{
	if (helper->pid == 0)
		return;
	fd_close(&helper->status_fd);
	(void)kill(helper->pid, SIGKILL);
	while (waitpid(helper->pid, NULL, 0) < 0 && errno == EINTR)
		;
	helper->pid = 0;
}
