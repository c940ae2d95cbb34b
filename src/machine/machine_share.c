/* See machine_share.h. */
#include "machine_share.h"

#include "io_thread.h"
#include "log.h"
#include "machine_internal.h"
#include "share.h"
#include "virtio_fs.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(CONFIG_SHARE_TAG_BYTES - 1 == VIRTIO_FS_TAG_MAX, "tags fit");

struct machine_share {
	struct share *share;          /* owned */
	struct virtio_device *device; /* owned */
};

int machine_share_create(const struct machine *machine, unsigned int number, const char *name,
	struct io_thread *io_thread, const struct virtio_fault_sink *fault_sink,
	struct machine_share **ret_share, struct err *err)
{
	const struct config_share *config = &machine->config->shares[number];
	char tag[CONFIG_SHARE_TAG_BYTES];
	struct virtio_fs_options options = {
		.name = name,
		.gmem = &machine->gmem,
		.io_thread = io_thread,
		.tag = tag,
	};
	struct machine_share *share = calloc(1, sizeof(*share));
	int r;

	if (!share)
		return err_set_errno(err, ENOMEM, "%s", name);
	config_share_tag(machine->config, number, tag);
	r = share_open(config->host_path, config->read_only, &share->share, err);
	if (r < 0)
		r = err_prefix(err, r, "--share %s", config->host_path);
	options.share = share->share;
	if (r == 0)
		r = virtio_fs_create(&options, &share->device, err);
	if (r < 0) {
		machine_share_destroy(share);
		return r;
	}
	share->device->fault_sink = *fault_sink;
	*ret_share = share;
	return 0;
}

struct virtio_device *machine_share_device(struct machine_share *share)
{
	return share->device;
}

struct fence_call {
	struct share *shares[CONFIG_SHARES_MAX + 1]; /* and the root */
	unsigned int count;
	int result;
};

static void fence_thread(void *context)
{
	struct fence_call *call = context;

	call->result = share_fence(call->shares, call->count);
}

void machine_share_fence(
	struct machine_share *const *shares, unsigned int count, struct io_thread *io_thread)
{
	struct fence_call call = {.count = count};

	assert(count <= array_size(call.shares));
	for (unsigned int i = 0; i < count; i++)
		call.shares[i] = shares[i]->share;
	io_thread_call(io_thread, fence_thread, &call);
	if (call.result < 0)
		log_line(LOG_LEVEL_DEBUG, "shares are not fenced off: %s",
			strerrordesc_np(-call.result));
}

void machine_share_destroy(struct machine_share *share)
{
	if (!share)
		return;
	if (share->device)
		share->device->ops->destroy(share->device);
	share_close(share->share);
	free(share);
}
