/*
 * Guest memory doors. See gmem.h for the contract.
 *
 * The regions are mapped shared or private, but always by this file; translation happens in one
 * place (locate), which never returns a pointer without the length that is good behind it.
 */
#include "gmem.h"

#include "fd.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/memfd.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define HUGE_PAGE_BYTES (UINT64_C(2) << 20)

static int map_region(
	struct gmem_region *region, const struct gmem_options *options, int fd, struct err *err)
{
	bool huge = options->backing == GMEM_BACKING_HUGETLB;
	int flags = fd >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
	void *host;

	/* Huge pages are reserved now: a pool that runs dry later would be a SIGBUS. */
	if (!huge)
		flags |= MAP_NORESERVE;
	host = mmap(NULL, region->size_bytes, PROT_READ | PROT_WRITE, flags, fd,
		(off_t)region->fd_offset);
	if (host == MAP_FAILED && huge)
		return err_set(err, errno,
			"guest memory: the host's pool of 2 MiB pages cannot give %" PRIu64
			" MiB: enlarge it "
			"(/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages)",
			region->size_bytes >> 20);
	if (host == MAP_FAILED)
		return err_set_errno(err, errno,
			"guest memory: mapping %" PRIu64
			" MiB failed (is -m larger than this host allows?)",
			region->size_bytes >> 20);
	region->host = host;
	region->fd = fd;
	/* The advice below is best effort: an old kernel or a build without huge pages refuses it.
	 */
	(void)madvise(host, region->size_bytes, MADV_DONTDUMP);
	(void)madvise(host, region->size_bytes, MADV_DONTFORK);
	if (options->transparent_huge_pages && !huge) {
		uint64_t skipped = region->base.address < HUGE_PAGE_BYTES ? HUGE_PAGE_BYTES : 0;

		/* The first 2 MiB hold boot tables and a few small pages: a huge page there would
		 * cost more memory and zeroing than a small guest ever touches. */
		if (region->size_bytes > skipped)
			(void)madvise((char *)host + skipped, region->size_bytes - skipped,
				MADV_HUGEPAGE);
	}
	if (options->prealloc && madvise(host, region->size_bytes, MADV_POPULATE_WRITE) != 0) {
		if (errno != EINVAL)
			return err_set_errno(err, errno,
				"guest memory: --prealloc of %" PRIu64 " MiB failed",
				region->size_bytes >> 20);
		/* Before Linux 5.14: touch each page. */
		for (uint64_t offset = 0; offset < region->size_bytes; offset += 4096)
			((volatile char *)host)[offset] = 0;
	}
	return 0;
}

static int create_backing_fd(
	const struct gmem *gmem, const struct gmem_options *options, struct err *err)
{
	bool huge = options->backing == GMEM_BACKING_HUGETLB;
	uint64_t total = gmem_size_bytes(gmem);
	cleanup_fd int fd = memfd_create(
		"hull-guest-ram", MFD_CLOEXEC | (huge ? MFD_HUGETLB | MFD_HUGE_2MB : 0));

	if (fd < 0)
		return err_set_errno(err, errno, "guest memory: %s",
			huge ? "this kernel offers no 2 MiB huge pages (--hugepages)"
			     : "memfd_create failed");
	if (ftruncate(fd, (off_t)total) != 0)
		return err_set_errno(
			err, errno, "guest memory: cannot size %" PRIu64 " MiB", total >> 20);
	return take_fd(&fd);
}

int gmem_create(struct gmem *gmem, const struct gmem_options *options, struct err *err)
{
	cleanup_fd int fd = -1;
	uint64_t offset = 0;

	for (unsigned int i = 0; i < gmem->region_count; i++) {
		gmem->regions[i].host = NULL;
		gmem->regions[i].fd = -1;
	}
	if (options->backing != GMEM_BACKING_ANONYMOUS) {
		fd = create_backing_fd(gmem, options, err);
		if (fd < 0)
			return take_fd(&fd);
	}
	for (unsigned int i = 0; i < gmem->region_count; i++) {
		struct gmem_region *region = &gmem->regions[i];
		int r;

		region->fd_offset = offset;
		r = map_region(region, options, fd, err);
		if (r < 0) {
			gmem_destroy(gmem);
			return r;
		}
		offset += region->size_bytes;
	}
	(void)take_fd(&fd); /* OWNER: the regions share it; gmem_destroy closes it once */
	return 0;
}

void gmem_destroy(struct gmem *gmem)
{
	int fd = gmem->region_count ? gmem->regions[0].fd : -1;

	for (unsigned int i = 0; i < gmem->region_count; i++) {
		struct gmem_region *region = &gmem->regions[i];

		if (region->host)
			(void)munmap(region->host, region->size_bytes);
		region->host = NULL;
		region->fd = -1;
	}
	fd_close(&fd);
}

/* The region that holds gpa, and how many bytes from there to its end; NULL outside RAM. */
static const struct gmem_region *locate(
	const struct gmem *gmem, struct gpa gpa, uint64_t *ret_available)
{
	for (unsigned int i = 0; i < gmem->region_count; i++) {
		const struct gmem_region *region = &gmem->regions[i];

		if (gpa.address < region->base.address)
			return NULL;
		if (gpa.address - region->base.address < region->size_bytes) {
			*ret_available = region->size_bytes - (gpa.address - region->base.address);
			return region;
		}
	}
	return NULL;
}

bool gmem_contains(const struct gmem *gmem, struct gpa gpa, uint64_t length)
{
	uint64_t available;

	return locate(gmem, gpa, &available) && length <= available;
}

uint64_t gmem_size_bytes(const struct gmem *gmem)
{
	uint64_t total = 0;

	for (unsigned int i = 0; i < gmem->region_count; i++)
		total += gmem->regions[i].size_bytes;
	return total;
}

static char *host_at(const struct gmem_region *region, struct gpa gpa)
{
	return (char *)region->host + (gpa.address - region->base.address);
}

/* Is every byte RAM, across adjacent regions? */
static bool range_is_ram(const struct gmem *gmem, struct gpa gpa, uint64_t length)
{
	while (length) {
		uint64_t available;

		if (!locate(gmem, gpa, &available))
			return false;
		if (length <= available)
			return true;
		length -= available;
		gpa = gpa_add(gpa, available);
	}
	return true;
}

/* Walks the pieces of a range that was checked to be RAM. */
typedef int (*piece_fn)(char *host, uint64_t length, uint64_t done, void *context);

static int for_each_piece(
	const struct gmem *gmem, struct gpa gpa, uint64_t length, piece_fn visit, void *context)
{
	uint64_t done = 0;

	if (!range_is_ram(gmem, gpa, length))
		return -EFAULT;
	while (done < length) {
		uint64_t available;
		const struct gmem_region *region = locate(gmem, gpa_add(gpa, done), &available);
		uint64_t piece;
		int r;

		if (!region)
			return -EFAULT;
		piece = length - done < available ? length - done : available;
		r = visit(host_at(region, gpa_add(gpa, done)), piece, done, context);
		if (r < 0)
			return r;
		done += piece;
	}
	return 0;
}

static int copy_out(char *host, uint64_t length, uint64_t done, void *context)
{
	memcpy((char *)context + done, host, length);
	return 0;
}

static int copy_in(char *host, uint64_t length, uint64_t done, void *context)
{
	const char *const *source = context;

	memcpy(host, *source + done, length);
	return 0;
}

static int fill(char *host, uint64_t length, uint64_t done, void *context)
{
	(void)done;
	memset(host, *(const uint8_t *)context, length);
	return 0;
}

struct file_source {
	int fd;
	uint64_t offset;
};

static int copy_file(char *host, uint64_t length, uint64_t done, void *context)
{
	const struct file_source *source = context;
	ssize_t count = fd_pread(source->fd, host, length, source->offset + done);

	if (count < 0)
		return (int)count;
	return (uint64_t)count == length ? 0 : -ENODATA;
}

int gmem_read(const struct gmem *gmem, struct gpa gpa, void *buffer, size_t length)
{
	return for_each_piece(gmem, gpa, length, copy_out, buffer);
}

int gmem_write(const struct gmem *gmem, struct gpa gpa, const void *buffer, size_t length)
{
	const char *source = buffer;

	return for_each_piece(gmem, gpa, length, copy_in, &source);
}

int gmem_fill(const struct gmem *gmem, struct gpa gpa, uint8_t value, uint64_t length)
{
	return for_each_piece(gmem, gpa, length, fill, &value);
}

int gmem_pread_file(
	const struct gmem *gmem, struct gpa gpa, uint64_t length, int fd, uint64_t offset)
{
	struct file_source source = {fd, offset};

	if (offset > INT64_MAX || length > INT64_MAX - offset)
		return -EOVERFLOW;
	return for_each_piece(gmem, gpa, length, copy_file, &source);
}

/* A pointer to an aligned word of guest memory, or NULL with *ret_error set. */
static void *word_at(const struct gmem *gmem, struct gpa gpa, uint64_t size, int *ret_error)
{
	uint64_t available;
	const struct gmem_region *region;

	if (gpa.address % size) {
		*ret_error = -EINVAL;
		return NULL;
	}
	region = locate(gmem, gpa, &available);
	if (!region || available < size) {
		*ret_error = -EFAULT;
		return NULL;
	}
	return host_at(region, gpa);
}

/* SAFETY: word_at has checked residence and alignment; the guest may change the word at any time,
 * so it is moved by one atomic access. Both supported architectures are little-endian. */
#define DEFINE_WORD(bits)                                                                       \
	int gmem_load##bits(const struct gmem *gmem, struct gpa gpa, uint##bits##_t *ret_value) \
	{                                                                                       \
		int error = 0;                                                                  \
		uint##bits##_t *word = word_at(gmem, gpa, sizeof(*word), &error);               \
                                                                                                \
		if (!word)                                                                      \
			return error;                                                           \
		*ret_value = __atomic_load_n(word, __ATOMIC_RELAXED);                           \
		return 0;                                                                       \
	}                                                                                       \
	int gmem_store##bits(const struct gmem *gmem, struct gpa gpa, uint##bits##_t value)     \
	{                                                                                       \
		int error = 0;                                                                  \
		uint##bits##_t *word = word_at(gmem, gpa, sizeof(*word), &error);               \
                                                                                                \
		if (!word)                                                                      \
			return error;                                                           \
		__atomic_store_n(word, value, __ATOMIC_RELAXED);                                \
		return 0;                                                                       \
	}

DEFINE_WORD(16)
DEFINE_WORD(32)
DEFINE_WORD(64)

int gmem_load16_acquire(const struct gmem *gmem, struct gpa gpa, uint16_t *ret_value)
{
	int error = 0;
	uint16_t *word = word_at(gmem, gpa, sizeof(*word), &error);

	if (!word)
		return error;
	*ret_value = __atomic_load_n(word, __ATOMIC_ACQUIRE);
	return 0;
}

int gmem_store16_release(const struct gmem *gmem, struct gpa gpa, uint16_t value)
{
	int error = 0;
	uint16_t *word = word_at(gmem, gpa, sizeof(*word), &error);

	if (!word)
		return error;
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
	return 0;
}

int gmem_span(const struct gmem *gmem, struct gpa gpa, uint32_t length, enum gmem_access access,
	struct gmem_span *ret_span)
{
	uint64_t available;
	const struct gmem_region *region = locate(gmem, gpa, &available);

	(void)access; /* all RAM is readable and writable */
	if (!region || length > available)
		return -EFAULT;
	/* SAFETY: length bytes from here on are in the region. */
	*ret_span = (struct gmem_span){host_at(region, gpa), length};
	return 0;
}
