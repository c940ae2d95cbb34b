/*
 * See disk_file.h. Main thread.
 *
 * Locks are open file description locks over the whole file: they live as long as the descriptor,
 * work between two disks of one process as well as between processes, and meet those that other
 * programs place on single bytes. A block device is opened with O_EXCL for writing: the kernel
 * refuses that while it is mounted or part of something else.
 */
#include "disk_file.h"

#include "fd.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define SECTOR_BYTES      512
#define ALIGNMENT_MAX     (64 << 10)
#define FILE_BLOCK_MAX    4096
#define LOCK_TRIES        100
#define LOCK_RETRY_MS     10
#define PROBE_BUFFER_SIZE ((size_t)ALIGNMENT_MAX * 2)

static bool is_power_of_two(uint64_t value)
{
	return value && !(value & (value - 1));
}

static int open_file(const struct disk_options *options, bool writable, const struct stat *status,
	struct err *err)
{
	int flags = O_CLOEXEC | O_NOCTTY | (writable ? O_RDWR : O_RDONLY);
	int fd;

	if (writable && S_ISBLK(status->st_mode))
		flags |= O_EXCL;
	if (options->direct)
		flags |= O_DIRECT;
	fd = open(options->path, flags);
	if (fd >= 0)
		return fd;
	if (errno == EBUSY)
		return err_set(err, EBUSY,
			"the block device is in use by this host (mounted, or part of another "
			"device): "
			"unmount it, or use it read-only (ro)");
	if (errno == EINVAL && options->direct)
		return err_set(
			err, EINVAL, "its file system has no direct I/O: leave 'direct' out");
	if ((errno == EACCES || errno == EROFS || errno == EPERM) && writable)
		return err_set_errno(err, errno,
			"it cannot be opened for writing (ro or ephemeral need to read only)");
	return err_set_errno(err, errno, "it cannot be opened");
}

static int refuse_locked(int fd, const struct flock *wanted, struct err *err)
{
	struct flock lock = *wanted;

	if (fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type == F_RDLCK)
		return err_set(err, EBUSY,
			"it is in use by somebody who relies on it not to change: use it as ro or "
			"ephemeral, too, or end the other");
	return err_set(err, EBUSY,
		"it is in use by somebody who writes to it, such as another VM: one image has one "
		"writer and then no readers");
}

static int lock_file(int fd, bool writable, struct err *err)
{
	struct flock lock = {
		.l_type = writable ? F_WRLCK : F_RDLCK,
		.l_whence = SEEK_SET,
	};

	/* A VM that was killed may be gone before the kernel has let go of its ring, and with it of
	 * the file and the lock. */
	for (unsigned int tries = 0; fcntl(fd, F_OFD_SETLK, &lock) != 0; tries++) {
		if (errno != EAGAIN && errno != EACCES)
			return err_set_errno(err, errno, "it cannot be locked");
		if (tries == LOCK_TRIES)
			return refuse_locked(fd, &lock, err);
		(void)poll(NULL, 0, LOCK_RETRY_MS);
	}
	return 0;
}

static int refuse_type(const struct stat *status, struct err *err)
{
	if (S_ISREG(status->st_mode) || S_ISBLK(status->st_mode))
		return 0;
	return err_set(err, S_ISDIR(status->st_mode) ? EISDIR : EINVAL,
		"it is %s: a disk is a regular file or a block device",
		S_ISDIR(status->st_mode)    ? "a directory"
		: S_ISCHR(status->st_mode)  ? "a character device"
		: S_ISFIFO(status->st_mode) ? "a pipe"
					    : "neither file nor device");
}

static int refuse_size(uint64_t size_bytes, const struct disk_options *options,
	uint32_t offset_alignment, struct err *err)
{
	if (!size_bytes)
		return err_set(err, EINVAL,
			"it is empty: give it a size first, as by truncate -s 8G '%s'",
			options->path);
	if (size_bytes > INT64_MAX - ALIGNMENT_MAX)
		return err_set(err, EFBIG, "it is too large");
	/* Rounding down would hide the last bytes from the guest without a word. */
	if (size_bytes % SECTOR_BYTES)
		return err_set(err, EINVAL,
			"its %" PRIu64
			" bytes do not fill sectors of 512: is it a raw image? If so, fill it up "
			"by truncate -s %%512 '%s'",
			size_bytes, options->path);
	if (size_bytes & (offset_alignment - 1))
		return err_set(err, EINVAL,
			"its %" PRIu64 " bytes are no multiple of the %" PRIu32
			" that direct I/O needs here: leave 'direct' out, or fill it up by "
			"truncate -s %%%" PRIu32 " '%s'",
			size_bytes, offset_alignment, offset_alignment, options->path);
	return 0;
}

int disk_file_measure(const struct disk_file *file, uint64_t *ret_size_bytes)
{
	struct stat status;

	if (file->is_block_device)
		return ioctl(file->fd, BLKGETSIZE64, ret_size_bytes) != 0 ? -errno : 0;
	if (fstat(file->fd, &status) != 0)
		return -errno;
	*ret_size_bytes = (uint64_t)status.st_size;
	return 0;
}

/* A number of the device's request queue, which a partition shares with its disk; 0: none. */
static uint64_t read_queue_limit(const struct stat *status, const char *name)
{
	static const char *const parents[] = {"", "../"};
	char path[128], text[32];

	for (unsigned int i = 0; i < array_size(parents); i++) {
		cleanup_fd int fd = -1;
		ssize_t length;

		(void)snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%squeue/%s",
			major(status->st_rdev), minor(status->st_rdev), parents[i], name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		length = fd_read(fd, text, sizeof(text) - 1);
		text[length > 0 ? length : 0] = '\0';
		return strtoull(text, NULL, 10);
	}
	return 0;
}

static int describe_block_device(struct disk_file *file, const struct stat *status, struct err *err)
{
	unsigned int physical = 0, optimal = 0;
	int logical = 0;

	if (ioctl(file->fd, BLKSSZGET, &logical) != 0)
		return err_set_errno(err, errno, "its block size cannot be read");
	if (logical < SECTOR_BYTES || logical > ALIGNMENT_MAX ||
		!is_power_of_two((uint64_t)logical))
		return err_set(err, EINVAL, "its blocks of %d bytes are not supported", logical);
	file->logical_block_bytes = (uint32_t)logical;
	file->physical_block_bytes = (uint32_t)logical;
	if (ioctl(file->fd, BLKPBSZGET, &physical) == 0 && is_power_of_two(physical) &&
		physical > (unsigned int)logical)
		file->physical_block_bytes = physical;
	if (ioctl(file->fd, BLKIOOPT, &optimal) == 0)
		file->optimal_io_bytes = optimal;
	file->discard_granularity_bytes = (uint32_t)read_queue_limit(status, "discard_granularity");
	if (!is_power_of_two(file->discard_granularity_bytes) ||
		file->discard_granularity_bytes < (uint32_t)logical)
		file->discard_granularity_bytes = (uint32_t)logical;
	file->can_discard = read_queue_limit(status, "discard_max_bytes") != 0;
	return 0;
}

static void describe_regular_file(struct disk_file *file, const struct stat *status)
{
	uint64_t block = (uint64_t)status->st_blksize;

	if (!is_power_of_two(block) || block < SECTOR_BYTES)
		block = SECTOR_BYTES;
	if (block > FILE_BLOCK_MAX)
		block = FILE_BLOCK_MAX;
	/* Images are partitioned in sectors of 512 whatever lies below them. */
	file->logical_block_bytes = SECTOR_BYTES;
	file->physical_block_bytes = (uint32_t)block;
	file->discard_granularity_bytes = (uint32_t)block;
	file->can_discard = true;
}

static void free_bytes(uint8_t **bytes)
{
	free(*bytes);
}

/* Kernels before 6.1 do not tell: try. */
static bool probe_alignment(struct disk_file *file)
{
	cleanup_with(free_bytes) uint8_t *buffer = aligned_alloc(ALIGNMENT_MAX, PROBE_BUFFER_SIZE);
	uint32_t align;

	if (!buffer)
		return false;
	for (align = SECTOR_BYTES; align <= ALIGNMENT_MAX; align *= 2)
		if (pread(file->fd, buffer, align, 0) >= 0)
			break;
	if (align > ALIGNMENT_MAX)
		return false;
	file->offset_alignment = align;
	for (align = SECTOR_BYTES; align < file->offset_alignment; align *= 2)
		if (pread(file->fd, buffer + align, file->offset_alignment, 0) >= 0)
			break;
	file->memory_alignment = align;
	return true;
}

/* statx(2) STATX_DIOALIGN: 0 means that there is no direct I/O on this file. */
static int find_alignment(struct disk_file *file, struct err *err)
{
	bool known = false;

#ifdef STATX_DIOALIGN
	struct statx status;

	if (statx(file->fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &status) == 0 &&
		(status.stx_mask & STATX_DIOALIGN)) {
		file->memory_alignment = status.stx_dio_mem_align;
		file->offset_alignment = status.stx_dio_offset_align;
		known = true;
	}
#endif
	if (!known && !probe_alignment(file))
		file->offset_alignment = 0;
	if (!is_power_of_two(file->memory_alignment) || !is_power_of_two(file->offset_alignment) ||
		file->memory_alignment > ALIGNMENT_MAX || file->offset_alignment > ALIGNMENT_MAX)
		return err_set(err, EINVAL, "direct I/O does not work on it: leave 'direct' out");
	if (file->physical_block_bytes < file->offset_alignment)
		file->physical_block_bytes = file->offset_alignment;
	return 0;
}

static int describe(struct disk_file *file, const struct disk_options *options, struct err *err)
{
	struct stat status;
	int r;

	if (fstat(file->fd, &status) != 0)
		return err_set_errno(err, errno, "it cannot be examined");
	r = refuse_type(&status, err);
	if (r < 0)
		return r;
	file->is_block_device = S_ISBLK(status.st_mode);
	if (file->is_block_device)
		r = describe_block_device(file, &status, err);
	else
		describe_regular_file(file, &status);
	if (r < 0)
		return r;
	r = disk_file_measure(file, &file->size_bytes);
	if (r < 0)
		return err_set_errno(err, r, "its size cannot be read");
	if (options->direct && file->size_bytes) {
		r = find_alignment(file, err);
		if (r < 0)
			return r;
	}
	return refuse_size(file->size_bytes, options, file->offset_alignment, err);
}

/* Some kernels let it be opened for writing and then refuse each write. */
static int refuse_read_only_device(const struct disk_file *file, struct err *err)
{
	int read_only = 0;

	if (!file->is_block_device || ioctl(file->fd, BLKROGET, &read_only) != 0 || !read_only)
		return 0;
	return err_set(err, EROFS,
		"the block device is read-only: use it read-only (ro), or as ephemeral");
}

int disk_file_open(const struct disk_options *options, bool writable, struct disk_file *ret_file,
	struct err *err)
{
	cleanup_with(disk_file_close) struct disk_file file = {
		.fd = -1, .memory_alignment = 1, .offset_alignment = 1};
	struct stat status;
	int r;

	/* Looked at before it is opened: opening a FIFO waits, opening a device may act. */
	if (stat(options->path, &status) != 0)
		return err_set_errno(err, errno, "it cannot be opened");
	r = refuse_type(&status, err);
	if (r < 0)
		return r;
	file.fd = open_file(options, writable, &status, err);
	if (file.fd < 0)
		return file.fd;
	r = describe(&file, options, err);
	if (r == 0 && writable)
		r = refuse_read_only_device(&file, err);
	if (r < 0)
		return r;
	if (!options->share) {
		r = lock_file(file.fd, writable, err);
		if (r < 0)
			return r;
	}
	*ret_file = file;
	file.fd = -1;
	return 0;
}

void disk_file_close(struct disk_file *file)
{
	fd_close(&file->fd);
}

void disk_file_describe(
	const struct disk_file *file, const struct disk_options *options, struct disk *disk)
{
	disk->logical_block_bytes = file->logical_block_bytes;
	disk->physical_block_bytes = file->physical_block_bytes;
	disk->optimal_io_bytes = file->optimal_io_bytes;
	disk->discard_granularity_bytes = file->discard_granularity_bytes;
	disk->memory_alignment = file->memory_alignment;
	disk->offset_alignment = file->offset_alignment;
	disk->read_only = options->read_only;
	disk->can_discard = file->can_discard && !options->read_only;
	disk->can_write_zeroes = !options->read_only;
	disk->write_cache = options->cache != DISK_CACHE_UNSAFE;
	disk->writes_through = options->cache == DISK_CACHE_WRITETHROUGH;
	atomic_init(&disk->size_bytes, file->size_bytes);
}
