/*
 * A file of the host's that takes its name only once it is whole, and whatever had that name before
 * is then replaced at once. Where the file system can (O_TMPFILE), it has no name until then, so
 * that nothing is left of it however the process ends.
 */
#pragma once

struct new_file {
	int fd;
	const char *path;   /* borrowed */
	char *name;         /* owned; where it is until it has its own; empty: nowhere */
	unsigned int bytes; /* of name */
};

/* 0 or -errno. path: borrowed until the end. */
int new_file_open(struct new_file *file, const char *path);
/* It is whole: 0 or -errno. */
int new_file_finish(struct new_file *file);
/* The end; what is not whole is gone. */
void new_file_close(struct new_file *file);
