#include "cmocka_all.h"
#include "confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CANNOT_CONFINE 250

/* Each: 0, or the error; what it opens goes with the process. */
static int result_of(long r)
{
	return r < 0 ? errno : 0;
}

static int reads_the_resolvers_configuration(void)
{
	return result_of(open("/etc/resolv.conf", O_RDONLY | O_CLOEXEC));
}

static int reads_another_file(void)
{
	return result_of(open("/etc/passwd", O_RDONLY | O_CLOEXEC));
}

static int lists_a_folder(void)
{
	return result_of(open("/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static int writes_a_file(void)
{
	return result_of(open("/dev/null", O_WRONLY | O_CLOEXEC));
}

static int opens_tcp(void)
{
	return result_of(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

static int opens_udp6(void)
{
	int r = result_of(socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));

	return r == EAFNOSUPPORT ? 0 : r; /* a host without IPv6 */
}

static int opens_raw(void)
{
	return result_of(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP));
}

static int opens_unix(void)
{
	return result_of(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static int binds(void)
{
	const struct sockaddr_in any = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return result_of(bind(fd, (const struct sockaddr *)&any, sizeof(any)));
}

static int listens(void)
{
	return result_of(listen(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), 1));
}

static int maps_memory(void)
{
	void *memory = mmap(
		NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? errno : 0;
}

static int maps_code(void)
{
	void *memory = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? errno : 0;
}

static int maps_without_bound(void)
{
	void *memory = mmap(
		NULL, (size_t)2 << 30, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? errno : 0;
}

static int signals_its_parent(void)
{
	return result_of(kill(getppid(), 0));
}

static int runs_a_program(void)
{
	char *const arguments[] = {NULL};

	return result_of(execve("/bin/true", arguments, arguments));
}

static int forks(void)
{
	return result_of(fork());
}

static int traces(void)
{
	return result_of(syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0));
}

static int stays_without_privileges(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	struct rlimit cores;

	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 ||
		syscall(SYS_capget, &header, data) != 0 || data[0].permitted || data[1].permitted)
		return EPERM;
	return getrlimit(RLIMIT_CORE, &cores) == 0 && cores.rlim_max != 0 ? EPERM : 0;
}

/* The exit status of a confined child that does it, or minus the signal that ended it. */
static int outcome(int (*act)(void), bool before_syscalls)
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		if (confine_process(NULL) < 0 || (!before_syscalls && confine_syscalls(NULL) < 0))
			_exit(CANNOT_CONFINE);
		_exit(act());
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static bool has_landlock(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, 1) > 0;
}

static void files(void **state)
{
	(void)state;
	if (!has_landlock())
		skip();
	if (access("/etc/resolv.conf", R_OK) == 0)
		assert_int_equal(outcome(reads_the_resolvers_configuration, false), 0);
	assert_int_equal(outcome(reads_another_file, true), EACCES);
	assert_int_equal(outcome(lists_a_folder, true), EACCES);
	assert_int_equal(outcome(writes_a_file, true), EACCES);
}

static void system_calls(void **state)
{
	static const struct {
		int (*act)(void);
		int outcome;
	} cases[] = {
		{opens_tcp, 0},
		{opens_udp6, 0},
		{maps_memory, 0},
		{opens_raw, ENOSYS},
		{opens_unix, ENOSYS},
		{binds, ENOSYS},
		{listens, ENOSYS},
		{maps_code, ENOSYS},
		{maps_without_bound, ENOMEM},
		{writes_a_file, ENOSYS},
		{signals_its_parent, ENOSYS},
		{runs_a_program, -SIGSYS},
		{forks, -SIGSYS},
		{traces, -SIGSYS},
	};

	(void)state;
	if (SANITIZED)
		skip();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int found = outcome(cases[i].act, false);

		if (found != cases[i].outcome)
			fail_msg("case %zu: %d", i, found);
	}
}

static void privileges(void **state)
{
	(void)state;
	assert_int_equal(outcome(stays_without_privileges, true), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(files),
		cmocka_unit_test(system_calls),
		cmocka_unit_test(privileges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
