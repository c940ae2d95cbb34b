/*
 * The first process of a guest that runs one command, hull run -- COMMAND, or that serves: hull run
 * --serve.
 *
 * What is to be done comes in the initial RAM disk: /hull/run, a row of KEY=VALUE, each ended by a
 * NUL, kernel modules as /hull/modules/0, 1, ... in the order of their loading, and possibly a
 * script, /hull/script, which the command runs as /run/hull-script. What happens
 * goes through virtio ports: hull.control (lines of text, see control.h), and the command's input
 * and output, either hull.stdin, hull.stdout and hull.stderr or hull.tty. One that serves has the
 * first of these only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RUN_FILE          "/hull/run"
#define MODULES_DIRECTORY "/hull/modules/"
#define SCRIPT_FILE       "/hull/script" /* of --script: becomes the next one, in the new root */
#define SCRIPT_COPY       "/run/hull-script"
#define WORDS_MAX         65536
#define PATH_BYTES        4096
#define TMPFS_MAX         64
#define SHARES_MAX        16

enum root_kind {
	ROOT_NONE,  /* the initial RAM disk itself */
	ROOT_DISK,  /* the disk whose serial is hull-root */
	ROOT_SHARE, /* a virtio-fs by its tag */
};

struct run {
	enum root_kind root;
	const char *root_name; /* of a disk its file system's type, of a share its tag */
	bool root_writable;    /* itself; otherwise it is read-only under an overlay in memory */
	bool serve;            /* no command: requests of libhull's */
	const char *directory; /* NULL: "/" */
	const char *host_name; /* NULL: the kernel's */
	uint32_t user, group;
	bool tty;
	uint16_t columns, rows; /* of the tty; 0: not known */
	const char *tmpfs[TMPFS_MAX];
	unsigned int tmpfs_count;
	struct share {
		const char *directory;
		bool read_only;
	} shares[SHARES_MAX]; /* virtio-fs by the tags hull-share0 and on */
	unsigned int share_count;
	char *words[WORDS_MAX + 1]; /* the command, ended by NULL */
	unsigned int word_count;
	char *environment[WORDS_MAX + 1];
	unsigned int environment_count;
};

/* Ends the VM with a sentence, which reaches the user if there is a control port already. */
_Noreturn void fail(const char *pattern, ...) __attribute__((format(printf, 1, 2)));

/* A line in the kernel's log. */
void kernel_log(const char *pattern, ...) __attribute__((format(printf, 1, 2)));

/* run.c: reads RUN_FILE. */
void run_read(struct run *run);

/* modules.c: loads them all. One that is refused is logged: what needs it will be missing. */
void modules_load(void);

/* root.c: the file systems of the command, and the process in them. */
void root_begin(void); /* /proc, /sys and /dev, for the init itself */
void root_enter(const struct run *run);
/* Disks are written to no more, and what was written to them is on them. */
void root_finish(void);

/* ports.c: the port of that name, opened without blocking. Waits for it to come; -errno. */
int port_open(const char *name);

/* child.c: starts the command. */
struct child {
	int process;
	int input;  /* pipe or terminal to it; -1: none */
	int output; /* the same terminal, or a pipe from it */
	int error;  /* -1: with a terminal there is none */
};
/* 0, the errno of executing it, or -errno: there could be no process. */
int child_start(const struct run *run, struct child *ret_child);

/* relay.c: moves bytes until the command ends and all of its output has gone; its wait(2) status.
 */
int relay(const struct run *run, struct child *child, int control);

/* serve.c: the socket for requests, and what comes there until Hull wants an end. run: defaults of
 * commands. */
int serve_listen(void);
void serve(struct run *run, int listener, int control);
