/*
 * The file or block device behind a disk: opened, found fit, locked, measured.
 */
#pragma once

#include "disk.h"

struct disk_file {
	int fd; /* owned */
	bool is_block_device;
	uint64_t size_bytes;
	uint32_t logical_block_bytes;
	uint32_t physical_block_bytes;
	uint32_t optimal_io_bytes;
	uint32_t discard_granularity_bytes;
	uint32_t memory_alignment; /* what O_DIRECT asks for; 1 without it */
	uint32_t offset_alignment;
	bool can_discard;
};

/* writable: opened for writing and locked against every other user; otherwise shared with readers.
 */
must_check int disk_file_open(const struct disk_options *options, bool writable,
	struct disk_file *ret_file, struct err *err);
void disk_file_close(struct disk_file *file);

must_check int disk_file_measure(const struct disk_file *file, uint64_t *ret_size_bytes);

/* Fills in what a disk tells of itself. */
void disk_file_describe(
	const struct disk_file *file, const struct disk_options *options, struct disk *disk);
