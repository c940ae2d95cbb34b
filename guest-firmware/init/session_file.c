/* Files of the guest's, written and read, see session.h. */
#include "session.h"

#include "format.h"
#include "linux.h"

#include <linux/stat.h>

#define PERMISSIONS 0777

/* Until the end of the input. */
static int receive_file(struct frames *frames, int file)
{
	int r;

	while ((r = frames_wait(frames)) > 0) {
		if (frames_type(frames) == SERVE_INPUT_END)
			return 0;
		r = frames_type(frames) == SERVE_INPUT
		            ? write_all(file, frames_payload(frames), frames->payload_length)
		            : -EPROTO;
		if (r < 0)
			return r;
		frames_next(frames);
	}
	return r;
}

/* Whole or not at all: under a name of its own, until it is complete. */
void session_write(struct frames *frames, uint32_t mode, const char *path)
{
	char text[PATH_BYTES];
	struct format name = {text, sizeof(text), 0};
	const char *what = "it cannot be made";
	int file, r;

	format_add(&name, "%s.hull-%d", path, (int)sys_getpid());
	file = (int)sys_open(text, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
	r = file;
	if (file >= 0) {
		what = "it cannot be written";
		r = receive_file(frames, file);
		if (r == 0)
			r = (int)sys_fchmod(file, mode & PERMISSIONS);
		(void)sys_close(file);
		if (r == 0)
			r = (int)sys_rename(text, path);
		if (r < 0)
			(void)sys_unlink(text);
	}
	if (r < 0)
		frame_send_failure(frames->fd, r, what);
	else
		(void)frame_send(frames->fd, SERVE_DONE, NULL, 0);
}

static int send_file(int connection, int file)
{
	static char bytes[SERVE_PAYLOAD_BYTES_MAX];
	long count;

	while ((count = sys_read(file, bytes, sizeof(bytes))) > 0) {
		int r = frame_send(connection, SERVE_OUTPUT, bytes, (size_t)count);

		if (r < 0)
			sys_exit(0); /* nobody is there */
	}
	return (int)count;
}

void session_read(const struct frames *frames, const char *path)
{
	/* A pipe that nobody writes to would wait. */
	int file = (int)sys_open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	const char *what = "it cannot be opened";
	struct stat status;
	int r = file;

	if (file >= 0) {
		what = "it cannot be read";
		r = (int)sys_fstat(file, &status);
	}
	if (r >= 0 && !S_ISREG(status.st_mode)) {
		what = "it is no regular file";
		r = S_ISDIR(status.st_mode) ? -EISDIR : -EINVAL;
	}
	if (r >= 0) {
		(void)frame_send_number(frames->fd, SERVE_MODE, status.st_mode & PERMISSIONS);
		r = send_file(frames->fd, file);
	}
	if (r < 0)
		frame_send_failure(frames->fd, r, what);
	else
		(void)frame_send(frames->fd, SERVE_DONE, NULL, 0);
}
