/*
 * The program itself in the place of hull, run --control=FD PLAY, and of a guest that serves: PLAY
 * is what that guest says, true or not.
 */
#pragma once

#include "fake_control.h"
#include "serve.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LITERAL(text) (text), sizeof(text) - 1

/* What the guest says before it has heard anything, and whether it is gone then. */
static const struct play {
	const char *name;
	const char *bytes;
	size_t length;
	bool closes;
} plays[] = {
	{"three", LITERAL("o\3\0\0\0oute\4\0\0\0err\0s\4\0\0\0\0\3\0\0"), false},
	{"early", LITERAL("s\4\0\0\0\0\0\0\0"), true},
	{"signal", LITERAL("s\4\0\0\0\x09\0\0\0"), false},
	{"missing", LITERAL("n\4\0\0\0\2\0\0\0"), false},
	{"denied", LITERAL("n\4\0\0\0\x0d\0\0\0"), false},
	{"failed", LITERAL("f\x0b\0\0\0\x0c\0\0\0not \033it"), true},
	{"failed-0", LITERAL("f\4\0\0\0\0\0\0\0"), false},
	{"failed-far", LITERAL("f\4\0\0\0\0\0\0\x80"), false},
	{"failed-short", LITERAL("f\1\0\0\0\1"), false},
	{"long", LITERAL("o\1\0\1\0x"), false},
	{"huge", LITERAL("o\xff\xff\xff\xffx"), false},
	{"type", LITERAL("z\0\0\0\0"), false},
	{"short-number", LITERAL("s\3\0\0\0\0\0\0"), false},
	{"long-number", LITERAL("s\5\0\0\0\0\0\0\0\0"), false},
	{"stopped", LITERAL("s\4\0\0\0\x7f\x13\0\0"), false},
	{"large-status", LITERAL("s\4\0\0\0\0\0\1\0"), false},
	{"errno-0", LITERAL("n\4\0\0\0\0\0\0\0"), false},
	{"errno-far", LITERAL("n\4\0\0\0\xff\xff\xff\xff"), false},
	{"taken", LITERAL("t\4\0\0\0\1\0\0\0"), false},
	{"closes", LITERAL(""), true},
	{"half", LITERAL("s\4\0"), true},
	{"silent", LITERAL(""), false},
	{"file", LITERAL("m\4\0\0\0\xed\x09\0\0o\3\0\0\0abco\1\0\0\0d!\0\0\0\0"), false},
	{"file-long", LITERAL("m\4\0\0\0\xff\xff\xff\xffo\3\0\0\0abco\2\0\0\0de!\0\0\0\0"), false},
	{"file-cut", LITERAL("m\4\0\0\0\xed\x09\0\0o\3\0\0\0abc"), true},
	{"file-other", LITERAL("m\4\0\0\0\xed\x09\0\0o\3\0\0\0abcs\4\0\0\0\0\0\0\0"), false},
	{"file-no-mode", LITERAL("o\3\0\0\0abc!\0\0\0\0"), false},
	{"done", LITERAL("!\0\0\0\0"), false},
};

static bool read_all(int fd, void *bytes, size_t length)
{
	return length == 0 || recv(fd, bytes, length, MSG_WAITALL) == (ssize_t)length;
}

static void say_number(int fd, enum serve_type type, uint32_t number)
{
	uint8_t frame[SERVE_HEADER_BYTES + 4];

	serve_put_header(frame, type, 4);
	serve_put_number(frame + SERVE_HEADER_BYTES, number);
	(void)send(fd, frame, sizeof(frame), MSG_NOSIGNAL);
}

/* As a command that gives back what it gets; status 1 when it gets more than it has room for. */
static void play_echo(int fd)
{
	static uint8_t frame[SERVE_HEADER_BYTES + SERVE_PAYLOAD_BYTES_MAX];
	uint32_t held = 0;

	while (read_all(fd, frame, SERVE_HEADER_BYTES)) {
		uint32_t length = serve_number(frame + 1), part;

		if (!read_all(fd, frame + SERVE_HEADER_BYTES, length))
			return;
		if (frame[0] == SERVE_INPUT_END) {
			say_number(fd, SERVE_STATUS, 0);
			return;
		}
		if (frame[0] != SERVE_INPUT)
			continue;
		held += length;
		if (held > SERVE_WINDOW_BYTES)
			say_number(fd, SERVE_STATUS, 0x100);
		frame[0] = SERVE_OUTPUT;
		(void)send(fd, frame, SERVE_HEADER_BYTES + length, MSG_NOSIGNAL);
		part = held / 2 + 1;
		say_number(fd, SERVE_TAKEN, part);
		held -= part;
		/* Nothing else would bring the rest. */
		say_number(fd, SERVE_TAKEN, held);
		held = 0;
	}
}

static void play_endless(int fd, const char *first, size_t length)
{
	static uint8_t frame[SERVE_HEADER_BYTES + 5000];

	(void)send(fd, first, length, MSG_NOSIGNAL);
	serve_put_header(frame, SERVE_OUTPUT, 5000);
	while (send(fd, frame, sizeof(frame), MSG_NOSIGNAL) > 0)
		;
}

static void hear_request(int fd)
{
	static uint8_t frame[SERVE_HEADER_BYTES + SERVE_PAYLOAD_BYTES_MAX];

	do {
		if (!read_all(fd, frame, SERVE_HEADER_BYTES) ||
			!read_all(fd, frame + SERVE_HEADER_BYTES, serve_number(frame + 1)))
			return;
	} while (frame[0] != SERVE_EXECUTE && frame[0] != SERVE_WRITE);
}

/* False: the connection stays, in silence. */
static bool play_guest(int fd, const char *name)
{
	if (strcmp(name, "greeting") == 0) {
		(void)send(fd, "NO 1\n", 5, MSG_NOSIGNAL);
		return false;
	}
	(void)send(fd, "OK 1\n", 5, MSG_NOSIGNAL);
	if (strcmp(name, "early") == 0)
		hear_request(fd);
	if (strcmp(name, "echo") == 0)
		play_echo(fd);
	else if (strcmp(name, "endless") == 0)
		play_endless(fd, "", 0);
	else if (strcmp(name, "file-endless") == 0)
		play_endless(fd, LITERAL("m\4\0\0\0\xed\x09\0\0"));
	for (size_t i = 0; i < sizeof(plays) / sizeof(plays[0]); i++) {
		if (strcmp(name, plays[i].name) != 0)
			continue;
		(void)send(fd, plays[i].bytes, plays[i].length, MSG_NOSIGNAL);
		return plays[i].closes;
	}
	return false;
}

static int be_hull(int control, const char *name)
{
	char request[64];

	control_say(control, "event started\n");
	if (strcmp(name, "not-serving") == 0)
		(void)pause();
	control_say(control, "event serving\n");
	while (recv(control, request, sizeof(request), 0) > 0) {
		int ends[2];

		if (strncmp(request, "vsock 1021\n", 11) != 0)
			return 3;
		if (strcmp(name, "refused") == 0) {
			control_say(control, "error 19 no driver\n");
			continue;
		}
		if (strcmp(name, "no-descriptor") == 0) {
			control_say(control, "ok\n");
			continue;
		}
		if (strcmp(name, "ends") == 0) {
			control_say(control, "event ended 121 it panicked\n");
			return 121;
		}
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
			return 4;
		control_pass(control, ends[0]);
		(void)close(ends[0]);
		if (play_guest(ends[1], name))
			(void)close(ends[1]);
	}
	return 0;
}
