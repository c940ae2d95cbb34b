/* The file systems that the command sees, see init.h. */
#include "init.h"

#include "format.h"
#include "linux.h"
#include "words.h"

#define LOWER       "/hull/lower"
#define UPPER       "/hull/upper"
#define NEW_ROOT    "/hull/root"
#define DISK_SERIAL "hull-root"
#define WAIT_MS     10000
#define DISKS_MAX   512

static void must_mount(const char *source, const char *target, const char *type,
	unsigned long flags, const char *options)
{
	long r = sys_mount(source, target, type, flags, options);

	if (r < 0)
		fail("cannot mount %s of type %s on %s: error %d%s", source, type, target, (int)-r,
			r == -ENODEV ? ": the kernel has no such file system" : "");
}

void root_begin(void)
{
	(void)sys_mkdir("/proc", 0555);
	(void)sys_mkdir("/sys", 0555);
	(void)sys_mkdir("/dev", 0755);
	(void)sys_mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	(void)sys_mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	(void)sys_mount("devtmpfs", "/dev", "devtmpfs", MS_NOSUID, "mode=0755");
}

/* vda to vdz, vdaa and on. */
static void disk_name(unsigned int index, struct format *name)
{
	name->length = 0;
	if (index < 26)
		format_add(name, "vd%c", 'a' + (int)index);
	else
		format_add(name, "vd%c%c", 'a' + (int)(index / 26 - 1), 'a' + (int)(index % 26));
}

static bool is_root_disk(const char *name)
{
	char path[64], serial[32];
	struct format where = {path, sizeof(path), 0};
	long length;
	int fd;

	format_add(&where, "/sys/block/%s/serial", name);
	fd = (int)sys_open(path, O_RDONLY, 0);
	if (fd < 0)
		return false;
	length = sys_read(fd, serial, sizeof(serial) - 1);
	(void)sys_close(fd);
	serial[length > 0 ? length : 0] = '\0';
	return text_equals(serial, DISK_SERIAL);
}

static void find_root_disk(struct format *path)
{
	char text[16];
	struct format name = {text, sizeof(text), 0};

	for (unsigned int waited_ms = 0; waited_ms < WAIT_MS; waited_ms++) {
		for (unsigned int i = 0; i < DISKS_MAX; i++) {
			disk_name(i, &name);
			if (!is_root_disk(text))
				continue;
			format_add(path, "/dev/%s", text);
			return;
		}
		sleep_ms(1);
	}
	fail("the root disk did not appear: has the kernel, or --modules, no virtio_blk?");
}

static void mount_lower(const struct run *run, const char *target)
{
	unsigned long flags = run->root_writable ? 0 : MS_RDONLY;
	char text[32];
	struct format path = {text, sizeof(text), 0};

	if (run->root == ROOT_SHARE) {
		must_mount(run->root_name, target, "virtiofs", flags, NULL);
		return;
	}
	find_root_disk(&path);
	must_mount(text, target, run->root_name, flags, NULL);
}

static void mount_overlay(void)
{
	must_mount("tmpfs", UPPER, "tmpfs", 0, "mode=0755");
	(void)sys_mkdir(UPPER "/data", 0755);
	(void)sys_mkdir(UPPER "/work", 0755);
	must_mount("overlay", NEW_ROOT, "overlay", 0,
		"lowerdir=" LOWER ",upperdir=" UPPER "/data,workdir=" UPPER "/work");
}

/* In the root that is current. A root that lacks one of the directories and is read-only goes
 * without. */
static void mount_usual(void)
{
	static const struct {
		const char *type, *target, *options;
		unsigned long flags;
		unsigned int mode;
	} usual[] = {
		{"proc", "/proc", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC, 0555},
		{"sysfs", "/sys", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC, 0555},
		{"devtmpfs", "/dev", "mode=0755", MS_NOSUID, 0755},
		{"devpts", "/dev/pts", "gid=5,mode=0620,ptmxmode=0666", MS_NOSUID | MS_NOEXEC,
			0755},
		{"tmpfs", "/dev/shm", "mode=1777", MS_NOSUID | MS_NODEV, 01777},
		{"tmpfs", "/run", "mode=0755", MS_NOSUID | MS_NODEV, 0755},
		{"tmpfs", "/tmp", "mode=1777", MS_NOSUID | MS_NODEV, 01777},
	};

	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++) {
		(void)sys_mkdir(usual[i].target, usual[i].mode);
		(void)sys_mount(usual[i].type, usual[i].target, usual[i].type, usual[i].flags,
			usual[i].options);
	}
	(void)sys_symlink("/proc/self/fd", "/dev/fd");
	(void)sys_symlink("/proc/self/fd/0", "/dev/stdin");
	(void)sys_symlink("/proc/self/fd/1", "/dev/stdout");
	(void)sys_symlink("/proc/self/fd/2", "/dev/stderr");
	/* Old programs want it, and devtmpfs has it of the initial instance. */
	(void)sys_mount("/dev/pts/ptmx", "/dev/ptmx", NULL, MS_BIND, NULL);
}

static void switch_root(void)
{
	long r = sys_chdir(NEW_ROOT);

	if (r == 0)
		r = sys_mount(".", "/", NULL, MS_MOVE, NULL);
	if (r == 0)
		r = sys_chroot(".");
	if (r == 0)
		r = sys_chdir("/");
	if (r < 0)
		fail("cannot change to the new root: error %d", (int)-r);
}

static void copy_script(int script)
{
	static char bytes[65536];
	int copy = (int)sys_open(SCRIPT_COPY, O_WRONLY | O_CREAT | O_TRUNC, 0755);
	long length;

	while ((length = sys_read(script, bytes, sizeof(bytes))) > 0)
		if (sys_write(copy, bytes, (size_t)length) != length)
			fail("the script cannot be copied to " SCRIPT_COPY);
	(void)sys_close(copy);
	(void)sys_close(script);
}

/* With the directories above it. */
static void make_directory(const char *path)
{
	static char text[PATH_BYTES];
	size_t length = 0;

	for (; path[length] && length + 1 < sizeof(text); length++) {
		text[length] = '\0';
		if (path[length] == '/' && length)
			(void)sys_mkdir(text, 0755);
		text[length] = path[length];
	}
	(void)sys_mkdir(path, 0755);
}

static void mount_shares(const struct run *run)
{
	for (unsigned int i = 0; i < run->share_count; i++) {
		const struct share *share = &run->shares[i];
		char tag[32];
		struct format text = {tag, sizeof(tag), 0};

		format_add(&text, "hull-share%u", i);
		make_directory(share->directory);
		must_mount(
			tag, share->directory, "virtiofs", share->read_only ? MS_RDONLY : 0, NULL);
	}
}

void root_enter(const struct run *run)
{
	int script = (int)sys_open(SCRIPT_FILE, O_RDONLY, 0);

	if (run->root != ROOT_NONE) {
		(void)sys_mkdir(LOWER, 0755);
		(void)sys_mkdir(UPPER, 0755);
		(void)sys_mkdir(NEW_ROOT, 0755);
		mount_lower(run, run->root_writable ? NEW_ROOT : LOWER);
		if (!run->root_writable)
			mount_overlay();
		switch_root();
	}
	mount_usual();
	if (script >= 0)
		copy_script(script);
	for (unsigned int i = 0; i < run->tmpfs_count; i++) {
		(void)sys_mkdir(run->tmpfs[i], 01777);
		must_mount("tmpfs", run->tmpfs[i], "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777");
	}
	mount_shares(run);
}

/* The next field of a line of /proc/mounts, in place; \040 and its like are characters. */
static char *next_field(char **line)
{
	char *field = *line, *from = field, *to = field;

	while (*from && *from != ' ' && *from != '\n') {
		if (from[0] == '\\' && from[1] && from[2] && from[3]) {
			*to++ = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 |
				       (from[3] - '0'));
			from += 4;
		} else {
			*to++ = *from++;
		}
	}
	*line = *from ? from + 1 : from;
	*to = '\0';
	return field;
}

static void skip_line(char **line)
{
	while (**line && *(*line)++ != '\n')
		;
}

void root_finish(void)
{
	static char mounts[65536];
	int fd = (int)sys_open("/proc/mounts", O_RDONLY, 0);
	size_t length = 0;
	long count;
	bool has_waited = false;

	sys_sync();
	/* Their sockets are closed by that, and others told. Some may have served a file system. */
	(void)sys_kill(-1, SIGKILL);
	sys_sync();
	while (length < sizeof(mounts) - 1 &&
		(count = sys_read(fd, mounts + length, sizeof(mounts) - 1 - length)) > 0)
		length += (size_t)count;
	(void)sys_close(fd);
	for (char *line = mounts; *line; skip_line(&line)) {
		const char *source = next_field(&line);
		const char *target = next_field(&line);

		if (!text_after(source, "/dev/"))
			continue;
		/* Whoever has a file open for writing would keep it from becoming read-only. */
		while (!has_waited && sys_wait4(-1, NULL, __WALL) > 0)
			;
		has_waited = true;
		(void)sys_mount(NULL, target, NULL, MS_REMOUNT | MS_RDONLY, NULL);
	}
}
