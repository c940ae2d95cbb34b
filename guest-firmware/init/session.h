/*
 * A request of libhull's, from its connection to its end (serve.h): one process each.
 */
#pragma once

#include "init.h"
#include "serve.h"

/* What comes, one frame at a time. */
struct frames {
	int fd;
	size_t length; /* of what is there of a frame */
	uint32_t payload_length;
	uint8_t bytes[SERVE_HEADER_BYTES + SERVE_PAYLOAD_BYTES_MAX];
};

/* frames.c. 1: a whole one is there; 0: not yet, of a descriptor that does not block; -EPIPE,
 * -EPROTO. */
int frames_read(struct frames *frames);
/* The same, until there is one. */
int frames_wait(struct frames *frames);
/* The frame is done with. */
void frames_next(struct frames *frames);

static inline enum serve_type frames_type(const struct frames *frames)
{
	return (enum serve_type)frames->bytes[0];
}

static inline const uint8_t *frames_payload(const struct frames *frames)
{
	return frames->bytes + SERVE_HEADER_BYTES;
}

int write_all(int fd, const void *bytes, size_t length);
int frame_send(int fd, enum serve_type type, const void *payload, size_t length);
int frame_send_number(int fd, enum serve_type type, uint32_t number);
/* error: -errno; what: a few words. */
void frame_send_failure(int fd, int error, const char *what);

/* session.c: reads the request and does it; run: the defaults, which become the request. */
_Noreturn void session_run(struct run *run, int connection);

/* session_command.c: runs it, with what comes as its input. */
void session_command(const struct run *run, struct frames *frames);

/* descendants.c: all processes that come from here on stay below this one, even those that leave
 * their session and whose parents die. */
void descendants_keep(void);
/* Kills them all, and those that they start meanwhile; process: the one that was started. On a
 * kernel that does not list them (CONFIG_PROC_CHILDREN) that one and its group. */
void descendants_kill(int process);

/* session_file.c: the first frame of the request is there, its path is well formed. */
void session_write(struct frames *frames, uint32_t mode, const char *path);
void session_read(const struct frames *frames, const char *path);
