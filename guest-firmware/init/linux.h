/*
 * The system calls that the init makes, by their names in section 2 of the manual. Each returns
 * what the kernel does: -errno for an error.
 */
#pragma once

#include "linux_call.h"

#include <asm/errno.h>
#include <asm/ioctls.h>
#include <asm/poll.h>
#include <asm/signal.h>
#include <asm/stat.h>
#include <asm/termios.h>
#include <asm/unistd.h>
#include <linux/fcntl.h>
#include <linux/mount.h>
#include <linux/reboot.h>
#include <linux/time_types.h>
#include <linux/wait.h>
#include <stddef.h>
#include <stdint.h>

#define CALL(number, a, b, c, d, e, f) \
	linux_call(number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

static inline long sys_open(const char *path, int flags, unsigned int mode)
{
	return CALL(__NR_openat, AT_FDCWD, path, flags | O_CLOEXEC, mode, 0, 0);
}

static inline long sys_close(int fd)
{
	return CALL(__NR_close, fd, 0, 0, 0, 0, 0);
}

static inline long sys_read(int fd, void *bytes, size_t length)
{
	return CALL(__NR_read, fd, bytes, length, 0, 0, 0);
}

static inline long sys_write(int fd, const void *bytes, size_t length)
{
	return CALL(__NR_write, fd, bytes, length, 0, 0, 0);
}

static inline long sys_getdents64(int fd, void *entries, size_t length)
{
	return CALL(__NR_getdents64, fd, entries, length, 0, 0, 0);
}

static inline long sys_fstat(int fd, struct stat *status)
{
	return CALL(__NR_fstat, fd, status, 0, 0, 0, 0);
}

static inline long sys_init_module(const void *image, size_t length, const char *parameters)
{
	return CALL(__NR_init_module, image, length, parameters, 0, 0, 0);
}

static inline long sys_finit_module(int fd, const char *parameters, int flags)
{
	return CALL(__NR_finit_module, fd, parameters, flags, 0, 0, 0);
}

static inline long sys_mkdir(const char *path, unsigned int mode)
{
	return CALL(__NR_mkdirat, AT_FDCWD, path, mode, 0, 0, 0);
}

static inline long sys_symlink(const char *target, const char *path)
{
	return CALL(__NR_symlinkat, target, AT_FDCWD, path, 0, 0, 0);
}

static inline long sys_mount(const char *source, const char *target, const char *type,
	unsigned long flags, const char *options)
{
	return CALL(__NR_mount, source, target, type, flags, options, 0);
}

static inline long sys_chdir(const char *path)
{
	return CALL(__NR_chdir, path, 0, 0, 0, 0, 0);
}

static inline long sys_chroot(const char *path)
{
	return CALL(__NR_chroot, path, 0, 0, 0, 0, 0);
}

static inline long sys_pipe2(int fds[2], int flags)
{
	return CALL(__NR_pipe2, fds, flags, 0, 0, 0, 0);
}

static inline long sys_dup2(int fd, int target)
{
	return fd == target ? CALL(__NR_fcntl, fd, F_SETFD, 0, 0, 0, 0)
	                    : CALL(__NR_dup3, fd, target, 0, 0, 0, 0);
}

static inline long sys_fcntl(int fd, int operation, long value)
{
	return CALL(__NR_fcntl, fd, operation, value, 0, 0, 0);
}

static inline long sys_ioctl(int fd, unsigned long request, const void *argument)
{
	return CALL(__NR_ioctl, fd, request, argument, 0, 0, 0);
}

static inline long sys_poll(struct pollfd *polls, unsigned int count, long timeout_ms)
{
	struct __kernel_timespec timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000000};

	return CALL(__NR_ppoll, polls, count, timeout_ms < 0 ? 0 : (long)&timeout, 0, 0, 0);
}

/* A copy of the process, as fork(2). */
static inline long sys_fork(void)
{
	return CALL(__NR_clone, SIGCHLD, 0, 0, 0, 0, 0);
}

static inline long sys_execve(const char *path, char *const *words, char *const *environment)
{
	return CALL(__NR_execve, path, words, environment, 0, 0, 0);
}

_Noreturn static inline void sys_exit(int status)
{
	for (;;)
		(void)CALL(__NR_exit_group, status, 0, 0, 0, 0, 0);
}

static inline long sys_wait4(int process, int *status, int options)
{
	return CALL(__NR_wait4, process, status, options, 0, 0, 0);
}

static inline long sys_kill(int process, int signal)
{
	return CALL(__NR_kill, process, signal, 0, 0, 0, 0);
}

static inline long sys_prctl(int option, long argument)
{
	return CALL(__NR_prctl, option, argument, 0, 0, 0, 0);
}

static inline long sys_setsid(void)
{
	return CALL(__NR_setsid, 0, 0, 0, 0, 0, 0);
}

static inline long sys_setgroups(size_t count, const uint32_t *groups)
{
	return CALL(__NR_setgroups, count, groups, 0, 0, 0, 0);
}

static inline long sys_setgid(uint32_t group)
{
	return CALL(__NR_setgid, group, 0, 0, 0, 0, 0);
}

static inline long sys_setuid(uint32_t user)
{
	return CALL(__NR_setuid, user, 0, 0, 0, 0, 0);
}

static inline long sys_sethostname(const char *name, size_t length)
{
	return CALL(__NR_sethostname, name, length, 0, 0, 0, 0);
}

static inline long sys_socket(int family, int type, int protocol)
{
	return CALL(__NR_socket, family, type, protocol, 0, 0, 0);
}

static inline long sys_bind(int fd, const void *address, uint32_t length)
{
	return CALL(__NR_bind, fd, address, length, 0, 0, 0);
}

static inline long sys_listen(int fd, int backlog)
{
	return CALL(__NR_listen, fd, backlog, 0, 0, 0, 0);
}

static inline long sys_accept4(int fd, void *address, uint32_t *length, int flags)
{
	return CALL(__NR_accept4, fd, address, length, flags, 0, 0);
}

static inline long sys_getpid(void)
{
	return CALL(__NR_getpid, 0, 0, 0, 0, 0, 0);
}

static inline long sys_fchmod(int fd, unsigned int mode)
{
	return CALL(__NR_fchmod, fd, mode, 0, 0, 0, 0);
}

static inline long sys_rename(const char *path, const char *target)
{
	return CALL(__NR_renameat2, AT_FDCWD, path, AT_FDCWD, target, 0, 0);
}

static inline long sys_unlink(const char *path)
{
	return CALL(__NR_unlinkat, AT_FDCWD, path, 0, 0, 0, 0);
}

static inline void sys_sync(void)
{
	(void)CALL(__NR_sync, 0, 0, 0, 0, 0, 0);
}

static inline long sys_umask(unsigned int mask)
{
	return CALL(__NR_umask, mask, 0, 0, 0, 0, 0);
}

static inline void sys_power_off(void)
{
	(void)CALL(__NR_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2,
		LINUX_REBOOT_CMD_POWER_OFF, 0, 0, 0);
}

/* The kernel's signal set is one word. */
static inline long sys_sigmask(int how, uint64_t set)
{
	return CALL(__NR_rt_sigprocmask, how, &set, 0, sizeof(set), 0, 0);
}

static inline long sys_signalfd(uint64_t set, int flags)
{
	return CALL(__NR_signalfd4, -1, &set, sizeof(set), flags, 0, 0);
}

static inline void sleep_ms(long milliseconds)
{
	(void)sys_poll(NULL, 0, milliseconds);
}
