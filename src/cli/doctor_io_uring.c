/*
 * Does io_uring work? A ring is set up and one operation sent through it, because a filter may let
 * the first call pass and stop the second. io_uring_setup(2), io_uring_enter(2).
 */
#include "doctor.h"

#include "fd.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

struct ring {
	int fd;
	struct io_uring_params params;
	void *rings; /* both rings: IORING_FEAT_SINGLE_MMAP */
	size_t rings_length;
	struct io_uring_sqe *entries;
	size_t entries_length;
};

static void ring_close(struct ring *ring)
{
	if (ring->entries)
		(void)munmap(ring->entries, ring->entries_length);
	if (ring->rings)
		(void)munmap(ring->rings, ring->rings_length);
	fd_close(&ring->fd);
}

/* NULL, and errno, on failure. */
static void *map(int fd, size_t length, off_t offset)
{
	void *address = mmap(
		NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, offset);

	return address == MAP_FAILED ? NULL : address;
}

static int ring_open(struct ring *ring)
{
	const struct io_uring_params *params = &ring->params;
	size_t sq_length, cq_length;

	ring->fd = (int)syscall(SYS_io_uring_setup, 2, &ring->params);
	if (ring->fd < 0)
		return -errno;
	if (!(params->features & IORING_FEAT_SINGLE_MMAP))
		return -EOPNOTSUPP; /* before Linux 5.4 */
	sq_length = params->sq_off.array + params->sq_entries * sizeof(uint32_t);
	cq_length = params->cq_off.cqes + params->cq_entries * sizeof(struct io_uring_cqe);
	ring->rings_length = sq_length > cq_length ? sq_length : cq_length;
	ring->rings = map(ring->fd, ring->rings_length, IORING_OFF_SQ_RING);
	if (!ring->rings)
		return -errno;
	ring->entries_length = params->sq_entries * sizeof(struct io_uring_sqe);
	ring->entries = map(ring->fd, ring->entries_length, IORING_OFF_SQES);
	return ring->entries ? 0 : -errno;
}

static uint32_t *word_at(const struct ring *ring, uint32_t offset)
{
	return (void *)((char *)ring->rings + offset);
}

/* Sends a NOP, waits for it, looks at its completion. */
static int ring_try(const struct ring *ring)
{
	const uint64_t mark = 0x68756c6c;
	const struct io_sqring_offsets *sq = &ring->params.sq_off;
	const struct io_cqring_offsets *cq = &ring->params.cq_off;
	const struct io_uring_cqe *completions = (void *)((char *)ring->rings + cq->cqes);

	ring->entries[0] = (struct io_uring_sqe){.opcode = IORING_OP_NOP, .user_data = mark};
	*word_at(ring, sq->array) = 0;
	/* ORDER: the entry before the tail; the kernel loads the tail with acquire. */
	__atomic_store_n(word_at(ring, sq->tail), 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
		return -errno;
	/* ORDER: the tail before the completion; the kernel stores the tail with release. */
	if (__atomic_load_n(word_at(ring, cq->tail), __ATOMIC_ACQUIRE) != 1)
		return -EIO;
	return completions[0].user_data == mark ? completions[0].res : -EIO;
}

void doctor_check_io_uring(struct report *report)
{
	cleanup_with(ring_close) struct ring ring = {.fd = -1};
	const char *advice = NULL;
	int r = ring_open(&ring);

	if (r == 0)
		r = ring_try(&ring);
	if (r == 0) {
		report_add(report, "io_uring", FINDING_OK, NULL,
			"a ring was set up and an operation went through");
		return;
	}
	if (r == -EPERM || r == -EACCES)
		advice = "sysctl kernel.io_uring_disabled must be 0 (or 1, with you in its group); "
			 "in a container the seccomp profile must allow io_uring";
	else if (r == -ENOSYS)
		advice = "the kernel was built without it, or a container's seccomp profile hides "
			 "it";
	else if (r == -ENOMEM)
		advice = "raise the limit of locked memory (ulimit -l)";
	report_add(report, "io_uring", FINDING_LIMITED, advice, "does not work: %s",
		strerrordesc_np(-r));
}
