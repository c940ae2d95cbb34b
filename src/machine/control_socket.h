/*
 * Lines over the socket by which whoever started Hull controls it. A request is one line and gets
 * one line as its answer, "ok ..." or "error CODE SENTENCE"; "event ..." comes unasked.
 *
 * The peer is trusted and bounded all the same: a line that is too long, a peer that reads nothing
 * and one that is gone end the connection. The end of the process that made the socket is the end,
 * too, even while a child that it has forked still holds the socket. Main thread.
 */
#pragma once

#include "compiler.h"
#include "err.h"
#include "loop.h"
#include "text.h"

#define CONTROL_LINE_BYTES_MAX 4096

struct control_events {
	/* Adds the answer of one line, without its end, to ret_answer. line: without its end. */
	void (*request)(void *owner, const char *line, struct text *ret_answer);
	/* Once: nobody is there any more. */
	void (*gone)(void *owner);
	void *owner;
};

struct control_socket {
	struct loop *loop; /* borrowed; NULL: there is none */
	struct loop_source source;
	struct loop_source peer; /* the process that made the socket, fd -1: not known */
	struct control_events events;
	bool is_gone;
	int passed; /* goes with the answer that is being made; -1: none */
	size_t length;
	char line[CONTROL_LINE_BYTES_MAX];
};

/* fd: a connected stream socket, which becomes control's. -ENOTSOCK and the like with a sentence.
 * control must stay where it is until fini, which accepts one that is all zero. */
must_check int control_socket_init(struct control_socket *control, struct loop *loop, int fd,
	const struct control_events *events, struct err *err);
void control_socket_fini(struct control_socket *control);

/* A line that nobody has asked for. Nothing without a socket, or when nobody is there. */
void control_socket_say(struct control_socket *control, const char *line);

/* While a request is being answered, once: its answer takes the descriptor, which becomes
 * control's, along. */
void control_socket_pass(struct control_socket *control, int fd);

/* An error's line as the answer. */
void control_refuse(struct text *ret_answer, int code, const char *sentence);
