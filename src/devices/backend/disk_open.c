/*
 * Opens a disk by its options: which kind it is follows from them, never from the file's contents.
 * See disk.h.
 */
#include "disk_kinds.h"

#include <errno.h>

static int open_by_options(
	const struct disk_options *options, struct disk **ret_disk, struct err *err)
{
	struct disk_file file;
	int r;

	if (options->ephemeral && options->read_only)
		return err_set(err, EINVAL, "ro and ephemeral exclude each other");
	if (options->ephemeral && options->direct)
		return err_set(err, EINVAL,
			"direct and ephemeral exclude each other: the base is shared in the page "
			"cache");
	r = disk_file_open(options, !options->read_only && !options->ephemeral, &file, err);
	if (r < 0)
		return r;
	if (options->ephemeral)
		return disk_ephemeral_create(options, &file, ret_disk, err);
	return disk_raw_create(options, &file, ret_disk, err);
}

int disk_open(const struct disk_options *options, struct disk **ret_disk, struct err *err)
{
	struct disk *disk = NULL;
	int r = open_by_options(options, &disk, err);

	if (!disk)
		return err_prefix(err, r, "disk '%s'", options->path);
	rate_limit_init(&disk->limit, &options->rate);
	*ret_disk = disk;
	return 0;
}
