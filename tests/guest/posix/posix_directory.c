/* Reading directories. */
#include "posix.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MANY 5000

static void make_files(unsigned int count)
{
	char name[32];
	int fd;

	for (unsigned int i = 0; i < count; i++) {
		(void)snprintf(name, sizeof(name), "file-%u", i);
		fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0666);
		if (fd < 0 || close(fd) != 0)
			see(name, -1);
	}
}

/* How often each file was named; -1: something else. */
static int count_file(unsigned char *seen, unsigned int count, const char *name)
{
	unsigned long number = strncmp(name, "file-", 5) == 0 ? strtoul(name + 5, NULL, 10) : count;

	if (number >= count)
		return -1;
	return ++seen[number];
}

/* Whatever order the host has: how many names there are once, and how often anything is twice. */
static void see_names(DIR *stream, unsigned int count)
{
	unsigned char *seen = calloc(count, 1);
	unsigned int once = 0, twice = 0, dots = 0, others = 0;
	const struct dirent *entry;

	errno = 0;
	while ((entry = readdir(stream))) {
		int times = count_file(seen, count, entry->d_name);

		once += times == 1;
		twice += times > 1;
		dots += times < 0 && entry->d_name[0] == '.';
		others += times < 0 && entry->d_name[0] != '.';
	}
	see_number("errno", errno);
	see_number("names", once);
	see_number("twice", twice);
	see_number("dots", dots);
	see_number("others", others);
	free(seen);
}

static void many(void)
{
	DIR *stream;

	make_files(MANY);
	stream = opendir(".");
	see_names(stream, MANY);
	rewinddir(stream);
	see_names(stream, MANY);
}

static void types(void)
{
	unsigned int sum = 0;
	const struct dirent *entry;
	struct stat status;
	DIR *stream;

	put_file("file", "");
	see("made", mkdir("directory", 0777) | symlink("x", "link") | mkfifo("pipe", 0666));
	stream = opendir(".");
	while ((entry = readdir(stream))) {
		if (lstat(entry->d_name, &status) != 0)
			see(entry->d_name, -1);
		if (strcmp(entry->d_name, "..") == 0)
			continue; /* in the share's root, that of the guest's */
		if (status.st_ino != entry->d_ino ||
			(mode_t)DTTOIF(entry->d_type) != (status.st_mode & S_IFMT))
			see_words("differs", entry->d_name);
		sum += entry->d_type;
	}
	see_number("sum", sum);
}

/* As rm -r does it. */
static void unlinking(void)
{
	const struct dirent *entry;
	unsigned int removed = 0;
	DIR *stream;

	make_files(1000);
	stream = opendir(".");
	while ((entry = readdir(stream)))
		if (entry->d_name[0] != '.')
			removed += unlink(entry->d_name) == 0;
	see_number("removed", removed);
	rewinddir(stream);
	see_names(stream, 1000);
}

static void adding(void)
{
	const struct dirent *entry;
	unsigned int names = 0;
	DIR *stream;

	make_files(200);
	stream = opendir(".");
	for (unsigned int i = 0; i < 50 && readdir(stream); i++)
		names++;
	put_file("added", "");
	while ((entry = readdir(stream)))
		names += strcmp(entry->d_name, "added") != 0;
	see_number("names", names); /* whether the new one is among them is open */
}

static void seeking(void)
{
	char names[400][32];
	long places[400];
	const struct dirent *entry;
	unsigned int count = 0, same = 0;
	DIR *stream;

	make_files(300);
	stream = opendir(".");
	for (;;) {
		places[count] = telldir(stream);
		entry = readdir(stream);
		if (!entry)
			break;
		(void)snprintf(names[count++], sizeof(names[0]), "%.31s", entry->d_name);
	}
	for (unsigned int i = count; i-- > 0;) {
		seekdir(stream, places[i]);
		entry = readdir(stream);
		same += entry && strcmp(entry->d_name, names[i]) == 0;
	}
	see_number("count", count);
	see_number("same", same);
	seekdir(stream, places[count]);
	see_number("end", readdir(stream) == NULL);
}

static void small_buffer(void)
{
	char buffer[64];
	int fd;

	put_file(long_name(200), "");
	fd = open(".", O_RDONLY | O_DIRECTORY);
	see("too-small", getdents64(fd, buffer, 10));
	see("file", getdents64(open(long_name(200), O_RDONLY), buffer, sizeof(buffer)));
}

static void read_by_two(void)
{
	DIR *first, *second;

	make_files(100);
	first = opendir(".");
	second = opendir(".");
	(void)readdir(first);
	see_names(second, 100);
	see("close", closedir(second));
	rewinddir(first);
	see_names(first, 100);
}

static void removed_while_open(void)
{
	DIR *stream;

	see("mkdir", mkdir("d", 0777));
	put_file("d/x", "");
	stream = opendir("d");
	see("remove", unlink("d/x") | rmdir("d"));
	rewinddir(stream);
	see_number("names", readdir(stream) != NULL);
	see("make-again", mkdir("d", 0777));
}

static void handles_of_names(void)
{
	int directory = open(".", O_RDONLY | O_DIRECTORY);

	see("mkdirat", mkdirat(directory, "d", 0777));
	see("openat", openat(directory, "d/a", O_RDWR | O_CREAT, 0666) < 0 ? -1 : 0);
	see("renameat", renameat(directory, "d", directory, "e"));
	see("fchdir", fchdir(openat(directory, "e", O_RDONLY | O_DIRECTORY)));
	see_file("a");
	see("unlinkat", unlinkat(directory, "e/a", 0));
	see("rmdirat", unlinkat(directory, "e", AT_REMOVEDIR));
	see("unlinkat-missing", unlinkat(directory, "e", AT_REMOVEDIR));
}

static const struct posix_check checks[] = {
	{"directory-many", many},
	{"directory-types", types},
	{"directory-unlinking", unlinking},
	{"directory-adding", adding},
	{"directory-seeking", seeking},
	{"directory-small-buffer", small_buffer},
	{"directory-read-by-two", read_by_two},
	{"directory-removed-while-open", removed_while_open},
	{"directory-handles", handles_of_names},
};

POSIX_GROUP(posix_directory_group, checks);
