/*
 * An ephemeral disk: the base is only read, what the guest writes goes to a sparse overlay at the
 * same offset and is gone at the end. I/O thread, but for create, attach and destroy. See disk.h.
 *
 * A request is carried out in pieces, one after the other, each a run of clusters that are in the
 * same place. Clusters whose place a piece is about to change are busy until it is done; a piece
 * that would change a busy cluster waits, holding none itself, so that nothing can wait in a
 * circle. Reads do not wait: until the piece is done the old place holds the old bytes, and a read
 * that overlaps a write in time may see them. Overwriting what is in the overlay changes no place
 * and needs no turn either.
 *
 * A write of part of a cluster reads the rest from the base and writes the cluster as a whole.
 */
#include "disk_clusters.h"
#include "disk_kinds.h"
#include "disk_overlay.h"
#include "disk_request.h"
#include "fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <string.h>

#define BYTES_MAX_DEFAULT (UINT64_C(16) << 30)
#define BUFFERS           16

struct ephemeral {
	struct disk disk;
	struct disk_file base;
	int overlay_fd;
	/* [io] */
	struct clusters clusters;
	struct disk_request_list waiting; /* for busy clusters or a buffer */
	bool released;                    /* one of both has become free */
	uint8_t *memory;                  /* [const] of the buffers, and a cluster of zeroes */
	uint8_t *zeroes;                  /* [const] */
	uint8_t *free[BUFFERS];
	unsigned int free_count;
};

static struct ephemeral *ephemeral_of(const struct disk_request *request)
{
	return container_of(request->disk, struct ephemeral, disk);
}

static void advance(struct disk_request *request);

static uint64_t cluster_of(uint64_t position)
{
	return position / CLUSTER_BYTES;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* --- Turns --- */

static void wait_for_turn(struct disk_request *request)
{
	disk_list_append(&ephemeral_of(request)->waiting, request);
}

/* After everything that runs because an operation has ended: those that wait try again, in order.
 * None of them releases anything while doing so. */
static void run_waiting(struct ephemeral *ephemeral)
{
	struct disk_request_list waiting = ephemeral->waiting;
	struct disk_request *request;

	if (!ephemeral->released)
		return;
	ephemeral->released = false;
	ephemeral->waiting = (struct disk_request_list){0};
	while ((request = disk_list_take(&waiting)))
		advance(request);
}

/* The clusters of the piece, first to last. */
static uint64_t piece_first(const struct disk_request *request)
{
	return cluster_of(request->work.position);
}

static uint64_t piece_end(const struct disk_request *request)
{
	return cluster_of(request->work.position + request->work.piece_bytes - 1) + 1;
}

/* Ends a piece that was busy. */
static void release_piece(struct disk_request *request)
{
	struct ephemeral *ephemeral = ephemeral_of(request);

	clusters_set_busy(&ephemeral->clusters, piece_first(request), piece_end(request), false);
	ephemeral->released = true;
}

/* --- Ends of operations --- */

static void next_piece(struct disk_request *request)
{
	request->work.position += request->work.piece_bytes;
	advance(request);
}

static void end_operation(struct disk_request *request, int r)
{
	struct ephemeral *ephemeral = ephemeral_of(request);

	if (r < 0)
		disk_complete(request, r);
	else
		next_piece(request);
	run_waiting(ephemeral);
}

static void transferred(struct io_operation *operation)
{
	struct disk_request *request = disk_request_of(operation);

	disk_uncut_piece(request);
	end_operation(request, disk_transfer_result(operation, request->work.piece_bytes));
}

/* The clusters were in the base or zero and are in the overlay now; or nothing has changed. */
static void end_new_data(struct disk_request *request, int r)
{
	struct clusters *clusters = &ephemeral_of(request)->clusters;
	uint64_t first = piece_first(request);
	uint64_t end = piece_end(request);

	if (r < 0)
		clusters_give_back(clusters, end - first);
	else
		clusters_set_state(clusters, first, end, CLUSTER_DATA);
	release_piece(request);
	end_operation(request, r);
}

static void new_clusters_written(struct io_operation *operation)
{
	struct disk_request *request = disk_request_of(operation);

	disk_uncut_piece(request);
	end_new_data(request, disk_transfer_result(operation, request->work.piece_bytes));
}

/* --- Part of a cluster --- */

static void end_part(struct disk_request *request, int r)
{
	struct ephemeral *ephemeral = ephemeral_of(request);

	ephemeral->free[ephemeral->free_count++] = request->work.borrowed;
	request->work.borrowed = NULL;
	end_new_data(request, r);
}

static void part_written(struct io_operation *operation)
{
	struct disk_request *request = disk_request_of(operation);

	end_part(request, disk_transfer_result(operation, CLUSTER_BYTES));
}

static void write_part(struct disk_request *request)
{
	struct disk_work *work = &request->work;
	uint8_t *target = work->borrowed + work->position % CLUSTER_BYTES;

	if (request->operation == DISK_WRITE)
		disk_copy_from_request(request, target, work->piece_bytes);
	else
		memset(target, 0, (size_t)work->piece_bytes);
	disk_submit_buffer(request, IO_WRITEV, ephemeral_of(request)->overlay_fd, 0,
		piece_first(request) * CLUSTER_BYTES, (struct iovec){work->borrowed, CLUSTER_BYTES},
		part_written);
}

/* How much of the cluster the disk has. */
static uint64_t cluster_bytes(const struct disk_request *request, uint64_t cluster)
{
	return smaller(
		CLUSTER_BYTES, ephemeral_of(request)->base.size_bytes - cluster * CLUSTER_BYTES);
}

static void part_filled(struct io_operation *operation)
{
	struct disk_request *request = disk_request_of(operation);
	int r = disk_transfer_result(operation, cluster_bytes(request, piece_first(request)));

	if (r < 0)
		end_part(request, r);
	else
		write_part(request);
}

/* The piece lies in one cluster that is not in the overlay and will be. */
static void change_part(struct disk_request *request, enum cluster_state state)
{
	struct ephemeral *ephemeral = ephemeral_of(request);
	uint64_t cluster = piece_first(request);
	int r;

	if (!ephemeral->free_count) {
		wait_for_turn(request);
		return;
	}
	r = clusters_promise(&ephemeral->clusters, 1);
	if (r < 0) {
		disk_complete(request, r);
		return;
	}
	clusters_set_busy(&ephemeral->clusters, cluster, cluster + 1, true);
	request->work.borrowed = ephemeral->free[--ephemeral->free_count];
	memset(request->work.borrowed, 0, CLUSTER_BYTES);
	if (state == CLUSTER_ZERO) {
		write_part(request);
		return;
	}
	disk_submit_buffer(request, IO_READV, ephemeral->base.fd, 0, cluster * CLUSTER_BYTES,
		(struct iovec){request->work.borrowed, (size_t)cluster_bytes(request, cluster)},
		part_filled);
}

/* --- The next piece: each returns true when the request can go on at once. --- */

/* The piece is what is left of the request up to the end of that cluster. */
static void set_piece(struct disk_request *request, uint64_t end_cluster)
{
	uint64_t end = smaller(end_cluster * CLUSTER_BYTES, disk_request_end(request));

	request->work.piece_bytes = end - request->work.position;
}

static bool read_piece(struct disk_request *request)
{
	struct ephemeral *ephemeral = ephemeral_of(request);
	uint64_t first = cluster_of(request->work.position);
	uint64_t end = cluster_of(disk_request_end(request) - 1) + 1;
	enum cluster_state state = clusters_state(&ephemeral->clusters, first);

	set_piece(request, clusters_run_end(&ephemeral->clusters, first, end));
	if (state == CLUSTER_ZERO) {
		disk_zero_request(request, request->work.piece_bytes);
		return true;
	}
	disk_submit_piece(request, IO_READV,
		state == CLUSTER_DATA ? ephemeral->overlay_fd : ephemeral->base.fd, 0, transferred);
	return false;
}

/* Chooses a piece of clusters that nobody else changes: what is in the overlay already and is only
 * written, or whole clusters, or part of one. False: the first of them is busy. */
static bool choose_change(struct disk_request *request, bool *ret_whole)
{
	struct clusters *clusters = &ephemeral_of(request)->clusters;
	uint64_t position = request->work.position;
	uint64_t request_end = disk_request_end(request);
	uint64_t first = cluster_of(position);
	uint64_t end = cluster_of(request_end);

	/* The last cluster may be a short one, and whole nevertheless. */
	if (request_end == ephemeral_of(request)->base.size_bytes)
		end = clusters->count;
	if (clusters_find_busy(clusters, first, first + 1) == first)
		return false;
	*ret_whole = position % CLUSTER_BYTES == 0 && first < end;
	if (request->operation == DISK_WRITE && clusters_state(clusters, first) == CLUSTER_DATA)
		end = cluster_of(request_end - 1) + 1;
	else if (!*ret_whole)
		end = first + 1;
	end = clusters_find_busy(clusters, first, clusters_run_end(clusters, first, end));
	set_piece(request, end);
	return true;
}

static bool write_piece(struct disk_request *request)
{
	struct ephemeral *ephemeral = ephemeral_of(request);
	uint64_t first = cluster_of(request->work.position);
	enum cluster_state state = clusters_state(&ephemeral->clusters, first);
	bool whole;
	int r;

	if (!choose_change(request, &whole)) {
		wait_for_turn(request);
	} else if (state == CLUSTER_DATA) {
		disk_submit_piece(request, IO_WRITEV, ephemeral->overlay_fd, 0, transferred);
	} else if (!whole) {
		change_part(request, state);
	} else if ((r = clusters_promise(&ephemeral->clusters, piece_end(request) - first)) < 0) {
		disk_complete(request, r);
	} else {
		clusters_set_busy(&ephemeral->clusters, first, piece_end(request), true);
		disk_submit_piece(
			request, IO_WRITEV, ephemeral->overlay_fd, 0, new_clusters_written);
	}
	return false;
}

static void part_zeroed(struct io_operation *operation)
{
	struct disk_request *request = disk_request_of(operation);

	end_operation(request, disk_transfer_result(operation, request->work.piece_bytes));
}

static void punched(struct io_operation *operation)
{
	struct disk_request *request = disk_request_of(operation);
	struct clusters *clusters = &ephemeral_of(request)->clusters;
	uint64_t first = piece_first(request);
	uint64_t end = piece_end(request);

	if (operation->result == 0) {
		clusters_set_state(clusters, first, end, CLUSTER_ZERO);
		clusters_give_back(clusters, end - first);
	}
	release_piece(request);
	end_operation(request, (int)operation->result);
}

static void punch_piece(struct disk_request *request)
{
	struct ephemeral *ephemeral = ephemeral_of(request);
	uint64_t first = piece_first(request);
	uint64_t end = piece_end(request);

	clusters_set_busy(&ephemeral->clusters, first, end, true);
	request->work.io = (struct io_operation){
		.opcode = IO_FALLOCATE,
		.fd = ephemeral->overlay_fd,
		.offset = first * CLUSTER_BYTES,
		.length = (end - first) * CLUSTER_BYTES,
		.flags = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		.done = punched,
	};
	io_submit(ephemeral->disk.io_thread, &request->work.io);
}

static bool zero_piece(struct disk_request *request)
{
	struct ephemeral *ephemeral = ephemeral_of(request);
	uint64_t first = cluster_of(request->work.position);
	enum cluster_state state = clusters_state(&ephemeral->clusters, first);
	bool whole;

	if (!choose_change(request, &whole)) {
		wait_for_turn(request);
		return false;
	}
	/* Zero already; or a discard, which may leave what does not fill a cluster as it is. */
	if (state == CLUSTER_ZERO || (!whole && request->operation == DISK_DISCARD))
		return true;
	if (whole && state == CLUSTER_BASE) {
		clusters_set_state(&ephemeral->clusters, first, piece_end(request), CLUSTER_ZERO);
		return true;
	}
	if (whole)
		punch_piece(request);
	else if (state == CLUSTER_BASE)
		change_part(request, state);
	else
		disk_submit_buffer(request, IO_WRITEV, ephemeral->overlay_fd, 0,
			request->work.position,
			(struct iovec){ephemeral->zeroes, (size_t)request->work.piece_bytes},
			part_zeroed);
	return false;
}

static void advance(struct disk_request *request)
{
	bool (*piece)(struct disk_request * request) = request->operation == DISK_READ ? read_piece
	                                               : request->operation == DISK_WRITE
	                                                       ? write_piece
	                                                       : zero_piece;

	while (request->work.position < disk_request_end(request)) {
		if (!piece(request))
			return;
		request->work.position += request->work.piece_bytes;
	}
	disk_complete(request, 0);
}

/* --- The disk --- */

static void ephemeral_submit(struct disk *disk, struct disk_request *request)
{
	(void)disk;
	/* Nothing is to outlive the process, so nothing has to be stable. */
	if (request->operation == DISK_FLUSH) {
		disk_complete(request, 0);
		return;
	}
	request->work.position = request->offset;
	request->work.borrowed = NULL;
	advance(request);
}

static int ephemeral_attach(struct disk *disk, struct err *err)
{
	struct ephemeral *ephemeral = container_of(disk, struct ephemeral, disk);

	if (ephemeral->memory)
		return 0;
	ephemeral->memory = calloc(BUFFERS + 1, CLUSTER_BYTES);
	if (!ephemeral->memory)
		return err_set(err, ENOMEM, "disk: no memory for the buffers of ephemeral writes");
	for (unsigned int i = 0; i < BUFFERS; i++)
		ephemeral->free[i] = ephemeral->memory + i * CLUSTER_BYTES;
	ephemeral->free_count = BUFFERS;
	ephemeral->zeroes = ephemeral->memory + BUFFERS * CLUSTER_BYTES;
	return 0;
}

/* Several VMs rely on the base: it does not change. */
static int ephemeral_measure(const struct disk *disk, uint64_t *ret_size_bytes)
{
	*ret_size_bytes = disk_size_bytes(disk);
	return 0;
}

static void ephemeral_destroy(struct disk *disk)
{
	struct ephemeral *ephemeral = container_of(disk, struct ephemeral, disk);

	clusters_fini(&ephemeral->clusters);
	free(ephemeral->memory);
	fd_close(&ephemeral->overlay_fd);
	disk_file_close(&ephemeral->base);
	free(ephemeral);
}

static const struct disk_ops ephemeral_ops = {
	.submit = ephemeral_submit,
	.attach = ephemeral_attach,
	.measure = ephemeral_measure,
	.destroy = ephemeral_destroy,
};

static int init(struct ephemeral *ephemeral, const struct disk_options *options, struct err *err)
{
	uint64_t count = (ephemeral->base.size_bytes + CLUSTER_BYTES - 1) / CLUSTER_BYTES;
	uint64_t bytes_max = options->ephemeral_bytes ? options->ephemeral_bytes
	                                              : BYTES_MAX_DEFAULT;
	int r;

	if (clusters_init(&ephemeral->clusters, count, smaller(count, bytes_max / CLUSTER_BYTES)) <
		0)
		return err_set(err, ENOMEM, "out of memory");
	r = disk_overlay_open(
		options->ephemeral_where, count * CLUSTER_BYTES, &ephemeral->overlay_fd, err);
	if (r < 0)
		return r;
	disk_file_describe(&ephemeral->base, options, &ephemeral->disk);
	ephemeral->disk.physical_block_bytes = CLUSTER_BYTES;
	ephemeral->disk.discard_granularity_bytes = CLUSTER_BYTES;
	ephemeral->disk.can_discard = true;
	ephemeral->disk.write_cache = false;
	ephemeral->disk.writes_through = false;
	return 0;
}

int disk_ephemeral_create(const struct disk_options *options, struct disk_file *file,
	struct disk **ret_disk, struct err *err)
{
	struct ephemeral *ephemeral = calloc(1, sizeof(*ephemeral));
	int r;

	if (!ephemeral) {
		disk_file_close(file);
		return err_set(err, ENOMEM, "out of memory");
	}
	ephemeral->disk.ops = &ephemeral_ops;
	ephemeral->base = *file;
	ephemeral->overlay_fd = -1;
	r = init(ephemeral, options, err);
	if (r < 0) {
		ephemeral_destroy(&ephemeral->disk);
		return r;
	}
	*ret_disk = &ephemeral->disk;
	return 0;
}
