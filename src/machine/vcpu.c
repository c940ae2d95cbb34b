/* See vcpu.h. */
#include "vcpu.h"

#include "arch.h"
#include "fd.h"
#include "log.h"
#include "vcpu_exit.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define KICK_SIGNAL SIGRTMIN

/* A kick only has to interrupt KVM_RUN. */
static void kicked(int signal)
{
	(void)signal;
}

static int install_kick_handler(struct err *err)
{
	struct sigaction action = {.sa_handler = kicked};

	(void)sigemptyset(&action.sa_mask);
	if (sigaction(KICK_SIGNAL, &action, NULL) < 0)
		return err_set_errno(err, errno, "cannot handle the vCPU signal");
	return 0;
}

static int create_vcpu(struct vcpu *vcpu, int vm_fd, struct err *err)
{
	void *run;

	vcpu->fd = ioctl(vm_fd, KVM_CREATE_VCPU, (unsigned long)vcpu->index);
	if (vcpu->fd < 0)
		return err_set_errno(err, errno, "KVM cannot create vCPU %u", vcpu->index);
	run = mmap(NULL, vcpu->run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (run == MAP_FAILED)
		return err_set_errno(err, errno, "cannot map vCPU %u", vcpu->index);
	vcpu->run = run;
	return 0;
}

int vcpu_group_create(struct vcpu_group *group, int kvm_fd, int vm_fd, unsigned int vcpu_count,
	const struct vcpu_environment *environment, struct err *err)
{
	int run_bytes = ioctl(kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	int r = install_kick_handler(err);

	*group = (struct vcpu_group){.environment = *environment};
	if (r < 0)
		return r;
	if (run_bytes < (int)sizeof(struct kvm_run))
		return err_set(err, EIO, "KVM tells no usable size for a vCPU's run page");
	group->vcpus = calloc(vcpu_count, sizeof(group->vcpus[0]));
	if (!group->vcpus)
		return err_set_errno(err, ENOMEM, "%u vCPUs", vcpu_count);
	(void)pthread_mutex_init(&group->lock, NULL); /* cannot fail with default attributes */
	(void)pthread_cond_init(&group->changed, NULL);
	group->has_lock = true;
	atomic_store(&group->command, VCPU_COMMAND_RUN);
	for (unsigned int i = 0; i < vcpu_count; i++) {
		group->vcpus[i] = (struct vcpu){
			.group = group, .index = i, .fd = -1, .run_bytes = (size_t)run_bytes};
		group->vcpu_count = i + 1;
		r = create_vcpu(&group->vcpus[i], vm_fd, err);
		if (r < 0) {
			vcpu_group_destroy(group);
			return r;
		}
	}
	return 0;
}

/* Called with the lock held. */
static void enter_state(struct vcpu *vcpu, enum vcpu_state state)
{
	if (vcpu->state == state)
		return;
	vcpu->state = state;
	(void)pthread_cond_broadcast(&vcpu->group->changed);
}

/* Sleeps while paused; false: stop. The kick is taken back under the lock that commands are given
 * under, so that none is lost. */
static bool obey_command(struct vcpu *vcpu)
{
	struct vcpu_group *group = vcpu->group;
	int command;

	if (atomic_load_explicit(&group->command, memory_order_acquire) == VCPU_COMMAND_RUN &&
		vcpu->state == VCPU_STATE_RUNNING)
		return true;
	(void)pthread_mutex_lock(&group->lock);
	while (atomic_load(&group->command) == VCPU_COMMAND_PAUSE) {
		enter_state(vcpu, VCPU_STATE_PAUSED);
		(void)pthread_cond_wait(&group->changed, &group->lock);
	}
	command = atomic_load(&group->command);
	if (command == VCPU_COMMAND_RUN)
		__atomic_store_n(&vcpu->run->immediate_exit, 0, __ATOMIC_RELAXED);
	enter_state(vcpu, command == VCPU_COMMAND_RUN ? VCPU_STATE_RUNNING : VCPU_STATE_STOPPING);
	(void)pthread_mutex_unlock(&group->lock);
	return command == VCPU_COMMAND_RUN;
}

static void *run_vcpu(void *argument)
{
	struct vcpu *vcpu = argument;
	struct vcpu_group *group = vcpu->group;
	const struct vcpu_environment *environment = &group->environment;
	char name[16];

	(void)snprintf(name, sizeof(name), "vcpu%u", vcpu->index);
	(void)pthread_setname_np(pthread_self(), name);
	while (obey_command(vcpu)) {
		enum vcpu_end end;

		if (vcpu_exit_run_once(vcpu, &end))
			continue;
		vcpu_group_pause(group);
		environment->ended(environment->owner, vcpu, end);
	}
	(void)pthread_mutex_lock(&group->lock);
	enter_state(vcpu, VCPU_STATE_GONE);
	(void)pthread_mutex_unlock(&group->lock);
	return NULL;
}

/* vCPU threads take the kick and the faults that are their own; everything else is main's. */
static int create_thread(struct vcpu *vcpu)
{
	sigset_t blocked, saved;
	int error;

	(void)sigfillset(&blocked);
	(void)sigdelset(&blocked, KICK_SIGNAL);
	(void)sigdelset(&blocked, SIGSEGV);
	(void)sigdelset(&blocked, SIGBUS);
	(void)sigdelset(&blocked, SIGFPE);
	(void)sigdelset(&blocked, SIGILL);
	(void)sigdelset(&blocked, SIGABRT);
	(void)sigdelset(&blocked, SIGSYS);
	(void)pthread_sigmask(SIG_SETMASK, &blocked, &saved);
	error = pthread_create(&vcpu->thread, NULL, run_vcpu, vcpu);
	(void)pthread_sigmask(SIG_SETMASK, &saved, NULL);
	return -error;
}

int vcpu_group_start(struct vcpu_group *group, struct err *err)
{
	for (unsigned int i = 0; i < group->vcpu_count; i++) {
		int r = create_thread(&group->vcpus[i]);

		if (r < 0) {
			vcpu_group_stop(group);
			return err_set_errno(err, r, "cannot start the thread of vCPU %u", i);
		}
		group->vcpus[i].has_thread = true;
	}
	return 0;
}

static void command_group(struct vcpu_group *group, enum vcpu_command command)
{
	(void)pthread_mutex_lock(&group->lock);
	if (atomic_load(&group->command) != VCPU_COMMAND_STOP)
		atomic_store_explicit(&group->command, (int)command, memory_order_release);
	for (unsigned int i = 0; command != VCPU_COMMAND_RUN && i < group->vcpu_count; i++) {
		struct vcpu *vcpu = &group->vcpus[i];

		__atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_RELAXED);
		if (vcpu->state == VCPU_STATE_RUNNING)
			(void)pthread_kill(vcpu->thread, KICK_SIGNAL);
	}
	(void)pthread_cond_broadcast(&group->changed);
	(void)pthread_mutex_unlock(&group->lock);
}

void vcpu_group_pause(struct vcpu_group *group)
{
	command_group(group, VCPU_COMMAND_PAUSE);
}

void vcpu_group_wait_paused(struct vcpu_group *group)
{
	(void)pthread_mutex_lock(&group->lock);
	for (unsigned int i = 0; i < group->vcpu_count; i++)
		while (group->vcpus[i].state != VCPU_STATE_PAUSED &&
			group->vcpus[i].state != VCPU_STATE_GONE)
			(void)pthread_cond_wait(&group->changed, &group->lock);
	(void)pthread_mutex_unlock(&group->lock);
}

void vcpu_group_resume(struct vcpu_group *group)
{
	command_group(group, VCPU_COMMAND_RUN);
}

void vcpu_group_stop(struct vcpu_group *group)
{
	if (!group->has_lock)
		return;
	command_group(group, VCPU_COMMAND_STOP);
	for (unsigned int i = 0; i < group->vcpu_count; i++) {
		if (group->vcpus[i].has_thread)
			(void)pthread_join(group->vcpus[i].thread, NULL);
		group->vcpus[i].has_thread = false;
	}
}

void vcpu_group_destroy(struct vcpu_group *group)
{
	vcpu_group_stop(group);
	for (unsigned int i = 0; i < group->vcpu_count; i++) {
		struct vcpu *vcpu = &group->vcpus[i];

		if (vcpu->run)
			(void)munmap(vcpu->run, vcpu->run_bytes);
		fd_close(&vcpu->fd);
		text_fini(&vcpu->failure);
	}
	free(group->vcpus);
	if (group->has_lock) {
		(void)pthread_mutex_destroy(&group->lock);
		(void)pthread_cond_destroy(&group->changed);
	}
	*group = (struct vcpu_group){0};
}
