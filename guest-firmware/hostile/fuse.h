/*
 * A file system device (VIRTIO 1.2 5.11) and single FUSE requests to it. What the other side has to
 * share with this guest: "file", which says "inside", the directories "directory" and "gone", a
 * link "link" to "../secret", one "up" to "..", a named pipe "pipe". Beside the shared directory is
 * "secret", whose first bytes are SECRET_WORDS: no reply may ever contain them.
 */
#pragma once

#include "scene.h"

#include <linux/fuse.h>

#define FUSE_HIGH_PRIORITY 0
#define FUSE_REQUESTS      1

#define FUSE_REPLY_BYTES    4096
#define FUSE_ARGUMENT_BYTES 8192

#define INSIDE_WORDS "inside"
#define SECRET_WORDS "outside-the-share"

/* Stand for numbers that the device has given out, in requests of the tables. */
#define NUMBER_FILE        UINT64_C(0xfeed000000000001) /* the node of "file" */
#define NUMBER_DIRECTORY   UINT64_C(0xfeed000000000002)
#define NUMBER_GONE        UINT64_C(0xfeed000000000003) /* forgotten */
#define NUMBER_LINK        UINT64_C(0xfeed000000000004)
#define NUMBER_UP          UINT64_C(0xfeed000000000005)
#define NUMBER_PIPE        UINT64_C(0xfeed000000000006)
#define NUMBER_OPEN_FILE   UINT64_C(0xfeed000000000007) /* a handle, for reading and writing */
#define NUMBER_OPEN_FOLDER UINT64_C(0xfeed000000000008)
#define NUMBER_CLOSED      UINT64_C(0xfeed000000000009) /* released */
#define NUMBER_COUNT       9

#define FUSE_WORDS_MAX 12

struct fuse_request {
	uint32_t opcode;
	uint64_t node;
	uint64_t words[FUSE_WORDS_MAX]; /* the fixed part of the arguments */
	uint32_t word_bytes;
	const char *text; /* behind it, text_bytes of them; NULL: of the letter "a" */
	uint32_t text_bytes;
	uint32_t header_bytes; /* 0: all of it */
	uint32_t length;       /* that the header claims; 0: what there is */
	uint32_t room;         /* for the reply */
	bool urgent;           /* on the queue for that */
};

/* What became of a request. */
struct fuse_answer {
	enum scene_result result;
	bool replied;
	int32_t error;  /* 0 or negative */
	uint32_t bytes; /* behind the header */
};

struct virtio *fuse_device(void);
/* From reset to working queues, and then to INIT, with the numbers above. Failures are reported. */
bool fuse_up(struct scene *scene);
bool fuse_start(struct scene *scene);

/* Sends it and waits. Reports a reply that is not well formed or shows the secret. */
struct fuse_answer fuse_ask(struct scene *scene, const struct fuse_request *request);
/* The same with the request's bytes as they are, and a reply's place anywhere. */
struct fuse_answer fuse_ask_raw(
	struct scene *scene, uint16_t queue, const struct vring_buffer *buffers, uint16_t count);
/* Writes the request into memory of the guest's; how many bytes it has. */
uint32_t fuse_put(const struct fuse_request *request);
extern volatile uint8_t fuse_bytes[sizeof(struct fuse_in_header) + FUSE_ARGUMENT_BYTES];
extern volatile uint8_t fuse_reply[FUSE_REPLY_BYTES];

/* Looks a name up; 0: there is none, or it fails. */
uint64_t fuse_look_up(struct scene *scene, uint64_t parent, const char *name);
/* What NUMBER_... stands for; others are as they are. */
uint64_t fuse_number(uint64_t number);
/* The first 64 bits of the last reply, behind its header. */
uint64_t fuse_reply_word(unsigned int index);

/* Resets the device: "file" must say what it did, and nothing be where nothing was. */
void fuse_check(struct scene *scene);
