/*
 * What the disks of this folder share: ends of requests, lists of them, and their data.
 *
 * A request's iovecs are consumed from the front. A piece of it is cut out for the engine and
 * restored afterwards, or copied through a buffer of the disk's.
 */
#pragma once

#include "disk.h"

#include <errno.h>

/* The request is the caller's again; it may be submitted anew before this returns. */
void disk_complete(struct disk_request *request, int result);

void disk_list_append(struct disk_request_list *list, struct disk_request *request);
struct disk_request *disk_list_take(struct disk_request_list *list); /* NULL: empty */

static inline struct disk_request *disk_request_of(struct io_operation *operation)
{
	return container_of(operation, struct disk_request, work.io);
}

static inline uint64_t disk_request_end(const struct disk_request *request)
{
	return request->offset + request->length;
}

/* Gives the next piece_bytes of the request's own buffers to the engine, to be read or written at
 * the position; disk_uncut_piece when that is done. */
void disk_submit_piece(struct disk_request *request, enum io_opcode opcode, int fd, int flags,
	void (*done)(struct io_operation *operation));
void disk_uncut_piece(struct disk_request *request);

/* Likewise with a buffer of the disk's. */
void disk_submit_buffer(struct disk_request *request, enum io_opcode opcode, int fd, int flags,
	uint64_t offset, struct iovec buffer, void (*done)(struct io_operation *operation));

/* Copies between the front of the request's buffers and bytes. */
void disk_copy_from_request(struct disk_request *request, void *bytes, uint64_t length);
void disk_copy_to_request(struct disk_request *request, const void *bytes, uint64_t length);
void disk_zero_request(struct disk_request *request, uint64_t length);

/* 0 when the engine moved exactly length bytes: fewer is the end of a file that has shrunk. */
static inline int disk_transfer_result(const struct io_operation *operation, uint64_t length)
{
	if (operation->result < 0)
		return (int)operation->result;
	return (uint64_t)operation->result == length ? 0 : -EIO;
}
