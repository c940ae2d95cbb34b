/*
 * What the parts of libhull share: errors, deadlines, buffers, processes and the VM itself.
 */
#pragma once

#include "clock.h"
#include "compiler.h"
#include "hull.h"

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

#define exported __attribute__((visibility("default")))

/* basics.c. The code is made negative and returned. */
int client_fail(struct hull_error *error, int code, const char *format, ...) printf_like(3, 4);
int client_fail_status(struct hull_error *error, int code, int status, const char *format, ...)
	printf_like(4, 5);

/* --- Points in time, of the monotonic clock. --- */

#define DEADLINE_NEVER UINT64_MAX

uint64_t deadline_after(int timeout_ms);
/* For poll(2): rounded up, 0 when it has passed. */
int deadline_rest_ms(uint64_t deadline_ns);

/* --- Bytes with an upper bound, always followed by a NUL. --- */

struct buffer {
	char *bytes; /* NULL while empty */
	size_t length, capacity;
	size_t maximum;
	uint64_t dropped; /* from its beginning */
};

/* What does not fit pushes the oldest out, or is refused: -EFBIG. -ENOMEM. */
must_check int buffer_add(struct buffer *buffer, const char *bytes, size_t length, bool push_out);
/* From the byte on that was the index-th of all. NULL: no memory. */
must_check char *buffer_copy(const struct buffer *buffer, uint64_t index, size_t *ret_length);
void buffer_fini(struct buffer *buffer);

/* --- process.c: hull as a child. --- */

struct process {
	pid_t pid;    /* 0: none */
	int pidfd;    /* -1: this kernel has none */
	int input;    /* our ends: a socket to its standard input (and from its output), */
	int output;   /* -1: input is both */
	int messages; /* and from its standard error */
	int control;  /* -1: none */
};

/* Starts hull run OPTION... [-- COMMAND...]; has_output: output apart from input, without a control
 * socket. Descriptors are above the standard ones and nobody else's. */
must_check int process_start(const char *const options[], const char *const command[],
	struct process *ret_process, struct hull_error *error);
/* Any thread, before it is reaped. */
void process_kill(const struct process *process);
/* 1: it has ended with that status, or -1 if somebody else has reaped it; 0: not yet. */
int process_reap(struct process *process, int *ret_status);
/* What a socket of its has now; 0: nothing, now or, which ends *is_open, ever. */
size_t process_receive(int fd, bool *is_open, char *bytes, size_t size);
/* Closes the descriptors. */
void process_fini(struct process *process);
/* The same bytes, and a descriptor that came with them, which is closed on exec; -1: none. */
size_t process_receive_control(int fd, bool *is_open, char *bytes, size_t size, int *ret_fd);
/* Above the standard ones; -errno, and it is as it was. */
must_check int process_raise_fd(int *fd);

/* --- The VM. --- */

#define CONTROL_LINE_BYTES 8192
#define CONSOLE_BYTES_MAX  (1u << 20)
#define MESSAGES_BYTES_MAX (64u << 10)

struct hull_vm {
	struct process process; /* [const], but that the reader reaps */
	pthread_t reader;       /* reads all that comes until the process is gone */
	pthread_mutex_t lock;
	pthread_cond_t changed;                   /* anything below */
	pthread_mutex_t requests, sends, expects; /* each for one at a time; before lock */
	bool has_started, has_ended, is_reaped;   /* [lock] */
	bool is_serving;                          /* [lock] */
	int status;                               /* [lock] once it has ended; -1: nobody knows */
	int said_status;                          /* [reader] the last word; -1: none */
	char sentence[CONTROL_LINE_BYTES];        /* [lock] about its end */
	struct buffer console, messages;          /* [lock] */
	uint64_t matched;                         /* [expects] index of the console's bytes */
	bool wants_answer, has_answer;            /* [lock] */
	int answer_fd;                            /* [lock] came with it; -1: none */
	char answer[CONTROL_LINE_BYTES];          /* [lock] */
	char line[CONTROL_LINE_BYTES];            /* [reader] */
	size_t line_length;                       /* [reader] */
};

/* reader.c: the thread. */
void *reader_run(void *vm);

/* Waits for a change; with lock held. False: the deadline has passed. */
must_check bool vm_wait_change(struct hull_vm *vm, uint64_t deadline_ns);

/* control.c: a line as the reader has got it; lock is held. False: it makes no sense. */
must_check bool control_take_line(struct hull_vm *vm);
/* Sends a request and waits for its answer, of which what follows "ok" goes to ret_answer. */
must_check int control_request(struct hull_vm *vm, const char *request, char *ret_answer,
	size_t answer_bytes, struct hull_error *error);
/* The same for one whose answer is a descriptor. */
must_check int control_request_fd(
	struct hull_vm *vm, const char *request, int *ret_fd, struct hull_error *error);

/* Hull's own words about how it ended, or something in their place; lock is held. */
const char *vm_sentence(const struct hull_vm *vm);
/* The last line of hull's messages without its "hull: "; in place. */
const char *last_line(char *messages);
