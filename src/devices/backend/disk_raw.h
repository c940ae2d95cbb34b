/*
 * A disk that is its file, byte by byte: what disk_raw.c and its half for direct I/O share.
 */
#pragma once

#include "disk_file.h"

#define DISK_DIRECT_BUFFERS 8

/* [io] Requests on a file that wants alignment. */
struct disk_direct {
	uint8_t *memory; /* [const] of the buffers */
	uint8_t *free[DISK_DIRECT_BUFFERS];
	unsigned int free_count;
	unsigned int changes; /* writes, discards and the like under way */
	bool alone;           /* one of them tolerates no other */
	struct disk_request_list waiting;
};

struct disk_raw {
	struct disk disk;
	struct disk_file file;
	bool sync;              /* [const] flush and durable mean something */
	bool can_punch;         /* [io] until the host says otherwise */
	bool can_zero_range[2]; /* [io] likewise; with and without unmap */
	void *zeroes;           /* [const] memory that reads as zeroes */
	struct disk_direct direct;
};

/* Carries an aligned request out. */
void disk_raw_start(struct disk_request *request);
/* Ends any request. */
void disk_raw_finish(struct disk_request *request, int result);
int disk_raw_write_flags(const struct disk_request *request);

must_check int disk_direct_init(struct disk_direct *direct);
void disk_direct_fini(struct disk_direct *direct);
/* Starts the request, now or when its turn comes. */
void disk_direct_enter(struct disk_direct *direct, struct disk_request *request);
/* It has been carried out. Others may be started before this returns. */
void disk_direct_leave(struct disk_direct *direct, struct disk_request *request);
