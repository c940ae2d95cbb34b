/* See shared_directory.h. */
#include "shared_directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INSIDE "inside"
#define SECRET "outside-the-share, whatever the guest does\n"
#define OLD    1000000000 /* seconds: when nobody has read it since */

static const char *const beside[] = {"secret", "canary"};

static int write_file(int directory, const char *name, const char *words)
{
	int fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ssize_t length = -1;

	if (fd < 0)
		return -1;
	length = write(fd, words, strlen(words));
	(void)close(fd); /* nothing hangs on its safety */
	return length == (ssize_t)strlen(words) ? 0 : -1;
}

/* A file of the past, whose next reading changes its time where that is kept at all. */
static int write_old_file(int directory, const char *name, const char *words)
{
	const struct timespec times[2] = {{.tv_sec = OLD}, {.tv_sec = OLD + 1}};

	return write_file(directory, name, words) || utimensat(directory, name, times, 0);
}

static int fill(int directory)
{
	return write_old_file(directory, beside[0], SECRET) ||
	       write_old_file(directory, beside[1], SECRET) || mkdirat(directory, "shared", 0700) ||
	       write_file(directory, "shared/file", INSIDE) ||
	       mkdirat(directory, "shared/directory", 0700) ||
	       write_file(directory, "shared/directory/one", INSIDE) ||
	       mkdirat(directory, "shared/gone", 0700) ||
	       symlinkat("../secret", directory, "shared/link") ||
	       symlinkat("..", directory, "shared/up") || mkfifoat(directory, "shared/pipe", 0600);
}

void shared_make(struct shared_directory *shared)
{
	int directory;

	(void)snprintf(shared->path, sizeof(shared->path), "/tmp/hull-share-XXXXXX"); /* fits */
	if (!mkdtemp(shared->path)) {
		fprintf(stderr, "# cannot make a directory: %s\n", strerror(errno));
		shared->path[0] = '\0';
	}
	(void)snprintf(shared->option, sizeof(shared->option), "%s/shared:/tag", shared->path);
	directory = open(shared->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0 || fill(directory) != 0)
		fprintf(stderr, "# cannot fill '%s': %s\n", shared->path, strerror(errno));
	if (directory >= 0)
		(void)close(directory); /* it was only read */
}

static int find_device(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)path;
	(void)type;
	(void)walk;
	return S_ISBLK(status->st_mode) || S_ISCHR(status->st_mode);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status;
	(void)type;
	(void)walk;
	(void)remove(path); /* what is left shows in /tmp */
	return 0;
}

static bool is_untouched(int directory, const char *name)
{
	char words[sizeof(SECRET) + 1];
	struct stat status;
	ssize_t length;
	int fd;

	if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
		!S_ISREG(status.st_mode) || (status.st_mode & 07777) != 0600 ||
		status.st_nlink != 1 || status.st_atim.tv_sec != OLD ||
		status.st_mtim.tv_sec != OLD + 1)
		return false;
	fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
	length = fd < 0 ? -1 : read(fd, words, sizeof(words));
	if (fd >= 0)
		(void)close(fd); /* it was only read */
	return length == (ssize_t)strlen(SECRET) && memcmp(words, SECRET, (size_t)length) == 0;
}

static unsigned int count_entries(int directory)
{
	int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	unsigned int count = 0;

	while (stream && readdir(stream))
		count++;
	if (stream)
		(void)closedir(stream); /* it was only read */
	return count;
}

const char *shared_check(const struct shared_directory *shared)
{
	int directory = open(shared->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const char *problem = NULL;

	if (directory < 0)
		return "the directory around the share is gone";
	for (unsigned int i = 0; i < sizeof(beside) / sizeof(beside[0]); i++)
		if (!is_untouched(directory, beside[i]))
			problem = "a file beside the share was read or changed";
	if (count_entries(directory) != 5) /* with "." and ".." */
		problem = "the directory around the share has other names than before";
	if (nftw(shared->path, find_device, 8, FTW_PHYS) != 0)
		problem = "there is a device node in the share";
	(void)close(directory); /* it was only read */
	return problem;
}

void shared_remove(const struct shared_directory *shared)
{
	if (shared->path[0])
		(void)nftw(shared->path, remove_one, 8, FTW_DEPTH | FTW_PHYS); /* as remove_one */
}
