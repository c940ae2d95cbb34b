/*
 * What a directory's file system is like, one line a check:
 *
 *     posix_tool DIRECTORY ELSEWHERE [CHECK...]
 *
 * The lines of two directories are compared by whoever runs it twice. ELSEWHERE is a directory on
 * another file system. 0: all checks ran to their end; 1: one did not.
 *
 * Needs no library beyond the C library, for it also runs in minimal systems.
 */
#include "posix.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK_SECONDS 600 /* an emulated host of a busy machine is slow */

const char *posix_elsewhere;

static const struct posix_group *const groups[] = {
	&posix_open_group,
	&posix_data_group,
	&posix_name_group,
	&posix_directory_group,
	&posix_attribute_group,
	&posix_lock_group,
};

long see(const char *what, long result)
{
	if (result == -1)
		printf(" %s=%s", what, strerrorname_np(errno));
	else
		printf(" %s=%ld", what, result);
	return result;
}

void see_number(const char *what, long long number)
{
	printf(" %s=%lld", what, number);
}

void see_words(const char *what, const char *words)
{
	printf(" %s='%s'", what, words);
}

void see_file(const char *name)
{
	struct stat status;

	if (lstat(name, &status) != 0)
		printf(" %s=%s", name, strerrorname_np(errno));
	else if (S_ISDIR(status.st_mode)) /* sizes and links of directories are the host's own */
		printf(" %s=%o", name, status.st_mode);
	else
		printf(" %s=%o,%u,%lld", name, status.st_mode, (unsigned int)status.st_nlink,
			(long long)status.st_size);
}

void see_content(const char *name)
{
	char words[256];
	int fd = open(name, O_RDONLY);
	ssize_t length = fd < 0 ? -1 : read(fd, words, sizeof(words) - 1);

	if (length < 0) {
		printf(" %s=%s", name, strerrorname_np(errno));
	} else {
		words[length] = '\0';
		printf(" %s='%s'", name, words);
	}
	if (fd >= 0)
		(void)close(fd); /* it was only read */
}

void put_file(const char *name, const char *words)
{
	const size_t length = strlen(words);
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0666);

	if (fd < 0 || write(fd, words, length) != (ssize_t)length || close(fd) != 0)
		see(name, -1);
}

int open_once(const char *name, int flags)
{
	int fd = open(name, flags, 0666);

	return fd < 0 ? -1 : close(fd);
}

int in_child(void (*function)(void))
{
	int status = -1;
	pid_t child;

	(void)fflush(stdout); /* what cannot be printed is missed by the comparison */
	child = fork();
	if (child == 0) {
		function();
		(void)fflush(stdout);
		_exit(0);
	}
	return waitpid(child, &status, 0) == child ? status : -1;
}

const char *long_name(size_t length)
{
	static char name[8192];

	memset(name, 'n', length);
	name[length] = '\0';
	return name;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status;
	(void)type;
	(void)walk;
	return remove(path);
}

/* Its name, what was seen and the end of the line. */
static bool run_check(const struct posix_check *check)
{
	int status;

	printf("%s:", check->name);
	if (mkdir(check->name, 0777) != 0 || chdir(check->name) != 0)
		see("its directory", -1);
	(void)fflush(stdout);
	status = in_child(check->run);
	if (status != 0)
		printf(" ended=0x%x", (unsigned int)status);
	if (chdir("..") != 0 || nftw(check->name, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0)
		see("removed", -1);
	printf("\n");
	return status == 0;
}

static bool is_wanted(const char *name, int count, char **wanted)
{
	for (int i = 0; i < count; i++)
		if (strcmp(name, wanted[i]) == 0)
			return true;
	return count == 0;
}

int main(int argc, char **argv)
{
	bool complete = true;

	if (argc < 3 || chdir(argv[1]) != 0) {
		fprintf(stderr, "usage: posix_tool DIRECTORY ELSEWHERE [CHECK...]\n");
		return 2;
	}
	posix_elsewhere = argv[2];
	(void)umask(022);
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		for (size_t j = 0; j < groups[i]->count; j++)
			if (is_wanted(groups[i]->checks[j].name, argc - 3, argv + 3)) {
				(void)alarm(CHECK_SECONDS); /* cannot fail */
				complete &= run_check(&groups[i]->checks[j]);
			}
	return complete ? 0 : 1;
}
