/* See machine_vsock.h. */
#include "machine_vsock.h"

#include "clock.h"
#include "fd.h"
#include "host_socket.h"
#include "log.h"
#include "machine_internal.h"
#include "virtio_vsock.h"

#include <errno.h>
#include <stdlib.h>

/* A UNIX socket has room again when some 40 KiB of it have been read. */
#define PATIENCE_NS (3 * NANOSECONDS_PER_SECOND)
#define LONGEST_NS  (10 * NANOSECONDS_PER_SECOND)

struct machine_vsock {
	const char *path; /* the config's; NULL: there is no listener */
	struct host_socket listener;
	struct virtio_device *device; /* owned */
	/* Of the delivery at the end. */
	uint64_t left_bytes, begin_ns, moved_ns;
};

int machine_vsock_create(const struct machine *machine, const char *name,
	struct io_thread *io_thread, const struct virtio_fault_sink *fault_sink,
	struct machine_vsock **ret_vsock, struct err *err)
{
	const struct config *config = machine->config;
	struct virtio_vsock_options options = {
		.name = name,
		.gmem = &machine->gmem,
		.io_thread = io_thread,
		.guest_cid = config->vsock_cid,
		.path = config->vsock_path,
	};
	struct machine_vsock *vsock = calloc(1, sizeof(*vsock));
	int r;

	if (!vsock)
		return err_set_errno(err, ENOMEM, "%s", name);
	vsock->path = config->vsock_path;
	vsock->listener.fd = -1;
	r = vsock->path ? host_socket_listen(vsock->path, SOMAXCONN, &vsock->listener, err) : 0;
	if (r < 0) {
		free(vsock);
		return err_prefix(err, r, "--vsock %s", config->vsock_path);
	}
	options.listener = vsock->listener.fd;
	r = virtio_vsock_create(&options, &vsock->device, err);
	if (r < 0) {
		machine_vsock_destroy(vsock);
		return r;
	}
	vsock->device->fault_sink = *fault_sink;
	*ret_vsock = vsock;
	return 0;
}

struct virtio_device *machine_vsock_device(struct machine_vsock *vsock)
{
	return vsock->device;
}

int machine_vsock_connect(struct machine_vsock *vsock, uint32_t guest_port, int fd)
{
	return virtio_vsock_connect(vsock->device, guest_port, fd);
}

bool machine_vsock_guest_sends(const struct machine_vsock *vsock)
{
	return virtio_vsock_deliver(vsock->device).is_open;
}

bool machine_vsock_has_delivered(struct machine_vsock *vsock)
{
	uint64_t left_bytes = virtio_vsock_deliver(vsock->device).bytes;
	uint64_t now_ns = clock_monotonic_ns();

	if (!left_bytes)
		return true;
	if (!vsock->begin_ns)
		vsock->begin_ns = now_ns;
	if (left_bytes != vsock->left_bytes)
		vsock->moved_ns = now_ns;
	vsock->left_bytes = left_bytes;
	if (now_ns - vsock->moved_ns < PATIENCE_NS && now_ns - vsock->begin_ns < LONGEST_NS)
		return false;
	log_line(LOG_LEVEL_WARNING,
		"vsock: the host's end of a connection does not read: what the guest sent last is "
		"lost");
	return true;
}

void machine_vsock_destroy(struct machine_vsock *vsock)
{
	if (!vsock)
		return;
	if (vsock->device)
		vsock->device->ops->destroy(vsock->device);
	if (vsock->path)
		host_socket_close(vsock->path, &vsock->listener);
	free(vsock);
}
