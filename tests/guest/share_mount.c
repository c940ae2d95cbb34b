/*
 * Serves a directory to this machine's own kernel by the device's decoder of requests, so that what
 * a guest would see of a share can be tried here and fast: fuse(4) hands over the same requests.
 *
 *     share_mount DIRECTORY MOUNT_POINT
 *
 * Says "ready" and serves until it is unmounted. Needs root and /dev/fuse; 77 without.
 */
#include "fs_request.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#define STATUS_SKIPPED 77
#define BUFFER_BYTES   (FS_TRANSFER_BYTES_MAX + FS_ARGUMENT_BYTES_MAX)

struct server {
	int fuse;
	struct fs_session session;
	_Alignas(8) uint8_t request[BUFFER_BYTES];
	_Alignas(8) uint8_t reply[BUFFER_BYTES];
};

/* fuse(4): a request and its reply are one read and one write. 0: unmounted. */
static int serve_one(struct server *server)
{
	const ssize_t length = read(server->fuse, server->request, sizeof(server->request));
	const struct gmem_span in = {server->request, length > 0 ? (uint32_t)length : 0};
	const struct gmem_span out = {server->reply, sizeof(server->reply)};
	struct chain chain = {
		.reader = {.spans = &in, .span_count = 1, .left_bytes = in.length},
		.writer = {.spans = &out, .span_count = 1, .left_bytes = out.length},
		.readable_bytes = in.length,
		.writable_bytes = out.length,
	};

	if (length < 0)
		return errno == EINTR || errno == EAGAIN || errno == ENOENT ? 1 : 0;
	fs_serve(&server->session, &chain);
	/* An error is a request that was interrupted, or the end. */
	if (chain.written_bytes)
		(void)!write(server->fuse, server->reply, chain.written_bytes);
	return 1;
}

/* Behind its fence, as in hull. */
static void *serve(void *context)
{
	struct server *server = context;

	if (share_fence(&server->session.share, 1) < 0)
		fprintf(stderr, "share_mount: the kernel has no fence\n");
	printf("ready\n");
	(void)fflush(stdout); /* who cannot read it waits in vain */
	while (serve_one(server))
		;
	return NULL;
}

static int mount_there(struct server *server, const char *path)
{
	char options[128];

	server->fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (server->fuse < 0)
		return -errno;
	(void)snprintf(options, sizeof(options),
		"fd=%d,rootmode=40000,user_id=0,group_id=0,default_permissions,allow_other",
		server->fuse);
	return mount("share", path, "fuse.hull", 0, options) == 0 ? 0 : -errno;
}

int main(int argc, char **argv)
{
	struct server *server = calloc(1, sizeof(*server));
	pthread_t thread;
	int r;

	if (argc != 3 || !server) {
		fprintf(stderr, "usage: share_mount DIRECTORY MOUNT_POINT\n");
		return 2;
	}
	if (share_open(argv[1], false, &server->session.share, NULL) < 0) {
		fprintf(stderr, "share_mount: cannot share '%s'\n", argv[1]);
		return 1;
	}
	r = mount_there(server, argv[2]);
	if (r < 0) {
		printf("SKIP: mounting by /dev/fuse: %s\n", strerror(-r));
		return STATUS_SKIPPED;
	}
	r = pthread_create(&thread, NULL, serve, server);
	if (r == 0)
		r = pthread_join(thread, NULL);
	if (r != 0)
		fprintf(stderr, "share_mount: a thread: %s\n", strerror(r));
	share_close(server->session.share);
	free(server);
	return r == 0 ? 0 : 1;
}
