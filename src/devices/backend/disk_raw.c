/*
 * A raw image: a request is one operation on the file, or two where the host cannot do it in one.
 * I/O thread, but for create, attach and destroy. See disk.h.
 */
#include "disk_raw.h"
#include "disk_kinds.h"
#include "disk_request.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <sys/mman.h>

/* Written again and again where the host cannot zero a range by itself. */
#define ZEROES_BYTES (UINT64_C(1) << 20)

#define DISK_SECTOR_BYTES 512

_Static_assert(offsetof(struct disk_raw, disk) == 0, "const disks are cast");

static struct disk_raw *raw_of(const struct disk_request *request)
{
	return container_of(request->disk, struct disk_raw, disk);
}

static bool is_aligned(const struct disk *disk)
{
	return disk->memory_alignment == 1 && disk->offset_alignment == 1;
}

void disk_raw_finish(struct disk_request *request, int result)
{
	struct disk_raw *raw = raw_of(request);

	if (!is_aligned(&raw->disk))
		disk_direct_leave(&raw->direct, request);
	disk_complete(request, result);
}

int disk_raw_write_flags(const struct disk_request *request)
{
	return request->durable && raw_of(request)->sync ? RWF_DSYNC : 0;
}

static void transferred(struct io_operation *operation)
{
	struct disk_request *request = disk_request_of(operation);

	disk_raw_finish(request, disk_transfer_result(operation, request->length));
}

static void synced(struct io_operation *operation)
{
	disk_raw_finish(disk_request_of(operation), (int)operation->result);
}

static void sync_file(struct disk_request *request)
{
	request->work.io = (struct io_operation){
		.opcode = IO_FDATASYNC,
		.fd = raw_of(request)->file.fd,
		.done = synced,
	};
	io_submit(request->disk->io_thread, &request->work.io);
}

/* The end of what has no RWF_DSYNC. */
static void finish_change(struct disk_request *request, int result)
{
	if (result == 0 && request->durable && raw_of(request)->sync)
		sync_file(request);
	else
		disk_raw_finish(request, result);
}

static void allocate(struct disk_request *request, int mode, uint64_t offset, uint64_t length,
	void (*done)(struct io_operation *operation))
{
	request->work.io = (struct io_operation){
		.opcode = IO_FALLOCATE,
		.fd = raw_of(request)->file.fd,
		.offset = offset,
		.length = length,
		.flags = mode | FALLOC_FL_KEEP_SIZE,
		.done = done,
	};
	io_submit(request->disk->io_thread, &request->work.io);
}

static void discarded(struct io_operation *operation)
{
	struct disk_request *request = disk_request_of(operation);
	int r = (int)operation->result;

	/* A discard is a hint: a host that cannot take it has obeyed. */
	if (r == -EOPNOTSUPP) {
		raw_of(request)->can_punch = false;
		r = 0;
	}
	finish_change(request, r);
}

static void discard(struct disk_request *request)
{
	uint64_t mask = request->disk->discard_granularity_bytes - 1;
	uint64_t start = (request->offset + mask) & ~mask;
	uint64_t end = disk_request_end(request) & ~mask;

	if (start >= end || !raw_of(request)->can_punch)
		disk_raw_finish(request, 0);
	else
		allocate(request, FALLOC_FL_PUNCH_HOLE, start, end - start, discarded);
}

static void write_next_zeroes(struct disk_request *request);

static void zeroes_written(struct io_operation *operation)
{
	struct disk_request *request = disk_request_of(operation);
	int r = disk_transfer_result(operation, request->work.piece_bytes);

	request->work.position += request->work.piece_bytes;
	if (r < 0 || request->work.position == disk_request_end(request))
		finish_change(request, r);
	else
		write_next_zeroes(request);
}

static void write_next_zeroes(struct disk_request *request)
{
	struct disk_work *work = &request->work;
	uint64_t left = disk_request_end(request) - work->position;

	work->piece_bytes = left < ZEROES_BYTES ? left : ZEROES_BYTES;
	disk_submit_buffer(request, IO_WRITEV, raw_of(request)->file.fd, 0, work->position,
		(struct iovec){raw_of(request)->zeroes, (size_t)work->piece_bytes}, zeroes_written);
}

static void zero_by_writing(struct disk_request *request)
{
	request->work.position = request->offset;
	write_next_zeroes(request);
}

static void zeroed(struct io_operation *operation)
{
	struct disk_request *request = disk_request_of(operation);

	if (operation->result == -EOPNOTSUPP) {
		raw_of(request)->can_zero_range[request->unmap] = false;
		zero_by_writing(request);
		return;
	}
	finish_change(request, (int)operation->result);
}

static void write_zeroes(struct disk_request *request)
{
	if (raw_of(request)->can_zero_range[request->unmap])
		allocate(request, request->unmap ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE,
			request->offset, request->length, zeroed);
	else
		zero_by_writing(request);
}

void disk_raw_start(struct disk_request *request)
{
	int fd = raw_of(request)->file.fd;

	request->work.position = request->offset;
	request->work.piece_bytes = request->length;
	switch (request->operation) {
	case DISK_READ:
		disk_submit_piece(request, IO_READV, fd, 0, transferred);
		return;
	case DISK_WRITE:
		disk_submit_piece(
			request, IO_WRITEV, fd, disk_raw_write_flags(request), transferred);
		return;
	case DISK_FLUSH:
		if (raw_of(request)->sync)
			sync_file(request);
		else
			disk_raw_finish(request, 0);
		return;
	case DISK_DISCARD:
		discard(request);
		return;
	case DISK_WRITE_ZEROES:
		write_zeroes(request);
		return;
	}
}

static void raw_submit(struct disk *disk, struct disk_request *request)
{
	struct disk_raw *raw = container_of(disk, struct disk_raw, disk);

	if (is_aligned(disk))
		disk_raw_start(request);
	else
		disk_direct_enter(&raw->direct, request);
}

static int raw_attach(struct disk *disk, struct err *err)
{
	struct disk_raw *raw = container_of(disk, struct disk_raw, disk);

	if (is_aligned(disk) || raw->direct.memory)
		return 0;
	if (disk_direct_init(&raw->direct) < 0)
		return err_set(err, ENOMEM, "disk: no memory for the buffers of direct I/O");
	return 0;
}

static int raw_measure(const struct disk *disk, uint64_t *ret_size_bytes)
{
	return disk_file_measure(&((const struct disk_raw *)disk)->file, ret_size_bytes);
}

static void raw_destroy(struct disk *disk)
{
	struct disk_raw *raw = container_of(disk, struct disk_raw, disk);

	disk_direct_fini(&raw->direct);
	if (raw->zeroes)
		(void)munmap(raw->zeroes, ZEROES_BYTES);
	disk_file_close(&raw->file);
	free(raw);
}

/* NULL: out of memory. */
static struct disk_raw *raw_new(void)
{
	struct disk_raw *raw = calloc(1, sizeof(*raw));
	/* Never written: all of it is the kernel's one page of zeroes. */
	void *zeroes = mmap(
		NULL, ZEROES_BYTES, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (!raw || zeroes == MAP_FAILED) {
		free(raw);
		return NULL;
	}
	raw->file.fd = -1;
	raw->zeroes = zeroes;
	return raw;
}

static int raw_split(const struct disk *disk, struct disk **ret_disk, struct err *err)
{
	const struct disk_raw *raw = (const struct disk_raw *)disk;
	struct disk_raw *other;

	/* A write of part of a block must know of all other changes. */
	if (disk->offset_alignment > DISK_SECTOR_BYTES)
		return -EOPNOTSUPP;
	other = raw_new();
	if (!other)
		return err_set(err, ENOMEM, "out of memory");
	other->disk = raw->disk;
	other->disk.io_thread = NULL;
	other->file = raw->file;
	other->file.fd = fcntl(raw->file.fd, F_DUPFD_CLOEXEC, 0);
	other->sync = raw->sync;
	other->can_punch = raw->can_punch;
	other->can_zero_range[false] = raw->can_zero_range[false];
	other->can_zero_range[true] = raw->can_zero_range[true];
	if (other->file.fd < 0) {
		int r = err_set_errno(err, errno, "no descriptor for another I/O thread");

		raw_destroy(&other->disk);
		return r;
	}
	*ret_disk = &other->disk;
	return 0;
}

static const struct disk_ops raw_ops = {
	.submit = raw_submit,
	.attach = raw_attach,
	.measure = raw_measure,
	.split = raw_split,
	.destroy = raw_destroy,
};

int disk_raw_create(const struct disk_options *options, struct disk_file *file,
	struct disk **ret_disk, struct err *err)
{
	struct disk_raw *raw = raw_new();

	if (!raw) {
		disk_file_close(file);
		return err_set(err, ENOMEM, "out of memory");
	}
	raw->disk.ops = &raw_ops;
	disk_file_describe(file, options, &raw->disk);
	raw->file = *file;
	raw->sync = options->cache != DISK_CACHE_UNSAFE;
	raw->can_punch = file->can_discard;
	raw->can_zero_range[false] = true;
	raw->can_zero_range[true] = true;
	*ret_disk = &raw->disk;
	return 0;
}
