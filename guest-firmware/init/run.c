/* What is to be run, see init.h. The file was written by Hull: it is well formed. */
#include "init.h"

#include "linux.h"
#include "words.h"

#define FILE_BYTES (8u << 20)

static char file[FILE_BYTES + 1];

static void read_root(struct run *run, const char *value)
{
	const char *name = text_after(value, "disk:");

	run->root = name ? ROOT_DISK : ROOT_SHARE;
	run->root_name = name ? name : text_after(value, "share:");
	if (!run->root_name)
		fail("an unknown root '%s'", value);
}

static void read_numbers(const char *value, uint32_t *first, uint32_t *second)
{
	*first = text_number(&value);
	if (*value)
		value++;
	*second = text_number(&value);
}

static void read_size(struct run *run, const char *value)
{
	uint32_t columns, rows;

	read_numbers(value, &columns, &rows);
	run->tty = true;
	run->columns = (uint16_t)columns;
	run->rows = (uint16_t)rows;
}

/* rw:DIRECTORY or ro:DIRECTORY; their tags count them. */
static void read_share(struct run *run, const char *value)
{
	struct share *share = &run->shares[run->share_count];
	const char *directory = text_after(value, "rw:");

	if (run->share_count == SHARES_MAX)
		fail("more than %u shares", SHARES_MAX);
	share->read_only = !directory;
	share->directory = directory ? directory : text_after(value, "ro:");
	if (!share->directory)
		fail("an unknown share '%s'", value);
	run->share_count++;
}

static void add(char **list, unsigned int *count, const char *value)
{
	if (*count == WORDS_MAX)
		fail("more than %u words", WORDS_MAX);
	list[(*count)++] = (char *)(uintptr_t)value;
}

static void read_one(struct run *run, const char *entry)
{
	const char *value;

	if ((value = text_after(entry, "arg=")))
		add(run->words, &run->word_count, value);
	else if ((value = text_after(entry, "env=")))
		add(run->environment, &run->environment_count, value);
	else if ((value = text_after(entry, "root=")))
		read_root(run, value);
	else if ((value = text_after(entry, "cwd=")))
		run->directory = value;
	else if ((value = text_after(entry, "host=")))
		run->host_name = value;
	else if ((value = text_after(entry, "user=")))
		read_numbers(value, &run->user, &run->group);
	else if ((value = text_after(entry, "tty=")))
		read_size(run, value);
	else if ((value = text_after(entry, "tmpfs=")) && run->tmpfs_count < TMPFS_MAX)
		run->tmpfs[run->tmpfs_count++] = value;
	else if ((value = text_after(entry, "share=")))
		read_share(run, value);
	else if (text_equals(entry, "serve="))
		run->serve = true;
	else if (text_equals(entry, "write="))
		run->root_writable = true;
	else
		fail("an unknown word '%s' in " RUN_FILE, entry);
}

void run_read(struct run *run)
{
	int fd = (int)sys_open(RUN_FILE, O_RDONLY, 0);
	size_t length = 0;
	long count;

	if (fd < 0)
		fail("no " RUN_FILE ": error %d", -fd);
	while (length < FILE_BYTES &&
		(count = sys_read(fd, file + length, FILE_BYTES - length)) > 0)
		length += (size_t)count;
	(void)sys_close(fd);
	for (const char *entry = file; entry < file + length; entry += text_length(entry) + 1)
		read_one(run, entry);
	if (!run->word_count && !run->serve)
		fail("there is no command in " RUN_FILE);
}
