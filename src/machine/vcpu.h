/*
 * vCPUs: a thread each, a run-state machine for all of them together, and the dispatch of exits.
 *
 *   created -> paused <-> running -> stopping -> gone
 *
 * The main thread commands the group; a vCPU obeys before its next guest instruction and sleeps
 * while paused. A kick is immediate_exit plus a signal (KVM API 5, kvm_run.immediate_exit), which
 * together close the race between looking at the command and entering the guest. vcpu_group_pause
 * may also be called from a vCPU's own exit handler.
 */
#pragma once

#include "bus.h"
#include "err.h"
#include "gmem.h"
#include "guest_end.h"
#include "text.h"

#include <linux/kvm.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

enum vcpu_command { VCPU_COMMAND_RUN, VCPU_COMMAND_PAUSE, VCPU_COMMAND_STOP };
enum vcpu_state {
	VCPU_STATE_CREATED,
	VCPU_STATE_PAUSED,
	VCPU_STATE_RUNNING,
	VCPU_STATE_STOPPING,
	VCPU_STATE_GONE,
};
enum vcpu_end { VCPU_END_TRIPLE_FAULT, VCPU_END_KVM_FAILURE };

struct vcpu_group;

struct vcpu {
	struct vcpu_group *group; /* [const] */
	unsigned int index;       /* [const] */
	int fd;                   /* [const] owned */
	struct kvm_run *run;      /* [vcpu] mapped, shared with KVM; immediate_exit: [atomic] */
	size_t run_bytes;         /* [const] */
	pthread_t thread;         /* [main] */
	bool has_thread;          /* [main] */
	enum vcpu_state state;    /* [lock] */
	struct text failure;      /* [vcpu] until its end was reported, then [main] */
};

/* What vCPUs need of the machine; everything is borrowed and outlives the group. */
struct vcpu_environment {
	struct bus *mmio;
	struct bus *pio;
	const struct gmem *gmem;
	struct guest_end_sink guest_end;
	/* On the vCPU's thread, which sleeps afterwards; must not block. */
	void (*ended)(void *owner, const struct vcpu *vcpu, enum vcpu_end end);
	void *owner;
};

struct vcpu_group {
	struct vcpu_environment environment; /* [const] */
	struct vcpu *vcpus;                  /* [const] once started; owned */
	unsigned int vcpu_count;             /* [const] */
	pthread_mutex_t lock;
	pthread_cond_t changed; /* command or a state */
	_Atomic int command;    /* [atomic] enum vcpu_command, written under lock */
	bool has_lock;          /* [main] */
};

/* Creates the vCPUs of a VM, paused and without threads. */
must_check int vcpu_group_create(struct vcpu_group *group, int kvm_fd, int vm_fd,
	unsigned int vcpu_count, const struct vcpu_environment *environment, struct err *err);

/* Starts the threads; the vCPUs run at once. */
must_check int vcpu_group_start(struct vcpu_group *group, struct err *err);

/* Any thread, does not wait: no vCPU enters the guest again, and those inside leave it. */
void vcpu_group_pause(struct vcpu_group *group);
/* Main thread, after a pause: returns when no vCPU runs, in the guest or in a device. */
void vcpu_group_wait_paused(struct vcpu_group *group);
void vcpu_group_resume(struct vcpu_group *group);

/* Main thread: returns when every thread has ended. Safe at any stage, also twice. */
void vcpu_group_stop(struct vcpu_group *group);
void vcpu_group_destroy(struct vcpu_group *group);
