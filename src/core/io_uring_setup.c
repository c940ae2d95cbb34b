/*
 * Making a ring: newer kernels' features are tried for, not deduced from version numbers, and given
 * up one after the other. io_uring_setup(2), io_uring_register(2).
 *
 * Where the kernel can, the ring is restricted to the operations of io_uring.c before it is
 * enabled: whoever takes over the process gets no more from it.
 */
#include "io_uring.h"

#include "compiler.h"
#include "io_thread.h"

#include <errno.h>
#include <string.h>

#define SUBMISSIONS 256 /* one call submits at most so many */

/* The kernel's IORING_MAX_CQ_ENTRIES. */
#define COMPLETIONS_MAX 65536u

#define FLAGS_ALWAYS (IORING_SETUP_CQSIZE | IORING_SETUP_SUBMIT_ALL)

/* Best first. Deferred task work (6.1): completions are made when we ask for them, not whenever we
 * enter the kernel. Cooperative (5.19): at least without interrupts. */
static const unsigned int setup_flags[] = {
	FLAGS_ALWAYS | IORING_SETUP_R_DISABLED | IORING_SETUP_SINGLE_ISSUER |
		IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
	FLAGS_ALWAYS | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
		IORING_SETUP_TASKRUN_FLAG,
	FLAGS_ALWAYS | IORING_SETUP_R_DISABLED | IORING_SETUP_COOP_TASKRUN |
		IORING_SETUP_TASKRUN_FLAG,
	IORING_SETUP_CQSIZE | IORING_SETUP_R_DISABLED,
	IORING_SETUP_CQSIZE,
};

/* What is relied on; all of it is there since 5.11. */
#define FEATURES_REQUIRED (IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG | IORING_FEAT_SUBMIT_STABLE)

unsigned int uring_completions_for(unsigned int operations)
{
	const unsigned int others = IO_WATCHES_MAX + 64;
	unsigned int completions = 2048;

	if (operations > COMPLETIONS_MAX - others)
		return 0;
	while (completions < operations + others)
		completions *= 2;
	return completions;
}

int uring_refusal(struct err *err, int code, const char *what)
{
	const char *reason = "";

	if (code == -EPERM || code == -EACCES)
		reason = " (a container's seccomp profile, or the sysctl kernel.io_uring_disabled)";
	else if (code == -ENOSYS || code == -EINVAL)
		reason = " (the kernel is too old or was built without io_uring, or a container's "
			 "seccomp profile hides it)";
	else if (code == -ENOMEM)
		reason = " (the limit of locked memory, ulimit -l, may be too low)";
	return err_set(err, code, "%s: %s%s", what, strerrordesc_np(-code), reason);
}

static int restrict_ring(struct io_uring *ring)
{
	static const struct {
		uint16_t what;
		uint8_t which;
	} allowed[] = {
		{IORING_RESTRICTION_SQE_OP, IORING_OP_READV},
		{IORING_RESTRICTION_SQE_OP, IORING_OP_WRITEV},
		{IORING_RESTRICTION_SQE_OP, IORING_OP_FSYNC},
		{IORING_RESTRICTION_SQE_OP, IORING_OP_FALLOCATE},
		{IORING_RESTRICTION_SQE_OP, IORING_OP_POLL_ADD},
		{IORING_RESTRICTION_SQE_OP, IORING_OP_ASYNC_CANCEL},
		{IORING_RESTRICTION_SQE_FLAGS_ALLOWED, IOSQE_ASYNC},
		{IORING_RESTRICTION_REGISTER_OP, IORING_REGISTER_RING_FDS},
		{IORING_RESTRICTION_REGISTER_OP, IORING_UNREGISTER_RING_FDS},
	};
	struct io_uring_restriction restrictions[array_size(allowed)] = {0};
	int r;

	for (size_t i = 0; i < array_size(allowed); i++) {
		restrictions[i].opcode = allowed[i].what;
		restrictions[i].sqe_op = allowed[i].which; /* a union of bytes */
	}
	r = io_uring_register_restrictions(ring, restrictions, array_size(restrictions));
	return r < 0 ? r : io_uring_enable_rings(ring);
}

int uring_setup(struct io_uring *ring, unsigned int completions, struct err *err)
{
	int r = -EINVAL;

	for (size_t i = 0; i < array_size(setup_flags); i++) {
		struct io_uring_params params = {
			.flags = setup_flags[i], .cq_entries = completions};

		r = io_uring_queue_init_params(SUBMISSIONS, ring, &params);
		if (r == -EINVAL)
			continue;
		if (r < 0)
			break;
		if ((params.features & FEATURES_REQUIRED) != FEATURES_REQUIRED)
			r = -ENOSYS;
		else if (params.flags & IORING_SETUP_R_DISABLED)
			r = restrict_ring(ring);
		if (r == 0) {
			/* Saves the kernel a look into the table of descriptors at every call. */
			(void)io_uring_register_ring_fd(ring);
			return 0;
		}
		io_uring_queue_exit(ring);
	}
	return uring_refusal(err, r, "io_uring_setup");
}
