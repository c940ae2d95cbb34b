/* The command's process, see init.h. */
#include "init.h"

#include "format.h"
#include "linux.h"
#include "words.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define SHELL        "/bin/sh"
#define READ_END     0
#define WRITE_END    1
#define SET_EVERY    UINT64_C(0)

static const char *search_path(const struct run *run)
{
	for (unsigned int i = 0; i < run->environment_count; i++) {
		const char *path = text_after(run->environment[i], "PATH=");

		if (path)
			return path;
	}
	return DEFAULT_PATH;
}

/* As execvp(3): a file that is no program is the shell's. */
static long execute_file(const struct run *run, const char *path)
{
	static char *words[WORDS_MAX + 3];
	long r = sys_execve(path, run->words, run->environment);

	if (r != -ENOEXEC)
		return r;
	words[0] = (char *)(uintptr_t)SHELL;
	words[1] = (char *)(uintptr_t)path;
	for (unsigned int i = 1; i <= run->word_count; i++)
		words[i + 1] = run->words[i];
	return sys_execve(SHELL, words, run->environment);
}

static long execute(const struct run *run)
{
	const char *name = run->words[0];
	const char *path = search_path(run);
	bool denied = false;

	if (text_has(name, '/') || !*name)
		return execute_file(run, name);
	for (;;) {
		static char text[PATH_BYTES];
		struct format file = {text, sizeof(text), 0};
		size_t length = 0;
		long r;

		while (path[length] && path[length] != ':')
			length++;
		for (size_t i = 0; i < length; i++)
			format_add(&file, "%c", path[i]);
		format_add(&file, "%s%s", length ? "/" : "", name);
		r = execute_file(run, text);
		denied = denied || r == -EACCES;
		if (r != -ENOENT && r != -ENOTDIR && r != -EACCES)
			return r;
		if (!path[length])
			return denied ? -EACCES : -ENOENT;
		path += length + 1;
	}
}

/* Where an interactive program of Linux's expects to find itself. */
static long prepare(const struct run *run, const int standard[3])
{
	long r = 0;

	(void)sys_setsid();
	if (run->tty)
		r = sys_ioctl(standard[0], TIOCSCTTY, NULL);
	for (int i = 0; r >= 0 && i < 3; i++)
		r = sys_dup2(standard[i], i);
	if (r >= 0 && run->directory)
		r = sys_chdir(run->directory);
	if (r >= 0 && (run->user || run->group)) {
		r = sys_setgroups(0, NULL);
		if (r >= 0)
			r = sys_setgid(run->group);
		if (r >= 0)
			r = sys_setuid(run->user);
	}
	(void)sys_umask(022);
	(void)sys_sigmask(SIG_SETMASK, SET_EVERY);
	return r;
}

struct ends {
	int ours[3], theirs[3];
};

static int open_terminal(const struct run *run, struct ends *ends)
{
	const struct winsize size = {.ws_row = run->rows, .ws_col = run->columns};
	int master = (int)sys_open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK, 0);
	int unlocked = 0, slave;

	if (master < 0)
		return master;
	(void)sys_ioctl(master, TIOCSPTLCK, &unlocked);
	(void)sys_ioctl(master, TIOCSWINSZ, &size);
	slave = (int)sys_ioctl(master, TIOCGPTPEER, (void *)(O_RDWR | O_NOCTTY | O_CLOEXEC));
	if (slave < 0)
		return slave;
	for (int i = 0; i < 3; i++) {
		ends->ours[i] = master;
		ends->theirs[i] = slave;
	}
	ends->ours[2] = -1;
	return 0;
}

static int open_pipes(struct ends *ends)
{
	for (int i = 0; i < 3; i++) {
		int fds[2];
		long r = sys_pipe2(fds, O_CLOEXEC);

		if (r < 0)
			return (int)r;
		ends->ours[i] = fds[i == 0 ? WRITE_END : READ_END];
		ends->theirs[i] = fds[i == 0 ? READ_END : WRITE_END];
		(void)sys_fcntl(ends->ours[i], F_SETFL, O_NONBLOCK);
	}
	return 0;
}

int child_start(const struct run *run, struct child *ret_child)
{
	int report[2] = {-1, -1}, error = 0;
	struct ends ends = {0};
	int r = run->tty ? open_terminal(run, &ends) : open_pipes(&ends);
	int process;

	if (r == 0)
		r = (int)sys_pipe2(report, O_CLOEXEC);
	if (r < 0)
		return r;
	process = (int)sys_fork();
	if (process == 0) {
		long result = prepare(run, ends.theirs);

		if (result >= 0)
			result = execute(run);
		error = (int)-result;
		(void)sys_write(report[WRITE_END], &error, sizeof(error));
		sys_exit(127);
	}
	if (process < 0)
		return process;
	(void)sys_close(report[WRITE_END]);
	for (int i = 0; i < (run->tty ? 1 : 3); i++)
		(void)sys_close(ends.theirs[i]);
	/* Ends without a byte when the program has begun. */
	(void)sys_read(report[READ_END], &error, sizeof(error));
	(void)sys_close(report[READ_END]);
	*ret_child = (struct child){process, ends.ours[0], ends.ours[1], ends.ours[2]};
	return error;
}
