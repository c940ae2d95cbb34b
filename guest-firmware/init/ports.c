/* Ports of the virtio console, see init.h. */
#include "init.h"

#include "format.h"
#include "linux.h"
#include "words.h"

#define CLASS_DIRECTORY "/sys/class/virtio-ports"
#define NAME_MAX_BYTES  128
#define WAIT_MS         10000

struct entry { /* getdents64(2) */
	uint64_t inode;
	int64_t offset;
	uint16_t length;
	uint8_t type;
	char name[];
};

static bool is_called(const char *entry, const char *wanted)
{
	char path[PATH_BYTES], name[NAME_MAX_BYTES];
	struct format where = {path, sizeof(path), 0};
	long length;
	int fd;

	format_add(&where, CLASS_DIRECTORY "/%s/name", entry);
	fd = (int)sys_open(path, O_RDONLY, 0);
	if (fd < 0)
		return false;
	length = sys_read(fd, name, sizeof(name) - 1);
	(void)sys_close(fd);
	if (length <= 0)
		return false;
	name[length - 1] = '\0'; /* a newline */
	return text_equals(name, wanted);
}

static int open_device(const char *entry)
{
	char path[PATH_BYTES];
	struct format where = {path, sizeof(path), 0};

	format_add(&where, "/dev/%s", entry);
	return (int)sys_open(path, O_RDWR | O_NONBLOCK, 0);
}

/* -ENOENT: not there yet. */
static int try_open(const char *name)
{
	_Alignas(8) char entries[4096];
	int directory = (int)sys_open(CLASS_DIRECTORY, O_RDONLY | O_DIRECTORY, 0);
	int result = -ENOENT;
	long length;

	if (directory < 0)
		return -ENOENT;
	while (result == -ENOENT &&
		(length = sys_getdents64(directory, entries, sizeof(entries))) > 0) {
		for (long at = 0; result == -ENOENT && at < length;) {
			const struct entry *entry = (const void *)(entries + at);

			if (entry->name[0] != '.' && is_called(entry->name, name))
				result = open_device(entry->name);
			at += entry->length;
		}
	}
	(void)sys_close(directory);
	return result;
}

int port_open(const char *name)
{
	int fd;

	for (unsigned int waited_ms = 0; (fd = try_open(name)) == -ENOENT && waited_ms < WAIT_MS;
		waited_ms++)
		sleep_ms(1);
	return fd;
}
