/* Modes, owners, times, rights, extended attributes. */
#include "posix.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#define OTHER 1234

/* The rest of the process is somebody without rights. */
static void become_other(void)
{
	if (setgroups(0, NULL) != 0 || setgid(OTHER) != 0 || setuid(OTHER) != 0)
		see("become", -1);
}

static void modes(void)
{
	put_file("a", "");
	for (mode_t mode = 0; mode <= 07777; mode += 0333) {
		see("chmod", chmod("a", mode));
		see_file("a");
	}
	see("mkdir", mkdir("d", 0777));
	see("sticky", chmod("d", 03777));
	see_file("d");
	see("missing", chmod("none", 0600));
	see("fchmod", fchmod(open("a", O_RDONLY), 0640));
	see_file("a");
}

static void see_owner(const char *name)
{
	struct stat status;

	if (see(name, lstat(name, &status)) == 0) {
		see_number("user", status.st_uid);
		see_number("group", status.st_gid);
		see_number("mode", status.st_mode);
	}
}

static void owners(void)
{
	put_file("a", "");
	see("mode", chmod("a", 06755));
	see("chown", chown("a", OTHER, OTHER + 1));
	see_owner("a");
	see("group", chown("a", (uid_t)-1, 7));
	see_owner("a");
	see("nothing", chown("a", (uid_t)-1, (gid_t)-1));
	see_owner("a");
	see("symlink", symlink("a", "l"));
	see("lchown", lchown("l", 5, 6));
	see_owner("l");
	see_owner("a");
}

/* A directory's group goes down to what is made in it. */
static void inherited_group(void)
{
	see("mkdir", mkdir("d", 0777));
	see("chown", chown("d", 0, OTHER));
	see("chmod", chmod("d", 02777));
	see("mkdir", mkdir("d/e", 0755));
	put_file("d/a", "");
	see("chdir", chdir("d"));
	see_owner("e");
	see_owner("a");
}

static void made_by_other(void)
{
	become_other();
	put_file("a", "mine");
	see_owner("a");
	see("mkdir", mkdir("d", 0777));
	see_owner("d");
	see("symlink", symlink("a", "l"));
	see_owner("l");
	see("chown", chown("a", 0, 0));
	see("chmod", chmod("root", 0777));
	see("read", open_once("root", O_RDONLY));
	see("write", open_once("root", O_WRONLY));
	see("unlink", unlink("root"));
	see("mkdir-in-root's", mkdir("closed/x", 0777));
	see("rename", rename("root", "away"));
	see("access", access("root", R_OK));
	see("search", access("closed/none", F_OK));
}

static void rights(void)
{
	see("chmod", chmod(".", 01777));
	put_file("root", "secret");
	see("chmod", chmod("root", 0600));
	see("mkdir", mkdir("closed", 0700));
	see("other", in_child(made_by_other));
}

static void see_accesses(void)
{
	become_other();
	see("read", access("a", R_OK));
	see("write", access("a", W_OK));
	see("execute", access("a", X_OK));
	see("there", access("a", F_OK));
	see("open", open_once("a", O_RDONLY));
}

static void accesses(void)
{
	put_file("a", "");
	see("chmod", chmod("a", 0));
	see("read", access("a", R_OK));
	see("write", access("a", W_OK));
	see("execute", access("a", X_OK));
	see("other", in_child(see_accesses));
	see("chmod", chmod("a", 0754));
	see("execute", access("a", X_OK));
	see("other", in_child(see_accesses));
	see("missing", access("none", F_OK));
}

static void write_and_change(void)
{
	become_other();
	see("write", write(open("a", O_WRONLY), "x", 1));
	see_file("a");
	see("truncate", truncate("b", 0));
	see_file("b");
}

/* Who writes to a file that is run as its owner must not keep what makes it so. */
static void privileges_lost(void)
{
	put_file("a", "text");
	put_file("b", "text");
	see("chmod", chmod("a", 06777) | chmod("b", 06777));
	see("other", in_child(write_and_change));
	see("chmod", chmod("a", 06777));
	see("chown", chown("a", OTHER, OTHER));
	see_file("a");
}

static void see_times(const char *name)
{
	struct stat status;

	if (see(name, lstat(name, &status)) != 0)
		return;
	see_number("atime", status.st_atim.tv_sec);
	see_number("nanoseconds", status.st_atim.tv_nsec);
	see_number("mtime", status.st_mtim.tv_sec);
	see_number("nanoseconds", status.st_mtim.tv_nsec);
}

static void times(void)
{
	const struct timespec both[2] = {{1000, 123456789}, {2000, 5}};
	const struct timespec first[2] = {{3000, 0}, {0, UTIME_OMIT}};
	const struct timespec wrong[2] = {{0, 1000000000}, {0, 0}};
	const struct timespec old[2] = {{-5, 0}, {-1, 999999999}};
	const struct timespec neither[2] = {{0, UTIME_OMIT}, {0, UTIME_OMIT}};

	put_file("a", "");
	see("both", utimensat(AT_FDCWD, "a", both, 0));
	see_times("a");
	see("first", utimensat(AT_FDCWD, "a", first, 0));
	see_times("a");
	see("neither", utimensat(AT_FDCWD, "a", neither, 0));
	see_times("a");
	see("wrong", utimensat(AT_FDCWD, "a", wrong, 0));
	see("old", utimensat(AT_FDCWD, "a", old, 0));
	see_times("a");
	see("symlink", symlink("a", "l"));
	see("link", utimensat(AT_FDCWD, "l", both, AT_SYMLINK_NOFOLLOW));
	see_number("links-own", lstat("l", &(struct stat){0}));
	see_times("a");
}

static void current_times(void)
{
	const struct timespec now[2] = {{0, UTIME_NOW}, {0, UTIME_OMIT}};
	const struct timespec old[2] = {{1000, 0}, {1000, 0}};
	struct stat before, after;

	put_file("a", "text");
	see("old", utimensat(AT_FDCWD, "a", old, 0));
	see("now", utimensat(AT_FDCWD, "a", now, 0));
	see("stat", stat("a", &before));
	see_number("is-now", before.st_atim.tv_sec > 1000000000 && before.st_mtim.tv_sec == 1000);
	see("write", close(open("a", O_WRONLY)) | (int)write(open("a", O_WRONLY), "x", 1));
	see("stat", stat("a", &after));
	see_number("written", after.st_mtim.tv_sec > 1000000000);
	see_number("changed", after.st_ctim.tv_sec >= before.st_ctim.tv_sec);
	see("old", utimensat(AT_FDCWD, ".", old, 0));
	put_file("b", "");
	see("stat", stat(".", &after));
	see_number("directory-written", after.st_mtim.tv_sec > 1000000000);
}

static void extended(void)
{
	char value[64] = "";

	put_file("a", "");
	see("missing", getxattr("a", "user.x", value, sizeof(value)));
	see("create", setxattr("a", "user.x", "one", 3, XATTR_CREATE));
	see("create-again", setxattr("a", "user.x", "two", 3, XATTR_CREATE));
	see("replace", setxattr("a", "user.x", "three", 5, XATTR_REPLACE));
	see("replace-missing", setxattr("a", "user.y", "x", 1, XATTR_REPLACE));
	see("length", getxattr("a", "user.x", NULL, 0));
	see("short", getxattr("a", "user.x", value, 4));
	see("get", getxattr("a", "user.x", value, sizeof(value)));
	see_words("value", value);
	see("empty", setxattr("a", "user.empty", "", 0, 0));
	see("get-empty", getxattr("a", "user.empty", value, sizeof(value)));
	see("remove", removexattr("a", "user.x"));
	see("remove-again", removexattr("a", "user.x"));
	see("no-prefix", setxattr("a", "x", "1", 1, 0));
	see("only-prefix", setxattr("a", "user.", "1", 1, 0));
	see("unknown-flag", setxattr("a", "user.z", "1", 1, 8));
	see("directory", setxattr(".", "user.d", "1", 1, 0));
	see("fifo", mkfifo("f", 0666) | setxattr("f", "user.f", "1", 1, 0));
}

static void extended_lists(void)
{
	char names[256] = "", *at = names;
	ssize_t length;
	unsigned int count = 0;

	put_file("a", "");
	see("none", listxattr("a", names, sizeof(names)));
	for (unsigned int i = 0; i < 5; i++) {
		char name[] = "user.0";

		name[5] = (char)('0' + i);
		see("set", setxattr("a", name, "v", 1, 0));
	}
	see("length", listxattr("a", NULL, 0));
	see("short", listxattr("a", names, 10));
	length = see("list", listxattr("a", names, sizeof(names)));
	for (; at < names + length; at += strlen(at) + 1)
		count += strncmp(at, "user.", 5) == 0;
	see_number("count", count);
	see("link", link("a", "b"));
	see("of-link", getxattr("b", "user.3", names, sizeof(names)));
}

static void extended_sizes(void)
{
	static char value[70000];

	put_file("a", "");
	memset(value, 'v', sizeof(value));
	see("3000", setxattr("a", "user.a", value, 3000, 0));
	see("get", getxattr("a", "user.a", value, sizeof(value)));
	see("65537", setxattr("a", "user.b", value, 65537, 0));
	see("name-255",
		setxattr("a", (memcpy(value, "user.", 5), value[255] = 0, value), "v", 1, 0));
	value[255] = 'v';
	value[256] = 0;
	see("name-256", setxattr("a", value, "v", 1, 0));
}

static const struct posix_check checks[] = {
	{"attribute-modes", modes},
	{"attribute-owners", owners},
	{"attribute-inherited-group", inherited_group},
	{"attribute-rights", rights},
	{"attribute-accesses", accesses},
	{"attribute-privileges-lost", privileges_lost},
	{"attribute-times", times},
	{"attribute-current-times", current_times},
	{"attribute-extended", extended},
	{"attribute-extended-lists", extended_lists},
	{"attribute-extended-sizes", extended_sizes},
};

POSIX_GROUP(posix_attribute_group, checks);
