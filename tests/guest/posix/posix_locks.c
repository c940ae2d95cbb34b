/* Locks between processes, named pipes, sockets, device nodes. */
#include "posix.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static long lock_range(int fd, int command, short type, off_t start, off_t length)
{
	struct flock lock = {
		.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};

	return fcntl(fd, command, &lock);
}

static void see_flocks(void)
{
	int fd = open("a", O_RDWR);

	see("exclusive", flock(fd, LOCK_EX | LOCK_NB));
	see("shared", flock(fd, LOCK_SH | LOCK_NB));
}

static void whole_files(void)
{
	int fd = open("a", O_RDWR | O_CREAT, 0666);

	see("free", in_child(see_flocks));
	see("shared", flock(fd, LOCK_SH));
	see("other", in_child(see_flocks));
	see("exclusive", flock(fd, LOCK_EX));
	see("other", in_child(see_flocks));
	see("same-process", flock(open("a", O_RDWR), LOCK_EX | LOCK_NB));
	see("unlock", flock(fd, LOCK_UN));
	see("other", in_child(see_flocks));
	see("nonsense", flock(fd, 99));
}

static void see_ranges(void)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 100};
	int fd = open("a", O_RDWR);

	see("start", lock_range(fd, F_SETLK, F_WRLCK, 0, 10));
	see("middle", lock_range(fd, F_SETLK, F_WRLCK, 15, 1));
	see("read-middle", lock_range(fd, F_SETLK, F_RDLCK, 15, 1));
	see("end", lock_range(fd, F_SETLK, F_WRLCK, 20, 0));
	see("get", fcntl(fd, F_GETLK, &lock));
	see_number("type", lock.l_type);
	see_number("from", lock.l_start);
	see_number("length", lock.l_len);
	see_number("is-parent", lock.l_pid == getppid());
}

static void ranges(void)
{
	int fd = open("a", O_RDWR | O_CREAT, 0666);

	see("lock", lock_range(fd, F_SETLK, F_WRLCK, 10, 10));
	see("other", in_child(see_ranges));
	see("read", lock_range(fd, F_SETLK, F_RDLCK, 10, 10));
	see("other", in_child(see_ranges));
	see("split", lock_range(fd, F_SETLK, F_UNLCK, 12, 4));
	see("other", in_child(see_ranges));
	see("write-by-reader", lock_range(open("a", O_RDONLY), F_SETLK, F_WRLCK, 0, 1));
	see("close-another", open_once("a", O_RDONLY)); /* which lets go of all of them */
	see("other", in_child(see_ranges));
}

static void descriptions(void)
{
	int first = open("a", O_RDWR | O_CREAT, 0666), second = open("a", O_RDWR);

	see("first", lock_range(first, F_OFD_SETLK, F_WRLCK, 0, 10));
	see("second", lock_range(second, F_OFD_SETLK, F_WRLCK, 5, 10));
	see("apart", lock_range(second, F_OFD_SETLK, F_WRLCK, 10, 10));
	see("other", in_child(see_ranges));
	see("close-third", open_once("a", O_RDWR));
	see("still", lock_range(second, F_OFD_SETLK, F_WRLCK, 5, 10));
	see("close", close(first));
	see("free", lock_range(second, F_OFD_SETLK, F_WRLCK, 0, 10));
}

/* Takes the lock, says so, and holds it for a moment. */
static pid_t start_holder(int *ret_fd)
{
	int fds[2];
	pid_t child;

	(void)fflush(stdout);
	if (pipe(fds) != 0)
		return -1;
	child = fork();
	if (child != 0) {
		(void)close(fds[1]);
		*ret_fd = fds[0];
		return child;
	}
	(void)lock_range(open("a", O_RDWR), F_SETLKW, F_WRLCK, 0, 0);
	(void)!write(fds[1], "x", 1);
	(void)usleep(200000);
	put_file("done", "");
	_exit(0);
}

static void waiting(void)
{
	int fd = open("a", O_RDWR | O_CREAT, 0666), told = -1;
	pid_t child = start_holder(&told);
	char byte;

	see("told", read(told, &byte, 1));
	see("busy", lock_range(fd, F_SETLK, F_WRLCK, 0, 0));
	see("wait", lock_range(fd, F_SETLKW, F_WRLCK, 0, 0));
	see_file("done");
	see("child", waitpid(child, NULL, 0) == child);
}

/* As many lines as two processes write under a lock, none lost. */
static void count_up(void)
{
	char digits[16];
	int fd = open("a", O_RDWR);

	for (unsigned int i = 0; i < 100; i++) {
		unsigned int value = 0;
		ssize_t length;

		(void)lock_range(fd, F_SETLKW, F_WRLCK, 0, 0);
		length = pread(fd, digits, sizeof(digits) - 1, 0);
		digits[length > 0 ? length : 0] = '\0';
		(void)sscanf(digits, "%u", &value);
		(void)!pwrite(
			fd, digits, (size_t)snprintf(digits, sizeof(digits), "%u", value + 1), 0);
		(void)lock_range(fd, F_SETLK, F_UNLCK, 0, 0);
	}
}

static void counting(void)
{
	pid_t child;

	put_file("a", "0");
	(void)fflush(stdout);
	child = fork();
	count_up();
	if (child == 0)
		_exit(0);
	see("child", waitpid(child, NULL, 0) == child);
	see_content("a");
}

static void leases(void)
{
	int fd;

	put_file("a", "");
	fd = open("a", O_RDONLY);
	see("get", fcntl(fd, F_GETLEASE));
}

static void say_hello(void)
{
	int fd = open("f", O_WRONLY);

	see("write", write(fd, "hello", 5));
}

static void pipes(void)
{
	char words[16] = "";
	int fd;

	see("mkfifo", mkfifo("f", 0644));
	see("again", mkfifo("f", 0644));
	see_file("f");
	see("no-reader", open("f", O_WRONLY | O_NONBLOCK));
	fd = open("f", O_RDONLY | O_NONBLOCK);
	see("child", in_child(say_hello));
	see("read", read(fd, words, sizeof(words)));
	see_words("words", words);
	see("seek", lseek(fd, 0, SEEK_SET));
	see("rename", rename("f", "g"));
	see_file("g");
	see("link", link("g", "h"));
	see_file("h");
}

static void call(void)
{
	const struct sockaddr_un address = {AF_UNIX, "s"};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	see("connect", connect(fd, (const struct sockaddr *)&address, sizeof(address)));
	see("write", write(fd, "hello", 5));
}

static void sockets(void)
{
	const struct sockaddr_un address = {AF_UNIX, "s"};
	char words[16] = "";
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	see("bind", bind(fd, (const struct sockaddr *)&address, sizeof(address)));
	see("listen", listen(fd, 1));
	see_file("s");
	see("child", in_child(call));
	see("read", read(accept(fd, NULL, NULL), words, sizeof(words)));
	see_words("words", words);
	see("open", open_once("s", O_RDONLY));
	see("bind-again", bind(socket(AF_UNIX, SOCK_STREAM, 0), (const struct sockaddr *)&address,
				  sizeof(address)));
	see("close", close(fd));
	see("child", in_child(call));
	see("unlink", unlink("s"));
}

static void nodes(void)
{
	see("regular", mknod("a", S_IFREG | 0640, 0));
	see_file("a");
	see("pipe", mknod("p", S_IFIFO | 0640, 0));
	see("socket", mknod("s", S_IFSOCK | 0640, 0));
	see_file("s");
	see("directory", mknod("d", S_IFDIR | 0750, 0));
	see("no-type", mknod("n", 0640, 0));
	see_file("n");
}

static void devices(void)
{
	see("character", mknod("c", S_IFCHR | 0666, makedev(1, 3)));
	see("block", mknod("b", S_IFBLK | 0666, makedev(7, 0)));
}

static const struct posix_check checks[] = {
	{"lock-whole-files", whole_files},
	{"lock-ranges", ranges},
	{"lock-descriptions", descriptions},
	{"lock-waiting", waiting},
	{"lock-counting", counting},
	{"lock-leases", leases},
	{"special-pipes", pipes},
	{"special-sockets", sockets},
	{"special-nodes", nodes},
	{"special-devices", devices},
};

POSIX_GROUP(posix_lock_group, checks);
