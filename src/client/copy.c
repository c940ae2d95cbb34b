/* Files into a guest that serves and out of it, see hull.h. */
#include "channel.h"
#include "new_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PERMISSIONS    0777
#define COPY_BYTES_MAX (UINT64_C(4) << 30)
#define REQUEST_BYTES  (4 + SERVE_PATH_BYTES_MAX + 1)

/* At descriptors of the host's files. */
static int fail_host(struct hull_error *error, int code, const char *path)
{
	return client_fail(error, code, "%.200s: %s", path, strerrordesc_np(code));
}

static int check_guest_path(const char *path, struct hull_error *error)
{
	if (*path != '/' || strlen(path) > SERVE_PATH_BYTES_MAX)
		return client_fail(error, EINVAL,
			"'%.200s' is not a name from / on of at most %d bytes", path,
			SERVE_PATH_BYTES_MAX);
	return 0;
}

static int open_host(const char *path, mode_t *ret_mode, struct hull_error *error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat status;
	int r = 0;

	if (fd < 0)
		return fail_host(error, errno, path);
	if (fstat(fd, &status) < 0)
		r = fail_host(error, errno, path);
	else if (!S_ISREG(status.st_mode))
		r = client_fail(error, S_ISDIR(status.st_mode) ? EISDIR : EINVAL,
			"%.200s is no regular file", path);
	if (r < 0) {
		(void)close(fd);
		return r;
	}
	*ret_mode = status.st_mode & PERMISSIONS;
	return fd;
}

static int send_contents(struct channel *channel, int fd, const char *path)
{
	char *bytes = malloc(SERVE_PAYLOAD_BYTES_MAX);
	ssize_t count = 0;
	int r = bytes ? 0 : client_fail(channel->error, ENOMEM, "no memory for a file");

	while (r == 0 && (count = read(fd, bytes, SERVE_PAYLOAD_BYTES_MAX)) != 0) {
		if (count > 0)
			r = channel_send(channel, SERVE_INPUT, bytes, (size_t)count);
		else if (errno != EINTR)
			r = fail_host(channel->error, errno, path);
	}
	free(bytes);
	return r;
}

static int write_guest(
	struct channel *channel, int fd, mode_t mode, const char *host_path, const char *guest_path)
{
	uint8_t request[REQUEST_BYTES];
	size_t length = strlen(guest_path);
	int r;

	serve_put_number(request, mode);
	memcpy(request + 4, guest_path, length + 1);
	r = channel_send(channel, SERVE_WRITE, request, 4 + length);
	if (r == 0)
		r = send_contents(channel, fd, host_path);
	if (r == 0)
		r = channel_send(channel, SERVE_INPUT_END, NULL, 0);
	if (r == 0)
		r = channel_receive(channel);
	if (r == 0 && channel_type(channel) != SERVE_DONE)
		r = channel_refuse(channel);
	return r;
}

exported int hull_vm_copy_in(struct hull_vm *vm, const char *host_path, const char *guest_path,
	int timeout_ms, struct hull_error *error)
{
	struct channel *channel;
	mode_t mode = 0;
	int r = check_guest_path(guest_path, error);
	int fd = r < 0 ? r : open_host(host_path, &mode, error);

	if (fd < 0)
		return fd;
	r = channel_open(vm, guest_path, timeout_ms, &channel, error);
	if (r == 0) {
		r = write_guest(channel, fd, mode, host_path, guest_path);
		channel_close(channel);
	}
	(void)close(fd);
	return r;
}

static int write_all(int fd, const uint8_t *bytes, size_t length)
{
	while (length) {
		ssize_t count = write(fd, bytes, length);

		if (count < 0 && errno != EINTR)
			return -errno;
		if (count > 0) {
			bytes += count;
			length -= (size_t)count;
		}
	}
	return 0;
}

/* Into a file of the host's, whose permissions are set at the end. */
static int receive_contents(
	struct channel *channel, int fd, uint64_t bytes_max, const char *host_path)
{
	uint64_t bytes = 0;
	uint32_t mode;
	int r = channel_receive(channel);

	if (r < 0)
		return r;
	if (channel_type(channel) != SERVE_MODE || !channel_number(channel, &mode))
		return channel_refuse(channel);
	while ((r = channel_receive(channel)) == 0 && channel_type(channel) == SERVE_OUTPUT) {
		bytes += channel->payload_length;
		if (bytes > bytes_max)
			return client_fail(channel->error, EFBIG,
				"%.200s is larger than %llu bytes", channel->what,
				(unsigned long long)bytes_max);
		r = write_all(fd, channel_payload(channel), channel->payload_length);
		if (r < 0)
			return fail_host(channel->error, -r, host_path);
	}
	if (r < 0)
		return r;
	if (channel_type(channel) != SERVE_DONE)
		return channel_refuse(channel);
	return fchmod(fd, mode & PERMISSIONS) < 0 ? fail_host(channel->error, errno, host_path) : 0;
}

static int read_guest(
	struct channel *channel, const char *guest_path, uint64_t bytes_max, const char *host_path)
{
	struct new_file file;
	int r = new_file_open(&file, host_path);

	if (r < 0)
		return fail_host(channel->error, -r, host_path);
	r = channel_send(channel, SERVE_READ, guest_path, strlen(guest_path));
	if (r == 0)
		r = receive_contents(channel, file.fd, bytes_max, host_path);
	if (r == 0) {
		r = new_file_finish(&file);
		if (r < 0)
			r = fail_host(channel->error, -r, host_path);
	}
	new_file_close(&file);
	return r;
}

exported int hull_vm_copy_out(struct hull_vm *vm, const char *guest_path, const char *host_path,
	uint64_t bytes_max, int timeout_ms, struct hull_error *error)
{
	struct channel *channel = NULL;
	int r = check_guest_path(guest_path, error);

	if (r == 0)
		r = channel_open(vm, guest_path, timeout_ms, &channel, error);
	if (r != 0)
		return r;
	r = read_guest(channel, guest_path, bytes_max ? bytes_max : COPY_BYTES_MAX, host_path);
	channel_close(channel);
	return r;
}
