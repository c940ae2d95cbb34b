/* See config_disk.h. */
#include "config_disk.h"

#include "config_words.h"
#include "parse.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void config_disk_fini(struct config_disk *disk)
{
	free(disk->path);
	free(disk->serial);
	*disk = (struct config_disk){0};
}
#define cleanup_config_disk cleanup_with(config_disk_fini)

static const char *const cache_words[] = {
	[CONFIG_CACHE_WRITEBACK] = "writeback",
	[CONFIG_CACHE_WRITETHROUGH] = "writethrough",
	[CONFIG_CACHE_UNSAFE] = "unsafe",
};

static int set_cache(struct config_disk *disk, const char *value, struct err *err)
{
	for (size_t i = 0; i < array_size(cache_words); i++) {
		if (strcmp(value, cache_words[i]) != 0)
			continue;
		disk->cache = (enum config_cache)i;
		return 0;
	}
	return err_set(
		err, EINVAL, "cache='%.40s' is not one of writeback, writethrough, unsafe", value);
}

static int set_serial(struct config_disk *disk, const char *value, struct err *err)
{
	if (!*value || strlen(value) > CONFIG_SERIAL_MAX)
		return err_set(err, EINVAL, "serial='%.40s' does not have 1 to %d characters",
			value, CONFIG_SERIAL_MAX);
	free(disk->serial);
	disk->serial = strdup(value);
	return disk->serial ? 0 : err_set(err, ENOMEM, "out of memory");
}

static int set_queues(struct config_disk *disk, const char *value, struct err *err)
{
	uint64_t count;

	if (parse_u64(value, CONFIG_DISK_QUEUES_MAX, &count) < 0 || !count)
		return err_set(err, EINVAL, "queues='%.40s' is not a number from 1 to %d", value,
			CONFIG_DISK_QUEUES_MAX);
	disk->queue_count = (unsigned int)count;
	return 0;
}

static int set_ephemeral(struct config_disk *disk, const char *value, struct err *err)
{
	disk->ephemeral = true;
	if (!value)
		return 0;
	if (parse_size_bytes(value, 1, &disk->ephemeral_bytes) < 0 || !disk->ephemeral_bytes)
		return err_set(
			err, EINVAL, "ephemeral='%.40s' is not a size, as in ephemeral=4G", value);
	return 0;
}

static int set_word(void *object, const char *name, const char *value, struct err *err)
{
	struct config_disk *disk = object;
	static const char *const with_value[] = {"cache", "serial", "queues", "rate", "iops"};

	for (size_t i = 0; i < array_size(with_value); i++)
		if (!value && strcmp(name, with_value[i]) == 0)
			return err_set(err, EINVAL, "%s lacks its value: write %s=...", name, name);
	if (strcmp(name, "ephemeral") == 0)
		return set_ephemeral(disk, value, err);
	if (!value && strcmp(name, "ro") == 0)
		disk->read_only = true;
	else if (!value && strcmp(name, "direct") == 0)
		disk->direct = true;
	else if (strcmp(name, "cache") == 0)
		return set_cache(disk, value, err);
	else if (strcmp(name, "serial") == 0)
		return set_serial(disk, value, err);
	else if (strcmp(name, "queues") == 0)
		return set_queues(disk, value, err);
	else if (strcmp(name, "rate") == 0)
		return config_words_limit(
			name, value, true, &disk->bytes_per_second, &disk->burst_bytes, err);
	else if (strcmp(name, "iops") == 0)
		return config_words_limit(name, value, false, &disk->operations_per_second,
			&disk->burst_operations, err);
	else
		return err_set(err, EINVAL,
			"'%.40s' is not one of ro, direct, ephemeral[=SIZE], cache=, serial=, "
			"queues=, "
			"rate=, iops=",
			name);
	return 0;
}

static int parse_disk(struct config_disk *disk, const char *value, struct err *err)
{
	cleanup_text struct text path = {0};
	const char *words = config_words_first(value, &path);
	int r;

	if (!path.length)
		return err_set(
			err, EINVAL, "'%.80s' does not begin with the name of a file", value);
	disk->path = text_take(&path);
	if (!disk->path)
		return err_set(err, ENOMEM, "out of memory");
	r = config_words_each(words, set_word, disk, err);
	if (r < 0)
		return r;
	if (disk->ephemeral && disk->read_only)
		return err_set(err, EINVAL, "a disk is either ro or ephemeral");
	return 0;
}

int config_disk_set(void *config, const char *value, struct err *err)
{
	struct config *all = config;
	cleanup_config_disk struct config_disk disk = {0};
	struct config_disk *disks;
	int r = parse_disk(&disk, value, err);

	if (r < 0)
		return r;
	if (all->disk_count == CONFIG_DISKS_MAX)
		return err_set(err, EINVAL, "there are %d disks already, and more cannot be",
			CONFIG_DISKS_MAX);
	disks = reallocarray(all->disks, all->disk_count + 1, sizeof(*disks));
	if (!disks)
		return err_set(err, ENOMEM, "out of memory");
	all->disks = disks;
	disks[all->disk_count++] = disk;
	disk = (struct config_disk){0}; /* OWNER: the list */
	return 0;
}

bool config_disk_show(const void *config, unsigned int index, struct text *text)
{
	const struct config *all = config;
	const struct config_disk *disk;

	if (index >= all->disk_count)
		return false;
	disk = &all->disks[index];
	if (disk->is_root) /* the last one */
		return false;
	config_words_show_first(disk->path, text);
	if (disk->read_only)
		text_add(text, ",ro");
	if (disk->direct)
		text_add(text, ",direct");
	if (disk->ephemeral)
		text_add(text, ",ephemeral");
	if (disk->ephemeral_bytes)
		text_addf(text, "=%" PRIu64, disk->ephemeral_bytes);
	if (disk->cache != CONFIG_CACHE_WRITEBACK)
		text_addf(text, ",cache=%s", cache_words[disk->cache]);
	if (disk->serial)
		text_addf(text, ",serial=%s", disk->serial);
	if (disk->queue_count)
		text_addf(text, ",queues=%u", disk->queue_count);
	config_words_show_limit(text, "rate", disk->bytes_per_second, disk->burst_bytes);
	config_words_show_limit(text, "iops", disk->operations_per_second, disk->burst_operations);
	return true;
}
