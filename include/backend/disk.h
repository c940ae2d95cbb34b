/*
 * A disk: asynchronous reads, writes, flushes, discards and zeroing on what the host keeps the
 * bytes in. Properties are data. The format is never guessed: an image is raw bytes.
 *
 * disk_open to disk_attach, disk_detach and disk_close on the main thread; from attach to detach
 * requests belong to one I/O thread. Nothing is allocated after attach, and a request never fails
 * for lack of room: it waits. The program ignores SIGXFSZ, so that a file that may not grow is an
 * error of the request.
 *
 * Requests in flight at the same time are in no order; a write that is done is seen by every read
 * submitted afterwards and is stable once a flush submitted afterwards is done.
 */
#pragma once

#include "compiler.h"
#include "err.h"
#include "io_thread.h"
#include "rate_limit.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

struct disk;

enum disk_cache {
	DISK_CACHE_WRITEBACK,    /* stable after a flush */
	DISK_CACHE_WRITETHROUGH, /* each write is stable when it is done */
	DISK_CACHE_UNSAFE,       /* never flushed: the host's page cache decides */
};

struct disk_options {
	const char *path; /* a regular file or a block device */
	bool read_only;
	bool direct; /* O_DIRECT */
	enum disk_cache cache;
	bool ephemeral;              /* writes are kept apart and forgotten at the end */
	uint64_t ephemeral_bytes;    /* at most; 0: 16 GiB or the disk's size, the smaller */
	const char *ephemeral_where; /* directory; NULL: $TMPDIR, else /tmp, else memory */
	bool share;                  /* no locks: somebody else sees to it */
	struct rate_limit_options rate;
};

enum disk_operation { DISK_READ, DISK_WRITE, DISK_FLUSH, DISK_DISCARD, DISK_WRITE_ZEROES };

/* For the disk alone: how far a request has come. */
struct disk_work {
	struct io_operation io;
	uint64_t position; /* byte of the disk at which the piece under way starts */
	uint64_t piece_bytes;
	unsigned int mode;      /* how it is carried out: the values are the kind of disk's own */
	unsigned int cut_count; /* entries that the piece takes */
	struct iovec cut;       /* the rest of the last of them */
	struct iovec buffer;    /* a buffer of the disk's as the engine wants it */
	uint8_t *borrowed;      /* that buffer, to be given back */
};

/* Embedded by the caller; the disk's from disk_submit until done. */
struct disk_request {
	/* By the caller: */
	enum disk_operation operation;
	bool durable;      /* stable when done (not DISK_READ) */
	bool unmap;        /* of DISK_WRITE_ZEROES: storage may be given back */
	uint64_t offset;   /* not of DISK_FLUSH */
	uint64_t length;   /* in bytes, of all but DISK_FLUSH */
	struct iovec *iov; /* of read and write, length bytes; consumed */
	unsigned int iov_count;
	void (*done)(struct disk_request *request); /* may run inside disk_submit */
	/* By the disk: */
	int result; /* 0 or -errno: valid in done */
	struct disk *disk;
	struct disk_request *next;
	struct disk_work work;
};

struct disk_ops {
	/* I/O thread. The request lies inside the disk and is not empty. */
	void (*submit)(struct disk *disk, struct disk_request *request);
	/* Main thread. */
	int (*attach)(struct disk *disk, struct err *err); /* may be NULL */
	int (*measure)(const struct disk *disk, uint64_t *ret_size_bytes);
	int (*split)(
		const struct disk *disk, struct disk **ret_disk, struct err *err); /* or NULL */
	void (*destroy)(struct disk *disk);
};

struct disk_request_list {
	struct disk_request *first, *last;
};

struct disk {
	const struct disk_ops *ops;
	/* [const] */
	uint32_t logical_block_bytes;  /* what the guest is to be told */
	uint32_t physical_block_bytes; /* smaller or unaligned writes cost a read */
	uint32_t optimal_io_bytes;     /* 0: not known */
	uint32_t discard_granularity_bytes;
	uint32_t memory_alignment; /* of buffers and offsets that need no copy; 1: any */
	uint32_t offset_alignment;
	bool read_only;
	bool can_discard;
	bool can_write_zeroes;
	bool write_cache; /* flushes mean something: the disk wants to be told to write through */
	bool writes_through;         /* each write is to be durable whatever the driver says */
	struct io_thread *io_thread; /* [const] from attach */

	_Atomic uint64_t size_bytes; /* [atomic] changed by the main thread, a multiple of 512 */

	struct rate_limit limit;          /* [io] */
	struct io_timer limit_timer;      /* [io] */
	struct disk_request_list limited; /* [io] waiting for the limit, in order */
};

/* Opens, checks, locks: a sentence tells what is wrong with the file. */
must_check int disk_open(
	const struct disk_options *options, struct disk **ret_disk, struct err *err);

/* Another disk on the same open file, and with its lock, whose requests may belong to another I/O
 * thread. Each is closed by itself. -EOPNOTSUPP: requests of this disk depend on each other (a rate
 * limit, ephemeral writes, direct I/O on blocks larger than sectors) and stay on one thread. */
must_check int disk_split(const struct disk *disk, struct disk **ret_disk, struct err *err);

/* No request is in flight. NULL is fine. */
void disk_close(struct disk *disk);
#define cleanup_disk cleanup_with(disk_cleanup)
static inline void disk_cleanup(struct disk **disk)
{
	disk_close(*disk);
}

/* Reserves what requests_max requests in flight need. */
must_check int disk_attach(
	struct disk *disk, struct io_thread *io_thread, unsigned int requests_max, struct err *err);
/* No request is in flight. */
void disk_detach(struct disk *disk);

/* Looks at the backing file again: the size that the disk would have with it, in whole blocks. Main
 * thread, like what makes it so; requests that were started before then may see either. */
must_check int disk_measure(const struct disk *disk, uint64_t *ret_size_bytes, struct err *err);
void disk_set_size(struct disk *disk, uint64_t size_bytes);

static inline uint64_t disk_size_bytes(const struct disk *disk)
{
	return atomic_load_explicit(&disk->size_bytes, memory_order_relaxed);
}

/* --- On the I/O thread. --- */

void disk_submit(struct disk *disk, struct disk_request *request);

/* Somebody waits for the disk to become idle: lets everything through that waits for the rate
 * limit. It is charged all the same, so that later requests wait the longer. */
void disk_hurry(struct disk *disk);
