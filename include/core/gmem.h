/*
 * Guest memory: a hostile peer reached through a few checked doors, never through bare pointers.
 *
 * A small sorted array of RAM regions, built by one thread and frozen before vCPUs start;
 * afterwards every function may be called from any thread. A guest address is a struct so that it
 * cannot be mixed up with a host pointer or a length. Everything is checked by
 * subtract-then-compare; an access that is not wholly inside RAM touches nothing and gives -EFAULT.
 */
#pragma once

#include "compiler.h"
#include "err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gpa {
	uint64_t address;
};

static inline struct gpa gpa_at(uint64_t address)
{
	return (struct gpa){address};
}

static inline struct gpa gpa_add(struct gpa gpa, uint64_t offset)
{
	return (struct gpa){gpa.address + offset};
}

#define GMEM_REGIONS_MAX 4

struct gmem_region {
	struct gpa base;
	uint64_t size_bytes;
	void *host; /* size_bytes of mapped memory; owned by whoever owns the gmem */
	int fd;     /* the memfd behind it, or -1 for anonymous memory; owned likewise */
	uint64_t fd_offset;
};

struct gmem {
	struct gmem_region regions[GMEM_REGIONS_MAX]; /* [const] sorted by base, no overlap */
	unsigned int region_count;
};

enum gmem_backing {
	GMEM_BACKING_ANONYMOUS,
	GMEM_BACKING_MEMFD,   /* shareable with other processes through its fd */
	GMEM_BACKING_HUGETLB, /* memfd of 2 MiB pages from the host's pool */
};

struct gmem_options {
	enum gmem_backing backing;
	bool prealloc; /* populate everything now; -ENOMEM instead of a later SIGBUS */
	bool transparent_huge_pages;
};

/* Maps RAM for the regions whose base and size_bytes the caller has filled in (host and fd are
 * outputs). Excluded from core dumps and not inherited by fork. */
must_check int gmem_create(struct gmem *gmem, const struct gmem_options *options, struct err *err);
void gmem_destroy(struct gmem *gmem);

/* All of it inside one region? */
must_check bool gmem_contains(const struct gmem *gmem, struct gpa gpa, uint64_t length);

/* Sum of the regions. */
uint64_t gmem_size_bytes(const struct gmem *gmem);

/* Copies, all or nothing; may cross adjacent regions. */
must_check int gmem_read(const struct gmem *gmem, struct gpa gpa, void *buffer, size_t length);
must_check int gmem_write(
	const struct gmem *gmem, struct gpa gpa, const void *buffer, size_t length);
must_check int gmem_fill(const struct gmem *gmem, struct gpa gpa, uint8_t value, uint64_t length);

/* Reads a file straight into RAM: the kernel copies, nothing is buffered here. A file that ends
 * early gives -ENODATA. */
must_check int gmem_pread_file(
	const struct gmem *gmem, struct gpa gpa, uint64_t length, int fd, uint64_t offset);

/* Naturally aligned little-endian words; -EINVAL when misaligned. Relaxed unless named. */
must_check int gmem_load16(const struct gmem *gmem, struct gpa gpa, uint16_t *ret_value);
must_check int gmem_load32(const struct gmem *gmem, struct gpa gpa, uint32_t *ret_value);
must_check int gmem_load64(const struct gmem *gmem, struct gpa gpa, uint64_t *ret_value);
must_check int gmem_store16(const struct gmem *gmem, struct gpa gpa, uint16_t value);
must_check int gmem_store32(const struct gmem *gmem, struct gpa gpa, uint32_t value);
must_check int gmem_store64(const struct gmem *gmem, struct gpa gpa, uint64_t value);

/* A piece of guest RAM that was checked once and can be handed to the kernel: host is good for
 * length bytes for as long as the regions are mapped. The guest may change its bytes at any time.
 * Only gmem.c, the virtqueue (chain.c, virtq*.c) and the I/O engines may touch host (lint). */
struct gmem_span {
	void *host;
	uint32_t length;
};

enum gmem_access { GMEM_READ, GMEM_WRITE };

/* -EFAULT unless all of it lies in one region. A length of 0 needs an address in RAM, too. */
must_check int gmem_span(const struct gmem *gmem, struct gpa gpa, uint32_t length,
	enum gmem_access access, struct gmem_span *ret_span);

/* The words of rings that driver and device share, ordered against each other. */
must_check int gmem_load16_acquire(const struct gmem *gmem, struct gpa gpa, uint16_t *ret_value);
must_check int gmem_store16_release(const struct gmem *gmem, struct gpa gpa, uint16_t value);
