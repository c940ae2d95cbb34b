/*
 * Opening the host's side of a console: what can fail for reasons of the user's, with a sentence
 * for each. Main thread, at start-up; accept also while running.
 */
#pragma once

#include "compiler.h"
#include "err.h"
#include "host_socket.h"

/* A descriptor of our own for an inherited one: a new, non-blocking open file description where
 * the kernel gives one (pipes and terminals that we may open), else a duplicate. -EBADF when fd is
 * not open. */
must_check int console_host_adopt(int fd);

/* Non-blocking; written at the end. */
must_check int console_host_open_file(const char *path, struct err *err);

struct console_host_pty {
	int master_fd; /* non-blocking */
	int watch_fd;  /* inotify: readable after somebody opened the other side; or -1, and then */
	int slave_fd;  /* ... the other side is kept open, as if somebody always read it */
	char *path;    /* of the other side; owned */
};

must_check int console_host_open_pty(struct console_host_pty *ret_pty, struct err *err);

/* Listens there; host_socket_unlink at the end. */
must_check int console_host_listen(
	const char *path, struct host_socket *ret_socket, struct err *err);
