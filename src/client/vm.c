/* A VM from its start to its end, see hull.h. */
#include "client.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define READER_STACK_BYTES (512u << 10)

bool vm_wait_change(struct hull_vm *vm, uint64_t deadline_ns)
{
	struct timespec until = {
		.tv_sec = (time_t)(deadline_ns / NANOSECONDS_PER_SECOND),
		.tv_nsec = (long)(deadline_ns % NANOSECONDS_PER_SECOND),
	};

	if (deadline_ns == DEADLINE_NEVER)
		return pthread_cond_wait(&vm->changed, &vm->lock) == 0;
	return pthread_cond_timedwait(&vm->changed, &vm->lock, &until) == 0;
}

const char *vm_sentence(const struct hull_vm *vm)
{
	if (vm->sentence[0])
		return vm->sentence;
	switch (vm->status) {
	case 0:
		return "the guest powered off";
	case 128 + SIGKILL:
		return "it was killed";
	default:
		return "hull gave no reason";
	}
}

static void destroy(struct hull_vm *vm)
{
	process_fini(&vm->process);
	buffer_fini(&vm->console);
	buffer_fini(&vm->messages);
	(void)pthread_mutex_destroy(&vm->requests);
	(void)pthread_mutex_destroy(&vm->sends);
	(void)pthread_mutex_destroy(&vm->expects);
	(void)pthread_cond_destroy(&vm->changed);
	(void)pthread_mutex_destroy(&vm->lock);
	free(vm);
}

static struct hull_vm *create(void)
{
	struct hull_vm *vm = calloc(1, sizeof(*vm));
	pthread_condattr_t attributes;

	if (!vm)
		return NULL;
	vm->said_status = vm->status = -1;
	vm->answer_fd = -1;
	vm->console.maximum = CONSOLE_BYTES_MAX;
	vm->messages.maximum = MESSAGES_BYTES_MAX;
	(void)pthread_mutex_init(&vm->lock, NULL); /* none of these can fail on Linux */
	(void)pthread_mutex_init(&vm->requests, NULL);
	(void)pthread_mutex_init(&vm->sends, NULL);
	(void)pthread_mutex_init(&vm->expects, NULL);
	(void)pthread_condattr_init(&attributes);
	(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&vm->changed, &attributes);
	(void)pthread_condattr_destroy(&attributes);
	vm->process = (struct process){
		.pidfd = -1, .input = -1, .output = -1, .messages = -1, .control = -1};
	return vm;
}

/* The harness's signals are not for this thread. */
static int start_reader(struct hull_vm *vm)
{
	pthread_attr_t attributes;
	sigset_t all, saved;
	int error;

	(void)sigfillset(&all);
	(void)pthread_attr_init(&attributes);
	(void)pthread_attr_setstacksize(&attributes, READER_STACK_BYTES);
	(void)pthread_sigmask(SIG_SETMASK, &all, &saved);
	error = pthread_create(&vm->reader, &attributes, reader_run, vm);
	(void)pthread_sigmask(SIG_SETMASK, &saved, NULL);
	(void)pthread_attr_destroy(&attributes);
	return -error;
}

static int code_of(int status)
{
	switch (status) {
	case 116:
		return EINVAL;
	case 117:
		return ENOENT;
	case 118:
		return ENODEV;
	default:
		return ECHILD;
	}
}

/* Its reason: the last word on the control socket, or what it told people. lock is held. */
static int fail_start(struct hull_vm *vm, struct hull_error *error)
{
	char *messages = vm->sentence[0] ? NULL : buffer_copy(&vm->messages, 0, NULL);
	const char *reason = vm->sentence;
	int r;

	if (!*reason)
		reason = messages && *messages ? last_line(messages) : "hull gave no reason";
	r = client_fail_status(error, code_of(vm->status), vm->status,
		"the VM did not start: %s (status %d)", reason, vm->status);
	free(messages);
	return r;
}

static int wait_for_start(struct hull_vm *vm, int timeout_ms, struct hull_error *error)
{
	uint64_t deadline_ns = deadline_after(timeout_ms);
	int r = 0;

	(void)pthread_mutex_lock(&vm->lock);
	while (r == 0 && !vm->has_started) {
		if (vm->has_ended)
			r = fail_start(vm, error);
		else if (!vm_wait_change(vm, deadline_ns))
			r = client_fail(
				error, ETIMEDOUT, "the VM did not start within %d ms", timeout_ms);
	}
	(void)pthread_mutex_unlock(&vm->lock);
	return r;
}

exported int hull_vm_start(const char *const options[], int timeout_ms, struct hull_vm **ret_vm,
	struct hull_error *error)
{
	struct hull_vm *vm = create();
	int r;

	if (!vm)
		return client_fail(error, ENOMEM, "no memory for a VM");
	r = process_start(options, NULL, &vm->process, error);
	if (r < 0) {
		destroy(vm);
		return r;
	}
	r = start_reader(vm);
	if (r < 0) {
		int status;

		process_kill(&vm->process);
		while (!process_reap(&vm->process, &status))
			(void)poll(NULL, 0, 1);
		destroy(vm);
		return client_fail(error, r, "no thread for a VM: %s", strerrordesc_np(-r));
	}
	r = wait_for_start(vm, timeout_ms, error);
	if (r < 0) {
		hull_vm_close(vm);
		return r;
	}
	*ret_vm = vm;
	return 0;
}

exported int hull_vm_kill(struct hull_vm *vm, struct hull_error *error)
{
	(void)error;
	(void)pthread_mutex_lock(&vm->lock);
	if (!vm->is_reaped)
		process_kill(&vm->process);
	(void)pthread_mutex_unlock(&vm->lock);
	return 0;
}

exported void hull_vm_close(struct hull_vm *vm)
{
	if (!vm)
		return;
	(void)hull_vm_kill(vm, NULL);
	(void)pthread_join(vm->reader, NULL);
	destroy(vm);
}

exported int hull_vm_wait(
	struct hull_vm *vm, int timeout_ms, int *ret_status, struct hull_error *error)
{
	uint64_t deadline_ns = deadline_after(timeout_ms);
	int r = 0;

	(void)pthread_mutex_lock(&vm->lock);
	while (r == 0 && !vm->has_ended)
		if (!vm_wait_change(vm, deadline_ns))
			r = client_fail(
				error, ETIMEDOUT, "the VM did not end within %d ms", timeout_ms);
	if (r == 0 && vm->status < 0)
		r = client_fail(error, ECHILD,
			"the VM has ended, but its status was taken by somebody else's wait");
	if (r == 0 && ret_status)
		*ret_status = vm->status;
	(void)pthread_mutex_unlock(&vm->lock);
	return r;
}

static int copy_text(
	struct hull_vm *vm, const struct buffer *buffer, char **ret_text, struct hull_error *error)
{
	char *copy;

	(void)pthread_mutex_lock(&vm->lock);
	copy = buffer_copy(buffer, 0, NULL);
	(void)pthread_mutex_unlock(&vm->lock);
	if (!copy)
		return client_fail(error, ENOMEM, "no memory for a copy");
	*ret_text = copy;
	return 0;
}

exported int hull_vm_console(struct hull_vm *vm, char **ret_text, struct hull_error *error)
{
	return copy_text(vm, &vm->console, ret_text, error);
}

exported int hull_vm_messages(struct hull_vm *vm, char **ret_text, struct hull_error *error)
{
	return copy_text(vm, &vm->messages, ret_text, error);
}
