/* See share.h: the fence around all that the thread of the shares may reach. */
#include "share_internal.h"

#include "fence.h"

#include <linux/landlock.h>

#define READING (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
/* The last one, that of devices, is one of newer headers. */
#define NEVER                                                        \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR | \
		LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM << 3)

static uint64_t accesses(const struct fence *fence, const struct share *share)
{
	return share->read_only ? READING : fence->accesses & ~(uint64_t)NEVER;
}

int share_fence(struct share *const *shares, unsigned int count)
{
	struct fence fence;
	int r = fence_init(&fence, FENCE_RENAMES);

	for (unsigned int i = 0; r == 0 && i < count; i++)
		r = fence_allow(&fence, shares[i]->nodes[0].fd, accesses(&fence, shares[i]));
	if (r == 0)
		r = fence_close(&fence);
	fence_fini(&fence);
	return r;
}
