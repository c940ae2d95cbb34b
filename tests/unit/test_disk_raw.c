#include "clock.h"
#include "disk_model.h"

#include <errno.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define SIZE (UINT64_C(2) << 20)

static void assert_size(const char *path, uint64_t size_bytes)
{
	struct stat status;

	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_size, size_bytes);
}

/* align: treat the file as one whose blocks are as large as that. */
static void run_model(
	struct disk_options options, enum io_engine_choice engine, uint32_t align, uint64_t seed)
{
	struct disk_fixture *fixture = calloc(1, sizeof(*fixture));
	struct disk_model model;

	fixture_make_image(fixture, SIZE);
	fixture_start(fixture, &options, engine);
	if (align) {
		fixture->disk->memory_alignment = align;
		fixture->disk->offset_alignment = align;
		assert_int_equal(fixture->disk->ops->attach(fixture->disk, NULL), 0);
	}
	model_init(&model, fixture, SIZE, seed);
	model.misalignment = 200;
	for (unsigned int i = 0; i < 150; i++)
		model_run_batch(&model);
	model_check_all(&model);
	assert_size(fixture->path, SIZE);
	fixture_stop(fixture);
	model_fini(&model);
	free(fixture);
}

static void model_on_threads(void **state)
{
	(void)state;
	run_model((struct disk_options){0}, IO_ENGINE_THREADS, 0, 0x1111111111111111);
}

static void model_on_any_engine(void **state)
{
	(void)state;
	run_model((struct disk_options){.cache = DISK_CACHE_UNSAFE}, IO_ENGINE_AUTO, 0, 0x2222222);
}

/* Buffers, and blocks that are read before they are written. */
static void model_with_blocks(void **state)
{
	(void)state;
	run_model((struct disk_options){0}, IO_ENGINE_THREADS, 4096, 0x3333333333333333);
	run_model((struct disk_options){0}, IO_ENGINE_AUTO, 65536, 0x4444444444444444);
}

static void model_direct(void **state)
{
	struct disk_options options = {.direct = true};
	struct disk_fixture fixture;
	struct disk *disk;
	int r;

	(void)state;
	fixture_make_image(&fixture, SIZE);
	options.path = fixture.path;
	r = disk_open(&options, &disk, NULL);
	(void)unlink(fixture.path);
	if (r == -EINVAL)
		skip(); /* a file system without direct I/O */
	assert_int_equal(r, 0);
	assert_true(disk->memory_alignment > 1);
	disk_close(disk);
	run_model(options, IO_ENGINE_AUTO, 0, 0x5555555555555555);
	run_model(options, IO_ENGINE_THREADS, 4096, 0x6666666666666666);
}

static void cache_modes(void **state)
{
	static const enum disk_cache modes[] = {
		DISK_CACHE_WRITEBACK, DISK_CACHE_WRITETHROUGH, DISK_CACHE_UNSAFE};

	(void)state;
	for (unsigned int i = 0; i < array_size(modes); i++) {
		struct disk_options options = {.cache = modes[i]};
		struct disk_fixture *fixture = calloc(1, sizeof(*fixture));
		uint8_t bytes[1024];

		fixture_make_image(fixture, SIZE);
		fixture_start(fixture, &options, IO_ENGINE_AUTO);
		assert_int_equal(fixture->disk->write_cache, modes[i] != DISK_CACHE_UNSAFE);
		assert_int_equal(
			fixture->disk->writes_through, modes[i] == DISK_CACHE_WRITETHROUGH);
		memset(bytes, 0x42, sizeof(bytes));
		fixture_add(fixture, DISK_WRITE, 512, bytes, sizeof(bytes), 3)->durable = true;
		fixture_run(fixture);
		fixture_add(fixture, DISK_WRITE_ZEROES, 512, NULL, 512, 0)->durable = true;
		fixture_run(fixture);
		assert_int_equal(fixture_do(fixture, DISK_FLUSH, 0, NULL, 0), 0);
		assert_int_equal(fixture_do(fixture, DISK_READ, 0, bytes, 1024), 0);
		assert_int_equal(bytes[512], 0);
		assert_int_equal(fixture_do(fixture, DISK_READ, 1024, bytes, 512), 0);
		assert_int_equal(bytes[0], 0x42);
		fixture_stop(fixture);
		free(fixture);
	}
}

static void read_only(void **state)
{
	struct disk_options options = {.read_only = true};
	struct disk_fixture *fixture = calloc(1, sizeof(*fixture));
	uint8_t bytes[512] = {0};

	(void)state;
	fixture_make_image(fixture, SIZE);
	assert_int_equal(chmod(fixture->path, 0400), 0);
	fixture_start(fixture, &options, IO_ENGINE_AUTO);
	assert_int_equal(fixture_do(fixture, DISK_READ, 0, bytes, 512), 0);
	assert_int_equal(fixture_do(fixture, DISK_WRITE, 0, bytes, 512), -EROFS);
	assert_int_equal(fixture_do(fixture, DISK_DISCARD, 0, NULL, 512), -EROFS);
	assert_int_equal(fixture_do(fixture, DISK_WRITE_ZEROES, 0, NULL, 512), -EROFS);
	/* Firmware does that. */
	assert_int_equal(fixture_do(fixture, DISK_FLUSH, 0, NULL, 0), 0);
	assert_false(fixture->disk->can_discard || fixture->disk->can_write_zeroes);
	fixture_stop(fixture);
	free(fixture);
}

static void bounds(void **state)
{
	static const struct {
		uint64_t offset, length;
		int result;
	} rows[] = {
		{SIZE - 512, 512, 0},
		{SIZE, 512, -EIO},
		{SIZE - 512, 1024, -EIO},
		{UINT64_MAX - 511, 512, -EIO},
		{512, UINT64_MAX - 511, -EIO},
		{SIZE, 0, 0},
	};
	struct disk_options options = {0};
	struct disk_fixture *fixture = calloc(1, sizeof(*fixture));
	uint8_t bytes[1024];

	(void)state;
	fixture_make_image(fixture, SIZE);
	fixture_start(fixture, &options, IO_ENGINE_AUTO);
	for (unsigned int i = 0; i < array_size(rows); i++) {
		assert_int_equal(
			fixture_do(fixture, DISK_READ, rows[i].offset, bytes, rows[i].length),
			rows[i].result);
		assert_int_equal(fixture_do(fixture, DISK_WRITE_ZEROES, rows[i].offset, NULL,
					 rows[i].length),
			rows[i].result);
	}
	assert_size(fixture->path, SIZE);
	fixture_stop(fixture);
	free(fixture);
}

static uint64_t refresh_size(struct disk *disk)
{
	struct err err = {0};
	uint64_t size;

	assert_int_equal(disk_measure(disk, &size, &err), 0);
	disk_set_size(disk, size);
	return disk_size_bytes(disk);
}

static void resize(void **state)
{
	struct disk_options options = {0};
	struct disk_fixture *fixture = calloc(1, sizeof(*fixture));
	uint8_t bytes[512];

	(void)state;
	fixture_make_image(fixture, SIZE);
	fixture_start(fixture, &options, IO_ENGINE_AUTO);
	assert_int_equal(refresh_size(fixture->disk), SIZE);
	assert_int_equal(truncate(fixture->path, SIZE * 2 + 100), 0);
	assert_int_equal(fixture_do(fixture, DISK_READ, SIZE, bytes, 512), -EIO);
	assert_int_equal(refresh_size(fixture->disk), SIZE * 2);
	assert_int_equal(fixture_do(fixture, DISK_READ, SIZE, bytes, 512), 0);
	/* Smaller: an error before it is noticed as well as after. */
	assert_int_equal(truncate(fixture->path, SIZE), 0);
	assert_int_equal(fixture_do(fixture, DISK_READ, SIZE, bytes, 512), -EIO);
	assert_int_equal(refresh_size(fixture->disk), SIZE);
	assert_int_equal(fixture_do(fixture, DISK_READ, SIZE, bytes, 512), -EIO);
	/* In blocks of what direct I/O wants, were that more than a sector. */
	fixture->disk->offset_alignment = 4096;
	assert_int_equal(truncate(fixture->path, SIZE + 4096 + 512), 0);
	assert_int_equal(refresh_size(fixture->disk), SIZE + 4096);
	fixture->disk->offset_alignment = 1;
	assert_int_equal(truncate(fixture->path, 0), 0);
	assert_int_equal(refresh_size(fixture->disk), 0);
	assert_int_equal(fixture_do(fixture, DISK_READ, 0, bytes, 512), -EIO);
	assert_int_equal(fixture_do(fixture, DISK_WRITE, 0, bytes, 512), -EIO);
	fixture_stop(fixture);
	free(fixture);
}

static void host_full(void **state)
{
	struct disk_options options = {0};
	struct disk_fixture *fixture = calloc(1, sizeof(*fixture));
	struct rlimit before, limit;
	uint8_t bytes[4096] = {1};

	(void)state;
	fixture_make_image(fixture, SIZE);
	fixture_start(fixture, &options, IO_ENGINE_THREADS);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = before;
	limit.rlim_cur = 64 << 10;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(fixture_do(fixture, DISK_WRITE, 1 << 20, bytes, 4096), -EFBIG);
	assert_int_equal(fixture_do(fixture, DISK_WRITE, 4096, bytes, 4096), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(fixture_do(fixture, DISK_WRITE, 1 << 20, bytes, 4096), 0);
	fixture_stop(fixture);
	free(fixture);
}

/* How it is opened by another process while this one has it as held says: 0 or an error. */
static int open_in_child(const struct disk_options *options)
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		struct disk *disk;
		struct err err = {0};
		int r = disk_open(options, &disk, &err);

		_exit(r == -EBUSY && strstr(err.text, "in use") ? 1 : r == 0 ? 0 : 2);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* The kernel lets go of a killed VM's lock a moment after it is gone. */
static void a_lock_that_is_about_to_go(void **state)
{
	struct disk_options options = {0};
	struct disk_fixture fixture = {0};
	struct disk *disk = NULL;
	int said[2];
	char byte;
	pid_t child;

	(void)state;
	fixture_make_image(&fixture, 1 << 20);
	options.path = fixture.path;
	assert_int_equal(pipe(said), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		if (disk_open(&options, &disk, NULL) < 0 || write(said[1], "x", 1) != 1)
			_exit(1);
		(void)poll(NULL, 0, 100);
		_exit(0);
	}
	assert_int_equal(read(said[0], &byte, 1), 1);
	assert_int_equal(disk_open(&options, &disk, NULL), 0);
	disk_close(disk);
	assert_int_equal(waitpid(child, NULL, 0), child);
	(void)close(said[0]);
	(void)close(said[1]);
	(void)unlink(fixture.path);
}

static void locks(void **state)
{
	enum { WRITER, READER, EPHEMERAL, SHARED };
	static const bool conflict[4][4] = {
		[WRITER] = {true, true, true, false},
		[READER] = {true, false, false, false},
		[EPHEMERAL] = {true, false, false, false},
		[SHARED] = {false, false, false, false},
	};
	struct disk_fixture fixture;
	struct disk_options options[] = {
		[WRITER] = {0},
		[READER] = {.read_only = true},
		[EPHEMERAL] = {.ephemeral = true},
		[SHARED] = {.share = true},
	};

	(void)state;
	fixture_make_image(&fixture, SIZE);
	for (unsigned int i = 0; i < 4; i++)
		options[i].path = fixture.path;
	for (unsigned int i = 0; i < 4; i++) {
		struct disk *disk = NULL;
		struct err err = {0};

		assert_int_equal(disk_open(&options[i], &disk, &err), 0);
		for (unsigned int j = 0; j < 4; j++) {
			struct disk *second = NULL;
			int r = disk_open(&options[j], &second, &err);

			assert_int_equal(r, conflict[i][j] ? -EBUSY : 0);
			disk_close(second);
			assert_int_equal(open_in_child(&options[j]), conflict[i][j]);
		}
		disk_close(disk);
	}
	(void)unlink(fixture.path);
}

static void refusals(void **state)
{
	static const struct {
		const char *path;
		int64_t size; /* -1: do not make it */
		int code;
		const char *says;
	} rows[] = {
		{"test-disk-none", -1, -ENOENT, "'test-disk-none'"},
		{".", -1, -EISDIR, "directory"},
		{"/dev/null", -1, -EINVAL, "character device"},
		{"test-disk-empty", 0, -EINVAL, "empty"},
		{"test-disk-odd", 513, -EINVAL, "truncate -s %512"},
		{"test-disk-small", 511, -EINVAL, "sectors of 512"},
	};

	(void)state;
	for (unsigned int i = 0; i < array_size(rows); i++) {
		struct disk_options options = {.path = rows[i].path};
		struct disk *disk;
		struct err err = {0};

		if (rows[i].size >= 0) {
			int fd = open(rows[i].path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);

			assert_int_equal(ftruncate(fd, (off_t)rows[i].size), 0);
			(void)close(fd);
		}
		assert_int_equal(disk_open(&options, &disk, &err), rows[i].code);
		if (rows[i].size >= 0)
			(void)unlink(rows[i].path);
		if (!strstr(err.text, rows[i].says) || !strstr(err.text, rows[i].path))
			fail_msg("%s", err.text);
	}
}

static void fifo(void **state)
{
	struct disk_options options = {.path = "test-disk-fifo"};
	struct disk *disk;

	(void)state;
	assert_int_equal(mkfifo(options.path, 0600), 0);
	assert_int_equal(disk_open(&options, &disk, NULL), -EINVAL);
	(void)unlink(options.path);
}

static void properties(void **state)
{
	struct disk_options options = {0};
	struct disk_fixture *fixture = calloc(1, sizeof(*fixture));
	const struct disk *disk;

	(void)state;
	fixture_make_image(fixture, SIZE);
	fixture_start(fixture, &options, IO_ENGINE_AUTO);
	disk = fixture->disk;
	assert_int_equal(disk_size_bytes(disk), SIZE);
	assert_int_equal(disk->logical_block_bytes, 512);
	assert_true(disk->physical_block_bytes >= 512);
	assert_int_equal(disk->physical_block_bytes % 512, 0);
	assert_int_equal(disk->memory_alignment, 1);
	assert_int_equal(disk->offset_alignment, 1);
	assert_true(disk->can_write_zeroes);
	fixture_stop(fixture);
	free(fixture);
}

/* Holes are made: discards and zeroes that may unmap. */
static void gives_storage_back(void **state)
{
	struct disk_options options = {0};
	struct disk_fixture *fixture = calloc(1, sizeof(*fixture));
	uint8_t *bytes = malloc(SIZE);
	struct stat full, after;

	(void)state;
	fixture_make_image(fixture, SIZE);
	fixture_start(fixture, &options, IO_ENGINE_AUTO);
	memset(bytes, 1, SIZE);
	assert_int_equal(fixture_do(fixture, DISK_WRITE, 0, bytes, SIZE), 0);
	assert_int_equal(fixture_do(fixture, DISK_FLUSH, 0, NULL, 0), 0);
	assert_int_equal(stat(fixture->path, &full), 0);
	assert_int_equal(fixture_do(fixture, DISK_DISCARD, 0, NULL, SIZE / 2), 0);
	fixture_add(fixture, DISK_WRITE_ZEROES, SIZE / 2, NULL, SIZE / 2, 0)->unmap = true;
	fixture_run(fixture);
	assert_int_equal(stat(fixture->path, &after), 0);
	assert_true(after.st_blocks < full.st_blocks);
	assert_int_equal(after.st_size, SIZE);
	fixture_stop(fixture);
	free(bytes);
	free(fixture);
}

static void submit_and_hurry(void *context)
{
	struct disk_fixture *fixture = context;

	fixture_submit_all(fixture);
	disk_hurry(fixture->disk);
}

/* Order is kept behind a limit; hurrying does not wait, and is paid for. */
static void limited(void **state)
{
	struct disk_options options = {
		.rate = {.operations_per_second = 1000, .burst_operations = 1}};
	struct disk_fixture *fixture = calloc(1, sizeof(*fixture));
	uint8_t bytes[20][512];
	uint64_t start;

	(void)state;
	fixture_make_image(fixture, SIZE);
	fixture_start(fixture, &options, IO_ENGINE_AUTO);
	start = clock_monotonic_ns();
	for (unsigned int i = 0; i < 20; i++) {
		memset(bytes[i], (int)i + 1, 512);
		(void)fixture_add(fixture, DISK_WRITE, i * 512, bytes[i], 512, 1);
	}
	fixture_run(fixture);
	assert_true(clock_monotonic_ns() - start >= 19 * 1000000);
	fixture->disk->limit.operations.rate = 1; /* from now on: one in a second */
	fixture->disk->limit.operations.full_ns = clock_monotonic_ns() + NANOSECONDS_PER_SECOND;
	for (unsigned int i = 0; i < 20; i++)
		(void)fixture_add(fixture, DISK_READ, i * 512, bytes[19 - i], 512, 1);
	io_thread_call(fixture->thread, submit_and_hurry, fixture);
	fixture_wait(fixture);
	for (unsigned int i = 0; i < 20; i++)
		assert_int_equal(bytes[19 - i][0], i + 1);
	assert_true(fixture->disk->limit.operations.full_ns >= start + 20 * NANOSECONDS_PER_SECOND);
	fixture_stop(fixture);
	free(fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(model_on_threads),
		cmocka_unit_test(model_on_any_engine),
		cmocka_unit_test(model_with_blocks),
		cmocka_unit_test(model_direct),
		cmocka_unit_test(cache_modes),
		cmocka_unit_test(read_only),
		cmocka_unit_test(bounds),
		cmocka_unit_test(resize),
		cmocka_unit_test(host_full),
		cmocka_unit_test(a_lock_that_is_about_to_go),
		cmocka_unit_test(locks),
		cmocka_unit_test(refusals),
		cmocka_unit_test(fifo),
		cmocka_unit_test(properties),
		cmocka_unit_test(gives_storage_back),
		cmocka_unit_test(limited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
