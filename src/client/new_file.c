/* See new_file.h. */
#include "new_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENDING    ".hull-XXXXXX"
#define TRIES_MAX 100

static int open_nameless(const struct new_file *file)
{
	const char *slash = strrchr(file->path, '/');

	if (!slash)
		return open(".", O_TMPFILE | O_WRONLY | O_CLOEXEC, S_IRUSR | S_IWUSR);
	(void)snprintf(file->name, file->bytes, "%.*s", (int)(slash - file->path + 1), file->path);
	return open(file->name, O_TMPFILE | O_WRONLY | O_CLOEXEC, S_IRUSR | S_IWUSR);
}

int new_file_open(struct new_file *file, const char *path)
{
	*file = (struct new_file){
		.path = path, .bytes = (unsigned int)(strlen(path) + sizeof(ENDING))};
	file->name = malloc(file->bytes);
	if (!file->name)
		return -ENOMEM;
	file->fd = open_nameless(file);
	*file->name = '\0';
	if (file->fd >= 0)
		return 0;
	(void)snprintf(file->name, file->bytes, "%s" ENDING, path);
	file->fd = mkostemp(file->name, O_CLOEXEC);
	if (file->fd >= 0)
		return 0;
	free(file->name);
	return -errno;
}

/* A name for a moment: a link replaces nothing. */
static int give_name(struct new_file *file)
{
	char here[32];

	(void)snprintf(here, sizeof(here), "/proc/self/fd/%d", file->fd);
	for (unsigned int i = 0; i < TRIES_MAX; i++) {
		(void)snprintf(file->name, file->bytes, "%s.hull-%06x", file->path,
			((unsigned int)getpid() * TRIES_MAX + i) & 0xffffff);
		if (linkat(AT_FDCWD, here, AT_FDCWD, file->name, AT_SYMLINK_FOLLOW) == 0)
			return 0;
		if (errno != EEXIST)
			break;
	}
	*file->name = '\0';
	return -errno;
}

int new_file_finish(struct new_file *file)
{
	int r = *file->name ? 0 : give_name(file);

	if (r < 0)
		return r;
	if (rename(file->name, file->path) < 0)
		return -errno;
	*file->name = '\0';
	return 0;
}

void new_file_close(struct new_file *file)
{
	if (*file->name)
		(void)unlink(file->name);
	(void)close(file->fd);
	free(file->name);
}
