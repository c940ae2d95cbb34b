/*
 * See confine.h. A system call that is not listed fails with ENOSYS, for which libraries have a
 * way round, so that a newer libc costs a feature and not the network; one that only an attacker
 * would make ends the process.
 */
#include "confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Calls that are allowed whatever their arguments. */
static const unsigned int allowed[] = {
	/* Frames, and the sockets of the guest's connections. */
	SYS_read,
	SYS_readv,
	SYS_write,
	SYS_writev,
	SYS_recvfrom,
	SYS_recvmsg,
	SYS_sendto,
	SYS_sendmsg,
	SYS_connect,
	SYS_accept,
	SYS_accept4,
	SYS_shutdown,
	SYS_getsockname,
	SYS_getpeername,
	SYS_getsockopt,
	SYS_setsockopt,
	SYS_close,
	/* Waiting, and the time where the kernel's page for it is not mapped. */
	SYS_ppoll,
#ifdef SYS_poll
	SYS_poll,
#endif
	SYS_clock_gettime,
	SYS_gettimeofday,
	SYS_restart_syscall,
	/* The resolver's configuration, opened below. */
	SYS_fstat,
	SYS_newfstatat,
#ifdef SYS_stat
	SYS_stat,
#endif
	SYS_lseek,
	/* Memory of malloc; mappings below. */
	SYS_brk,
	SYS_munmap,
	SYS_mremap,
	SYS_madvise,
	/* Locks of libc and GLib. */
	SYS_futex,
	/* Random numbers of libslirp's ports and of libc. */
	SYS_getrandom,
	/* abort() and the end. */
	SYS_rt_sigprocmask,
	SYS_rt_sigaction,
	SYS_rt_sigreturn,
	SYS_getpid,
	SYS_gettid,
	SYS_tgkill,
	SYS_exit,
	SYS_exit_group,
};

/* Nothing here has a use for these; what calls them is not ours any more. */
static const unsigned int fatal[] = {
	SYS_execve,
	SYS_execveat,
	SYS_clone,
	SYS_clone3,
#ifdef SYS_fork
	SYS_fork,
	SYS_vfork,
#endif
	SYS_ptrace,
	SYS_process_vm_readv,
	SYS_process_vm_writev,
	SYS_pidfd_getfd,
	SYS_io_uring_setup,
	SYS_bpf,
	SYS_keyctl,
	SYS_unshare,
	SYS_setns,
	SYS_mount,
};

/* Calls that depend on one argument, whose low half alone counts. */
struct argument_rule {
	unsigned int call;
	unsigned int argument;
	uint32_t mask; /* what of the argument is looked at */
	uint32_t value;
};
static const struct argument_rule argument_rules[] = {
	/* Reading only; where Landlock is, one file only. */
	{SYS_openat, 2, O_ACCMODE | O_CREAT | O_TRUNC | O_PATH, O_RDONLY},
#ifdef SYS_open
	{SYS_open, 1, O_ACCMODE | O_CREAT | O_TRUNC | O_PATH, O_RDONLY},
#endif
	/* No code that was not there at the start. */
	{SYS_mmap, 2, PROT_EXEC, 0},
	{SYS_mprotect, 2, PROT_EXEC, 0},
	/* How much is there to read; not blocking. */
	{SYS_ioctl, 1, UINT32_MAX, FIONREAD},
	{SYS_ioctl, 1, UINT32_MAX, FIONBIO},
	{SYS_fcntl, 1, UINT32_MAX, F_GETFD},
	{SYS_fcntl, 1, UINT32_MAX, F_SETFD},
	{SYS_fcntl, 1, UINT32_MAX, F_GETFL},
	{SYS_fcntl, 1, UINT32_MAX, F_SETFL},
};

/* Sockets of TCP and UDP (and of ping, which is a datagram's), no raw ones, no other families. */
static const int socket_families[] = {AF_INET, AF_INET6};
static const int socket_types[] = {SOCK_STREAM, SOCK_DGRAM};
#define SOCKET_TYPE_MASK (~(uint32_t)(SOCK_CLOEXEC | SOCK_NONBLOCK))

#define INSTRUCTIONS_MAX 256

struct program {
	struct sock_filter code[INSTRUCTIONS_MAX];
	unsigned short length;
};

static void add(struct program *program, struct sock_filter instruction)
{
	if (program->length < INSTRUCTIONS_MAX)
		program->code[program->length] = instruction;
	program->length++; /* beyond the end: noticed at the end */
}

static void load(struct program *program, size_t offset)
{
	add(program, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

static void load_argument(struct program *program, unsigned int argument)
{
	/* The low half: both architectures are little-endian. */
	load(program, offsetof(struct seccomp_data, args) + argument * sizeof(uint64_t));
}

/* Goes over the next skipped instructions unless the loaded word is value. */
static void unless_equal_skip(struct program *program, uint32_t value, unsigned char skipped)
{
	add(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skipped));
}

static void answer(struct program *program, uint32_t action)
{
	add(program, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
}

static void mask(struct program *program, uint32_t bits)
{
	add(program, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, bits));
}

static void add_calls(
	struct program *program, const unsigned int *calls, size_t count, uint32_t action)
{
	for (size_t i = 0; i < count; i++) {
		unless_equal_skip(program, calls[i], 1);
		answer(program, action);
	}
}

/* Each ends with the number of the call loaded again. */
static void add_argument_rule(struct program *program, const struct argument_rule *rule)
{
	unless_equal_skip(program, rule->call, 5);
	load_argument(program, rule->argument);
	mask(program, rule->mask);
	unless_equal_skip(program, rule->value, 1);
	answer(program, SECCOMP_RET_ALLOW);
	load(program, offsetof(struct seccomp_data, nr));
}

static void add_socket_rule(struct program *program, int family, int type)
{
	unless_equal_skip(program, SYS_socket, 7);
	load_argument(program, 0);
	unless_equal_skip(program, (uint32_t)family, 4);
	load_argument(program, 1);
	mask(program, SOCKET_TYPE_MASK);
	unless_equal_skip(program, (uint32_t)type, 1);
	answer(program, SECCOMP_RET_ALLOW);
	load(program, offsetof(struct seccomp_data, nr));
}

static void make_program(struct program *program)
{
	load(program, offsetof(struct seccomp_data, arch));
	add(program,
		(struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_OURS, 1, 0));
	answer(program, SECCOMP_RET_KILL_PROCESS);
	load(program, offsetof(struct seccomp_data, nr));
#ifdef X32_BIT
	add(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1));
	answer(program, SECCOMP_RET_KILL_PROCESS);
#endif
	add_calls(program, allowed, array_size(allowed), SECCOMP_RET_ALLOW);
	for (size_t i = 0; i < array_size(argument_rules); i++)
		add_argument_rule(program, &argument_rules[i]);
	for (size_t i = 0; i < array_size(socket_families); i++)
		for (size_t j = 0; j < array_size(socket_types); j++)
			add_socket_rule(program, socket_families[i], socket_types[j]);
	add_calls(program, fatal, array_size(fatal), SECCOMP_RET_KILL_PROCESS);
	answer(program, SECCOMP_RET_ERRNO | ENOSYS);
}

int confine_syscalls(struct err *err)
{
	struct program program = {.length = 0};
	struct sock_fprog filter = {.filter = program.code};

	if (SANITIZED)
		return 0;
	make_program(&program);
	if (program.length > INSTRUCTIONS_MAX)
		return err_set(err, EOVERFLOW, "the network's process: its filter is too long");
	filter.len = program.length;
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) == 0)
		return 0;
	return err_set_errno(err, errno, "the network's process: its filter of system calls");
}
