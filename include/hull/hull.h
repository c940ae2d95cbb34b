/*
 * libhull: virtual machines inside another program. Each is a process of its own, hull, which is
 * found by the variable HULL_BINARY or else by PATH. docs/embedding.md tells more.
 *
 * Any number of VMs at a time, from any thread, and one VM from several threads. No VM outlives the
 * process that started it, however that ends. After fork(2) the VMs are the parent's alone.
 *
 * Functions return 0, or a negative errno with a sentence in error, which may be NULL. ret_x is
 * written only on success. Times are milliseconds from the call on, HULL_FOREVER for no limit;
 * -ETIMEDOUT when they are over. Strings and buffers that are returned are the caller's:
 * hull_free.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HULL_FOREVER (-1)

struct hull_error {
	int code;   /* negative errno */
	int status; /* the exit status of hull, where its end is the reason; -1: none */
	char message[1024];
};

struct hull_vm;

enum hull_state {
	HULL_STATE_STARTING,
	HULL_STATE_RUNNING,
	HULL_STATE_PAUSED,
	HULL_STATE_PANICKED, /* and paused: --on-panic=pause */
	HULL_STATE_ENDED,
};

/*
 * Starts a VM: options are the words that follow "hull run", ended by NULL. Returns once the guest
 * runs. Hull's own standard input and output, which are the guest's first serial port unless the
 * options say otherwise, are what hull_vm_send and hull_vm_expect speak to.
 */
int hull_vm_start(const char *const options[], int timeout_ms, struct hull_vm **ret_vm,
	struct hull_error *error);

/* Ends the VM if it still runs, and forgets it. The last call for a VM, by one thread. NULL is
 * fine. */
void hull_vm_close(struct hull_vm *vm);

/* Waits until the VM has ended; its exit status (docs/exit-status.md). */
int hull_vm_wait(struct hull_vm *vm, int timeout_ms, int *ret_status, struct hull_error *error);

int hull_vm_state(struct hull_vm *vm, enum hull_state *ret_state, struct hull_error *error);
int hull_vm_pause(struct hull_vm *vm, struct hull_error *error);
int hull_vm_resume(struct hull_vm *vm, struct hull_error *error);

/* Plugs the cable of a NIC in (up is not 0), or pulls it; the first NIC of the options is number 0.
 * The guest sees the link go, and frames of both directions are lost. -ENODEV: no such NIC. */
int hull_vm_set_link(struct hull_vm *vm, unsigned int nic, int up, struct hull_error *error);

/* Asks the guest to power off. -ENODEV: nobody in it listens. */
int hull_vm_press_power_button(struct hull_vm *vm, struct hull_error *error);
/* As SIGTERM does to hull: the guest is asked, and ended when --grace is over. */
int hull_vm_stop(struct hull_vm *vm, struct hull_error *error);
/* Ends the VM at once; no error if it has ended. */
int hull_vm_kill(struct hull_vm *vm, struct hull_error *error);

/* To the console; returns when the kernel has it all. */
int hull_vm_send(struct hull_vm *vm, const void *bytes, size_t length, int timeout_ms,
	struct hull_error *error);

struct hull_match {
	size_t count;  /* of groups; the first is all that matched */
	char **groups; /* each may be NULL: that one was no part of it */
};

/*
 * Waits until a POSIX extended regular expression matches what the console said since the last
 * match; the next call looks behind this one. ^ and $ are the ends of lines. ret_match may be NULL.
 * $ matches at the end of a line and at that of what has come so far, as prompts want it: for a
 * whole line write its newline. Carriage returns and NULs of the console are left out. Of what
 * nobody has looked at the last MiB is kept. -EPIPE: the VM has ended without saying it.
 */
int hull_vm_expect(struct hull_vm *vm, const char *expression, int timeout_ms,
	struct hull_match *ret_match, struct hull_error *error);
void hull_match_clear(struct hull_match *match);

/* What the console said so far, at most the last MiB; without carriage returns and NULs. */
int hull_vm_console(struct hull_vm *vm, char **ret_text, struct hull_error *error);
/* What hull said on its standard error, at most the last 64 KiB. */
int hull_vm_messages(struct hull_vm *vm, char **ret_text, struct hull_error *error);

struct hull_result {
	int status;
	char *output; /* both with a NUL behind them */
	size_t output_length;
	char *errors;
	size_t errors_length;
};

/*
 * Runs a command in a VM of its own: hull run OPTION... -- COMMAND... . input may be NULL. The
 * status is hull's, which is the command's unless the VM failed; errors has Hull's own sentence
 * then. -EFBIG: more than 256 MiB of output; the VM is ended then, as after -ETIMEDOUT.
 */
int hull_run(const char *const options[], const char *const command[], const void *input,
	size_t input_length, int timeout_ms, struct hull_result *ret_result,
	struct hull_error *error);
void hull_result_clear(struct hull_result *result);

/* --- Commands and files in a VM that goes on: options with --serve. --- */

/* Waits until the guest takes commands; the calls below do so themselves. -ESRCH: the VM has ended,
 * and why. */
int hull_vm_wait_ready(struct hull_vm *vm, int timeout_ms, struct hull_error *error);

/* All zero is what the VM's own options say: --env, --cwd, --user. */
struct hull_exec_options {
	const char *const *environment; /* NAME=VALUE, ended by NULL, above what there is */
	const char *directory;
	int has_user;
	uint32_t user, group;
	const void *input; /* NULL: none */
	size_t input_length;
	size_t output_max; /* bytes of each of the two streams; 0: 64 MiB */
};

struct hull_exec_result {
	int status;   /* as a shell has it: 128 + n after signal n, 127 and 126: not executed */
	int signal;   /* 0: it was none */
	char *output; /* both with a NUL behind them */
	size_t output_length;
	char *errors;
	size_t errors_length;
};

/*
 * Runs a command in the guest: its words, ended by NULL, the first found by PATH. Several at a time
 * are fine. options may be NULL. -ETIMEDOUT, -EFBIG (more output than may be): the command and all
 * that it has started are killed. What it leaves behind in the background when it ends by itself
 * goes on, unheard.
 */
int hull_vm_exec(struct hull_vm *vm, const char *const command[],
	const struct hull_exec_options *options, int timeout_ms,
	struct hull_exec_result *ret_result, struct hull_error *error);
void hull_exec_result_clear(struct hull_exec_result *result);

/*
 * Copies a regular file with its permissions (no more of its mode) to that name, which is whole or
 * as it was before. The name in the guest is one from / on; it is root's who writes and reads it.
 * bytes_max: -EFBIG beyond it; 0: 4 GiB.
 */
int hull_vm_copy_in(struct hull_vm *vm, const char *host_path, const char *guest_path,
	int timeout_ms, struct hull_error *error);
int hull_vm_copy_out(struct hull_vm *vm, const char *guest_path, const char *host_path,
	uint64_t bytes_max, int timeout_ms, struct hull_error *error);

void hull_free(void *memory);

/* "0.1.0" */
const char *hull_version(void);

#ifdef __cplusplus
}
#endif
