/* Names: renaming, linking, removing, links to names, and how long they may be. */
#include "posix.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* renameat2(2) by its number: musl has no name for it. */
static long rename_with(const char *from, const char *to, unsigned int flags)
{
	return syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags);
}

static void rename_files(void)
{
	put_file("a", "a");
	put_file("b", "b");
	see("over", rename("a", "b"));
	see_file("a");
	see_content("b");
	see("missing", rename("a", "c"));
	see("itself", rename("b", "b"));
	see("link", link("b", "h"));
	see("same-file", rename("b", "h"));
	see_file("b");
	see_file("h");
	see("empty", rename("b", ""));
	see("slash", rename("b", "c/"));
}

static void rename_directories(void)
{
	put_file("file", "");
	see("mkdir", mkdir("d", 0777));
	see("mkdir", mkdir("e", 0777));
	see("mkdir", mkdir("full", 0777));
	put_file("full/x", "");
	see("over-file", rename("d", "file"));
	see("file-over", rename("file", "d"));
	see("over-full", rename("d", "full"));
	see("over-empty", rename("full", "e"));
	see_file("e/x");
	see_file("full");
	see("into-itself", rename("e", "e/y"));
	see("over-parent", rename("e/x", "e"));
	see("dot", rename("e/.", "f"));
	see("dot-dot", rename("e/..", "f"));
	see("to-other", rename("d", "e/d"));
	see_file("e/d");
	see("up", rename("e/d", "d2"));
	see_file("d2");
}

static void rename_flags(void)
{
	put_file("a", "a");
	put_file("b", "b");
	see("mkdir", mkdir("d", 0777));
	see("no-replace-there", rename_with("a", "b", RENAME_NOREPLACE));
	see("no-replace", rename_with("a", "c", RENAME_NOREPLACE));
	see("exchange", rename_with("c", "b", RENAME_EXCHANGE));
	see_content("b");
	see_content("c");
	see("exchange-missing", rename_with("c", "none", RENAME_EXCHANGE));
	see("exchange-directory", rename_with("c", "d", RENAME_EXCHANGE));
	see_file("c");
	see_file("d");
	see("both", rename_with("b", "d", RENAME_EXCHANGE | RENAME_NOREPLACE));
	see("unknown", rename_with("b", "d", 1u << 20));
}

static void across(void)
{
	char path[512];

	put_file("a", "a");
	(void)snprintf(path, sizeof(path), "%s/posix-across", posix_elsewhere);
	see("rename", rename("a", path));
	see("link", link("a", path));
	see_file("a");
}

static void hard_links(void)
{
	put_file("a", "one");
	see("link", link("a", "b"));
	see("there", link("a", "b"));
	see("missing", link("none", "c"));
	see("mkdir", mkdir("d", 0777));
	see("directory", link("d", "e"));
	put_file("b", "other");
	see_content("a");
	see_file("a");
	see("chmod", chmod("b", 0600));
	see_file("a");
	see("unlink", unlink("a"));
	see_file("b");
	see("symlink", symlink("b", "s"));
	see("of-link", linkat(AT_FDCWD, "s", AT_FDCWD, "t", 0));
	see_file("t");
	see("through-link", linkat(AT_FDCWD, "s", AT_FDCWD, "u", AT_SYMLINK_FOLLOW));
	see_file("u");
}

static void removing(void)
{
	put_file("a", "");
	see("mkdir", mkdir("d", 0777));
	put_file("d/x", "");
	see("unlink-directory", unlink("d"));
	see("rmdir-file", rmdir("a"));
	see("rmdir-full", rmdir("d"));
	see("rmdir-dot", rmdir("d/."));
	see("rmdir-dot-dot", rmdir("d/.."));
	see("missing", unlink("none"));
	see("below-file", unlink("a/b"));
	see("unlink", unlink("d/x"));
	see("rmdir", rmdir("d"));
	see("rmdir-again", rmdir("d"));
	see("mkdir-there", mkdir("a", 0777));
	see("mkdir-below-nothing", mkdir("none/d", 0777));
	see("mkdir-below-file", mkdir("a/d", 0777));
	see("mkdir-dot", mkdir(".", 0777));
	see("mkdir-slash", mkdir("e/", 0777));
}

static void removed_directory(void)
{
	see("mkdir", mkdir("d", 0777));
	see("chdir", chdir("d"));
	see("rmdir", rmdir("../d"));
	see("create", open_once("a", O_RDWR | O_CREAT));
	see("mkdir", mkdir("e", 0777));
	see("up", chdir(".."));
	see_file("d");
}

static void symbolic_links(void)
{
	char text[64] = "";

	see("symlink", symlink("target", "l"));
	see("there", symlink("other", "l"));
	see("readlink", readlink("l", text, sizeof(text)));
	see_words("text", text);
	see("short", readlink("l", text, 3));
	see("not-a-link", readlink(".", text, sizeof(text)));
	see("empty", symlink("", "m"));
	see_file("l");
	see("loop", symlink("loop", "loop"));
	see("open-loop", open_once("loop", O_RDONLY));
	see("two", symlink("y", "x") | symlink("x", "y"));
	see("open-two", open_once("x", O_RDONLY));
	see("mkdir-over", mkdir("l", 0777));
	see("chown", lchown("l", 0, 0));
	see("chmod", fchmodat(AT_FDCWD, "l", 0600, AT_SYMLINK_NOFOLLOW));
	see("stat", access("l", F_OK));
}

static void link_chains(void)
{
	char from[16], to[16];

	put_file("0", "end");
	for (unsigned int i = 1; i <= 42; i++) {
		(void)snprintf(from, sizeof(from), "%u", i);
		(void)snprintf(to, sizeof(to), "%u", i - 1);
		if (symlink(to, from) != 0)
			see("symlink", -1);
	}
	see_content("39");
	see_content("40");
	see_content("41");
}

static void link_lengths(void)
{
	static char back[8192];

	see("symlink-1000", symlink(long_name(1000), "a"));
	see("readlink", readlink("a", back, sizeof(back)));
	see_number("differs", memcmp(back, long_name(1000), 1000));
	see("symlink-4095", symlink(long_name(4095), "b"));
	see("readlink", readlink("b", back, sizeof(back)));
	see("symlink-4096", symlink(long_name(4096), "c"));
	see("open", open_once("a", O_RDONLY));
}

static void name_lengths(void)
{
	see("create-255", open_once(long_name(255), O_RDWR | O_CREAT));
	see("there", access(long_name(255), F_OK));
	see("create-256", open_once(long_name(256), O_RDWR | O_CREAT));
	see("stat-256", access(long_name(256), F_OK));
	see("mkdir-256", mkdir(long_name(256), 0777));
	see("rename-256", rename("a", long_name(256)));
	see("symlink-256", symlink("a", long_name(256)));
	put_file("a", "");
	see("link-256", link("a", long_name(256)));
	see("rename-255", rename("a", long_name(255)));
	see("unlink-255", unlink(long_name(255)));
	see("unlink-256", unlink(long_name(256)));
}

static void path_lengths(void)
{
	static char path[8192];
	size_t length = 0;

	while (length < 4100) {
		memcpy(path + length, "./", 2);
		length += 2;
	}
	memcpy(path + 4094, "a", 2);
	see("path-4095", open_once(path, O_RDWR | O_CREAT));
	memcpy(path + 4094, "/a", 3);
	see("path-4096", open_once(path, O_RDWR | O_CREAT));
	see_file("a");
}

static void odd_names(void)
{
	static const char *const names[] = {" ", "\n", "\\", "\xff\xfe", "...", "..a", "-", "a b",
		"\xc3\xa9", "e\xcc\x81", "A", "con", "*"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		see("create", open_once(names[i], O_RDWR | O_CREAT | O_EXCL));
	see("case", open_once("a", O_RDWR | O_CREAT | O_EXCL));
	see("empty", open_once("", O_RDWR | O_CREAT));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		see("unlink", unlink(names[i]));
}

static void deep(void)
{
	char up[512] = "";
	unsigned int depth = 0;

	while (depth < 100 && mkdir("d", 0777) == 0 && chdir("d") == 0)
		depth++;
	see_number("depth", depth);
	put_file("bottom", "deep");
	see_content("bottom");
	for (unsigned int i = 0; i < depth; i++)
		strcat(up, "../");
	see("up", chdir(up));
	see_file("d");
}

static const struct posix_check checks[] = {
	{"name-rename-files", rename_files},
	{"name-rename-directories", rename_directories},
	{"name-rename-flags", rename_flags},
	{"name-across", across},
	{"name-hard-links", hard_links},
	{"name-removing", removing},
	{"name-removed-directory", removed_directory},
	{"name-symbolic-links", symbolic_links},
	{"name-link-chains", link_chains},
	{"name-link-lengths", link_lengths},
	{"name-lengths", name_lengths},
	{"name-path-lengths", path_lengths},
	{"name-odd", odd_names},
	{"name-deep", deep},
};

POSIX_GROUP(posix_name_group, checks);
