/* Opening, creating, truncating, and files without a name. */
#include "posix.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void flags(void)
{
	see("missing", open_once("a", O_RDONLY));
	see("created", open_once("a", O_WRONLY | O_CREAT));
	see("there", open_once("a", O_WRONLY | O_CREAT));
	see("exclusive", open_once("a", O_WRONLY | O_CREAT | O_EXCL));
	see("exclusive-new", open_once("b", O_RDWR | O_CREAT | O_EXCL));
	see("as-directory", open_once("a", O_RDONLY | O_DIRECTORY));
	see("synchronous", open_once("a", O_RDWR | O_SYNC));
	see("path", open_once("a", O_PATH));
	see("below-a-file", open_once("a/b", O_RDONLY));
	see("slash", open_once("a/", O_RDONLY));
}

static void directories(void)
{
	see("mkdir", mkdir("d", 0777));
	see("read", open_once("d", O_RDONLY));
	see("write", open_once("d", O_WRONLY));
	see("create", open_once("d", O_RDONLY | O_CREAT));
	see("truncate", open_once("d", O_RDONLY | O_TRUNC));
	see("only-directory", open_once("d", O_RDONLY | O_DIRECTORY));
	see("read-bytes", read(open("d", O_RDONLY), &(char){0}, 1));
}

static void links(void)
{
	put_file("a", "text");
	see("symlink", symlink("a", "l"));
	see("dangling", symlink("none", "m"));
	see("follow", open_once("l", O_RDONLY));
	see("no-follow", open_once("l", O_RDONLY | O_NOFOLLOW));
	see("no-follow-directory", open_once("l", O_RDONLY | O_NOFOLLOW | O_DIRECTORY));
	see("directory", open_once("l", O_RDONLY | O_DIRECTORY));
	see("path", open_once("l", O_PATH | O_NOFOLLOW));
	see("exclusive", open_once("m", O_WRONLY | O_CREAT | O_EXCL));
	see("through", open_once("m", O_WRONLY | O_CREAT));
	see_file("none");
}

static void truncating(void)
{
	put_file("a", "0123456789");
	see("down", truncate("a", 4));
	see_content("a");
	see("up", truncate("a", 6000));
	see_file("a");
	see("negative", truncate("a", -1));
	see("open", open_once("a", O_WRONLY | O_TRUNC));
	see_file("a");
	see("missing", truncate("none", 1));
	see("directory", truncate(".", 1));
	see("read-only", ftruncate(open("a", O_RDONLY), 1));
	see("far", truncate("a", 1ll << 40));
	see_file("a");
}

/* Bytes that were cut off are zeros when the file grows again. */
static void cut_bytes(void)
{
	char bytes[8] = "";
	int fd = open("a", O_RDWR | O_CREAT, 0666);

	see("write", write(fd, "abcdefgh", 8));
	see("down", ftruncate(fd, 3));
	see("up", ftruncate(fd, 8));
	see("read", pread(fd, bytes, 8, 0));
	for (unsigned int i = 0; i < sizeof(bytes); i++)
		see_number("byte", bytes[i]);
}

static void append_lines(void)
{
	int fd = open("a", O_WRONLY | O_APPEND | O_CREAT, 0666);

	for (unsigned int i = 0; i < 200; i++)
		if (write(fd, "0123456789abcde\n", 16) != 16)
			see("write", -1);
	(void)close(fd);
}

static void append_both(void)
{
	pid_t child;

	(void)fflush(stdout);
	child = fork();
	append_lines();
	if (child == 0)
		_exit(0);
	see("other", in_child(append_lines));
}

/* Three processes, two of them at the same time. */
static void append(void)
{
	char line[16];
	unsigned int whole = 0;
	int fd;

	append_both();
	(void)usleep(300000); /* for the first child, which nobody has waited for */
	see_file("a");
	fd = open("a", O_RDWR | O_APPEND);
	while (read(fd, line, sizeof(line)) == sizeof(line))
		whole += memcmp(line, "0123456789abcde\n", sizeof(line)) == 0;
	see_number("whole", whole);
	see("pwrite", pwrite(fd, "end\n", 4, 0)); /* appends on Linux, too */
	see("seek", lseek(fd, 0, SEEK_CUR));
	see_file("a");
	see("clear", fcntl(fd, F_SETFL, 0));
	see("pwrite-0", pwrite(fd, "XY", 2, 0));
	see_file("a");
	see("set", fcntl(fd, F_SETFL, O_APPEND));
	see("write", write(fd, "z", 1));
	see_file("a");
}

static void unlinked(void)
{
	struct stat status;
	char bytes[16] = "";
	int fd = open("a", O_RDWR | O_CREAT, 0666);

	see("write", write(fd, "kept", 4));
	see("unlink", unlink("a"));
	see("fstat", fstat(fd, &status));
	see_number("links", (long long)status.st_nlink);
	see("write", write(fd, " on", 3));
	see("read", pread(fd, bytes, sizeof(bytes), 0));
	see_words("bytes", bytes);
	see("ftruncate", ftruncate(fd, 2));
	see("fstat", fstat(fd, &status));
	see_number("size", status.st_size);
	see("fchmod", fchmod(fd, 0600));
	see("fsync", fsync(fd));
	see("futimens", futimens(fd, NULL));
	see("again", open_once("a", O_RDONLY));
	see("new", open_once("a", O_RDWR | O_CREAT | O_EXCL));
	see_file("a");
}

static void unlinked_by_rename(void)
{
	char bytes[16] = "";
	int fd;

	put_file("a", "old");
	put_file("b", "new");
	fd = open("a", O_RDWR);
	see("rename", rename("b", "a"));
	see("read", pread(fd, bytes, sizeof(bytes), 0));
	see_words("bytes", bytes);
	see("write", pwrite(fd, "x", 1, 0));
	see_content("a");
}

static void without_name(void)
{
	struct stat status;
	char path[64];
	int fd = open(".", O_TMPFILE | O_RDWR, 0640);

	if (see("open", fd < 0 ? -1 : 0) < 0)
		return;
	see("write", write(fd, "text", 4));
	see("fstat", fstat(fd, &status));
	see_number("links", (long long)status.st_nlink);
	see_number("mode", status.st_mode);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	see("link", linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
	see_content("named");
}

static void creation_modes(void)
{
	(void)umask(027);
	put_file("a", "");
	see_file("a");
	see("mkdir", mkdir("d", 0777));
	see_file("d");
	see("mkfifo", mkfifo("f", 0777));
	see_file("f");
	(void)umask(0);
	see("open", close(open("b", O_CREAT | O_WRONLY, 07777)));
	see_file("b");
	see("read-only-and-written", write(open("c", O_CREAT | O_WRONLY, 0444), "x", 1));
	see_file("c");
	see("no-mode", write(open("e", O_CREAT | O_WRONLY, 0), "x", 1));
	see_file("e");
}

static void two_descriptors(void)
{
	int first = open("a", O_RDWR | O_CREAT, 0666), second = dup(first);
	int third = open("a", O_RDWR);

	see("write", write(first, "abcdef", 6));
	see("shared", lseek(second, 0, SEEK_CUR));
	see("own", lseek(third, 0, SEEK_CUR));
	see("read-only", write(open("a", O_RDONLY), "x", 1));
	see("write-only", read(open("a", O_WRONLY), &(char){0}, 1));
	see("end", lseek(third, -2, SEEK_END));
	see("before", lseek(third, -7, SEEK_END));
	see("beyond", lseek(third, 100, SEEK_SET));
	see("write", write(third, "x", 1));
	see_file("a");
}

static const struct posix_check checks[] = {
	{"open-flags", flags},
	{"open-directories", directories},
	{"open-links", links},
	{"open-truncating", truncating},
	{"open-cut-bytes", cut_bytes},
	{"open-append", append},
	{"open-unlinked", unlinked},
	{"open-unlinked-by-rename", unlinked_by_rename},
	{"open-without-name", without_name},
	{"open-creation-modes", creation_modes},
	{"open-two-descriptors", two_descriptors},
};

POSIX_GROUP(posix_open_group, checks);
