/*
 * Direct I/O for requests that are not aligned as the host wants it: they go through a few buffers.
 * I/O thread, but for init and fini.
 *
 * Requests that need a buffer wait for one in order; they never fail for lack of one. A write that
 * does not cover whole blocks reads them first and is the only change under way for that time, so
 * that no other write into its blocks is lost.
 */
#include "disk_raw.h"

#include "disk_request.h"

#include <errno.h>
#include <stdlib.h>

#define BUFFER_BYTES (UINT64_C(256) << 10)

/* disk_work.mode */
enum { ALIGNED, BUFFERED, ALONE };

int disk_direct_init(struct disk_direct *direct)
{
	unsigned int count = array_size(direct->free);
	/* Aligned to pages and, by its size, to whatever a host may ask for within a buffer. */
	void *memory = aligned_alloc(BUFFER_BYTES, BUFFER_BYTES * count);

	if (!memory)
		return -ENOMEM;
	direct->memory = memory;
	for (unsigned int i = 0; i < count; i++)
		direct->free[i] = direct->memory + i * BUFFER_BYTES;
	direct->free_count = count;
	return 0;
}

void disk_direct_fini(struct disk_direct *direct)
{
	free(direct->memory);
	direct->memory = NULL;
}

static bool is_memory_aligned(const struct disk_request *request)
{
	uint64_t memory_mask = request->disk->memory_alignment - 1;
	uint64_t length_mask = request->disk->offset_alignment - 1;

	for (unsigned int i = 0; i < request->iov_count; i++) {
		const struct iovec *entry = &request->iov[i];

		if (((uintptr_t)entry->iov_base & memory_mask) || (entry->iov_len & length_mask))
			return false;
	}
	return true;
}

static unsigned int choose_mode(const struct disk_request *request)
{
	uint64_t mask = request->disk->offset_alignment - 1;

	if (request->operation != DISK_READ && request->operation != DISK_WRITE)
		return ALIGNED;
	if ((request->offset | request->length) & mask)
		return request->operation == DISK_WRITE ? ALONE : BUFFERED;
	return is_memory_aligned(request) ? ALIGNED : BUFFERED;
}

static bool is_change(const struct disk_request *request)
{
	return request->operation != DISK_READ && request->operation != DISK_FLUSH;
}

static bool may_start(const struct disk_direct *direct, const struct disk_request *request)
{
	if (request->work.mode != ALIGNED && !direct->free_count)
		return false;
	if (request->work.mode == ALONE)
		return !direct->changes;
	return !(direct->alone && is_change(request));
}

static struct iovec aligned_piece(const struct disk_request *request, uint64_t *ret_offset)
{
	const struct disk_work *work = &request->work;
	uint64_t mask = request->disk->offset_alignment - 1;
	uint64_t start = work->position & ~mask;
	uint64_t end = (disk_request_end(request) + mask) & ~mask;

	*ret_offset = start;
	return (struct iovec){
		work->borrowed, (size_t)(end - start < BUFFER_BYTES ? end - start : BUFFER_BYTES)};
}

static struct disk_raw *raw_of(const struct disk_request *request)
{
	return container_of(request->disk, struct disk_raw, disk);
}

/* How much of the piece is the request's, and where in the buffer that is. */
static uint64_t wanted(struct disk_request *request, uint64_t *ret_skip)
{
	struct disk_work *work = &request->work;
	uint64_t offset;
	struct iovec piece = aligned_piece(request, &offset);
	uint64_t end = offset + piece.iov_len;

	if (end > disk_request_end(request))
		end = disk_request_end(request);
	*ret_skip = work->position - offset;
	return end - work->position;
}

static void start_piece(struct disk_request *request);

static void finish_piece(struct disk_request *request, uint64_t length)
{
	request->work.position += length;
	if (request->work.position == disk_request_end(request))
		disk_raw_finish(request, 0);
	else
		start_piece(request);
}

static void written(struct io_operation *operation)
{
	struct disk_request *request = disk_request_of(operation);
	int r = disk_transfer_result(operation, request->work.piece_bytes);
	uint64_t skip;

	if (r < 0)
		disk_raw_finish(request, r);
	else
		finish_piece(request, wanted(request, &skip));
}

static void write_piece(struct disk_request *request)
{
	struct disk_raw *raw = raw_of(request);
	uint64_t offset, skip;
	struct iovec piece = aligned_piece(request, &offset);
	uint64_t length = wanted(request, &skip);

	disk_copy_from_request(request, request->work.borrowed + skip, length);
	disk_submit_buffer(request, IO_WRITEV, raw->file.fd, disk_raw_write_flags(request), offset,
		piece, written);
}

static void read_done(struct io_operation *operation)
{
	struct disk_request *request = disk_request_of(operation);
	int r = disk_transfer_result(operation, request->work.piece_bytes);
	uint64_t length, skip;

	if (r < 0) {
		disk_raw_finish(request, r);
		return;
	}
	if (request->operation == DISK_WRITE) {
		write_piece(request);
		return;
	}
	length = wanted(request, &skip);
	disk_copy_to_request(request, request->work.borrowed + skip, length);
	finish_piece(request, length);
}

static void start_piece(struct disk_request *request)
{
	struct disk_raw *raw = raw_of(request);
	uint64_t offset, skip;
	struct iovec piece = aligned_piece(request, &offset);

	request->work.piece_bytes = piece.iov_len;
	if (request->operation == DISK_WRITE && wanted(request, &skip) == piece.iov_len)
		write_piece(request);
	else
		disk_submit_buffer(request, IO_READV, raw->file.fd, 0, offset, piece, read_done);
}

static void start(struct disk_direct *direct, struct disk_request *request)
{
	if (is_change(request))
		direct->changes++;
	if (request->work.mode == ALONE)
		direct->alone = true;
	if (request->work.mode == ALIGNED) {
		disk_raw_start(request);
		return;
	}
	request->work.borrowed = direct->free[--direct->free_count];
	request->work.position = request->offset;
	start_piece(request);
}

void disk_direct_enter(struct disk_direct *direct, struct disk_request *request)
{
	request->work.borrowed = NULL;
	request->work.mode = choose_mode(request);
	/* Whoever waits is not overtaken by those that might keep it waiting. */
	if ((direct->waiting.first && (is_change(request) || request->work.mode != ALIGNED)) ||
		!may_start(direct, request))
		disk_list_append(&direct->waiting, request);
	else
		start(direct, request);
}

void disk_direct_leave(struct disk_direct *direct, struct disk_request *request)
{
	if (is_change(request))
		direct->changes--;
	if (request->work.mode == ALONE)
		direct->alone = false;
	if (request->work.borrowed)
		direct->free[direct->free_count++] = request->work.borrowed;
	request->work.borrowed = NULL;
	while (direct->waiting.first && may_start(direct, direct->waiting.first))
		start(direct, disk_list_take(&direct->waiting));
}
