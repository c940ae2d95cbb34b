/*
 * A block device as a disk: what it tells of itself, and reads, writes, discards and zeroes through
 * the kernel's own rules for devices. Skipped, with the reason, where no loop device can be made.
 */
#include "disk_model.h"

#include <errno.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#define SIZE (UINT64_C(2) << 20)

struct block_fixture {
	struct disk_fixture disk;
	char image[64];
	int image_fd, loop_fd;
};

/* -errno: there are no loop devices here, or not for us. */
static int make_device(struct block_fixture *fixture, uint32_t block_bytes, uint32_t flags)
{
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), number, r;
	struct loop_config config = {.block_size = block_bytes};

	if (control < 0)
		return -errno;
	number = ioctl(control, LOOP_CTL_GET_FREE);
	r = number < 0 ? -errno : 0;
	(void)close(control);
	if (r < 0)
		return r;
	(void)snprintf(fixture->disk.path, sizeof(fixture->disk.path), "/dev/loop%d", number);
	fixture->loop_fd = open(fixture->disk.path, O_RDWR | O_CLOEXEC);
	if (fixture->loop_fd < 0)
		return -errno;
	config.fd = (uint32_t)fixture->image_fd;
	/* Gone with its last user, whatever becomes of this program. */
	config.info.lo_flags = LO_FLAGS_AUTOCLEAR | flags;
	return ioctl(fixture->loop_fd, LOOP_CONFIGURE, &config) != 0 ? -errno : 0;
}

static struct block_fixture *begin(uint32_t block_bytes, uint32_t flags)
{
	struct block_fixture *fixture = calloc(1, sizeof(*fixture));
	int r;

	assert_non_null(fixture);
	fixture->loop_fd = -1;
	(void)snprintf(fixture->image, sizeof(fixture->image), "test-block-XXXXXX");
	fixture->image_fd = mkostemp(fixture->image, O_CLOEXEC);
	assert_true(fixture->image_fd >= 0);
	(void)unlink(fixture->image);
	assert_int_equal(ftruncate(fixture->image_fd, SIZE), 0);
	r = make_device(fixture, block_bytes, flags);
	if (r < 0) {
		print_message("skipped: no loop device can be made here: %s\n", strerror(-r));
		if (fixture->loop_fd >= 0)
			(void)close(fixture->loop_fd);
		(void)close(fixture->image_fd);
		free(fixture);
		skip();
	}
	return fixture;
}

static void end(struct block_fixture *fixture)
{
	if (fixture->disk.disk) {
		/* Not fixture_stop: that removes what it has used. */
		disk_detach(fixture->disk.disk);
		disk_close(fixture->disk.disk);
		io_thread_destroy(fixture->disk.thread);
		(void)sem_destroy(&fixture->disk.done);
	}
	(void)close(fixture->loop_fd);
	(void)close(fixture->image_fd);
	free(fixture);
}

static void properties(void **state)
{
	struct disk_options options = {0};
	static const uint32_t blocks[] = {512, 4096};

	(void)state;
	for (size_t i = 0; i < array_size(blocks); i++) {
		struct block_fixture *fixture = begin(blocks[i], 0);
		const struct disk *disk;

		fixture_start(&fixture->disk, &options, IO_ENGINE_AUTO);
		disk = fixture->disk.disk;
		assert_int_equal(disk_size_bytes(disk), SIZE);
		assert_int_equal(disk->logical_block_bytes, blocks[i]);
		assert_true(disk->physical_block_bytes >= blocks[i]);
		assert_true(disk->discard_granularity_bytes >= blocks[i]);
		assert_int_equal(disk->discard_granularity_bytes % blocks[i], 0);
		assert_true(disk->can_write_zeroes);
		assert_int_equal(disk->memory_alignment, 1);
		end(fixture);
	}
}

static void run_model(struct disk_options options, enum io_engine_choice engine, uint64_t seed)
{
	struct block_fixture *fixture = begin(512, 0);
	struct disk_model model;

	fixture_start(&fixture->disk, &options, engine);
	model_init(&model, &fixture->disk, SIZE, seed);
	model.misalignment = 200;
	for (unsigned int i = 0; i < 60; i++)
		model_run_batch(&model);
	model_check_all(&model);
	model_fini(&model);
	end(fixture);
}

static void model_by_threads(void **state)
{
	(void)state;
	run_model((struct disk_options){0}, IO_ENGINE_THREADS, 0x5555555555555555);
}

static void model_by_any_engine(void **state)
{
	(void)state;
	run_model((struct disk_options){0}, IO_ENGINE_AUTO, 0x6666666666666666);
}

static void model_direct(void **state)
{
	(void)state;
	run_model((struct disk_options){.direct = true}, IO_ENGINE_AUTO, 0x7777777777777777);
}

/* What one block of 4096 cannot do as a whole is the request's error. */
static void blocks_of_4096(void **state)
{
	struct disk_options options = {0};
	struct block_fixture *fixture = begin(4096, 0);
	uint8_t bytes[4096], read[4096];

	(void)state;
	memset(bytes, 0xa5, sizeof(bytes));
	fixture_start(&fixture->disk, &options, IO_ENGINE_AUTO);
	assert_int_equal(fixture_do(&fixture->disk, DISK_WRITE, 4096, bytes, 4096), 0);
	assert_int_equal(fixture_do(&fixture->disk, DISK_READ, 4096 + 512, read, 512), 0);
	assert_memory_equal(read, bytes, 512);
	assert_true(fixture_do(&fixture->disk, DISK_WRITE_ZEROES, 4096 + 512, NULL, 512) <= 0);
	/* Parts of blocks are not discarded. */
	assert_int_equal(fixture_do(&fixture->disk, DISK_DISCARD, 4096 + 512, NULL, 1024), 0);
	assert_int_equal(fixture_do(&fixture->disk, DISK_READ, 4096 + 512, read, 1024), 0);
	assert_memory_equal(read + 512, bytes, 512);
	assert_int_equal(fixture_do(&fixture->disk, DISK_WRITE_ZEROES, 4096, NULL, 4096), 0);
	assert_int_equal(fixture_do(&fixture->disk, DISK_READ, 4096, read, 4096), 0);
	memset(bytes, 0, sizeof(bytes));
	assert_memory_equal(read, bytes, 4096);
	end(fixture);
}

static uint64_t image_blocks(const struct block_fixture *fixture)
{
	struct stat status;

	assert_int_equal(fstat(fixture->image_fd, &status), 0);
	return (uint64_t)status.st_blocks;
}

/* The storage is given back: through the device, to the file behind it. */
static void discard_frees(void **state)
{
	static const enum disk_operation operations[] = {DISK_DISCARD, DISK_WRITE_ZEROES};
	struct disk_options options = {0};
	struct block_fixture *fixture = begin(512, 0);
	uint8_t *bytes = malloc(SIZE / 2);

	(void)state;
	assert_non_null(bytes);
	memset(bytes, 0x5a, SIZE / 2);
	fixture_start(&fixture->disk, &options, IO_ENGINE_AUTO);
	for (size_t i = 0; i < array_size(operations) && fixture->disk.disk->can_discard; i++) {
		struct disk_request *request;

		assert_int_equal(fixture_do(&fixture->disk, DISK_WRITE, 0, bytes, SIZE / 2), 0);
		assert_int_equal(fixture_do(&fixture->disk, DISK_FLUSH, 0, NULL, 0), 0);
		assert_true(image_blocks(fixture) >= SIZE / 2 / 512);
		request = fixture_add(&fixture->disk, operations[i], 0, NULL, SIZE / 2, 1);
		request->unmap = true;
		fixture_run(&fixture->disk);
		assert_int_equal(request->result, 0);
		assert_true(image_blocks(fixture) < SIZE / 2 / 512);
	}
	free(bytes);
	end(fixture);
}

static void size_changes(void **state)
{
	struct disk_options options = {0};
	struct block_fixture *fixture = begin(512, 0);
	uint8_t bytes[512];
	struct err err = {0};
	uint64_t size;

	(void)state;
	fixture_start(&fixture->disk, &options, IO_ENGINE_AUTO);
	assert_int_equal(ftruncate(fixture->image_fd, SIZE * 2), 0);
	assert_int_equal(ioctl(fixture->loop_fd, LOOP_SET_CAPACITY, 0), 0);
	assert_int_equal(disk_measure(fixture->disk.disk, &size, &err), 0);
	assert_int_equal(size, SIZE * 2);
	disk_set_size(fixture->disk.disk, size);
	assert_int_equal(fixture_do(&fixture->disk, DISK_READ, size - 512, bytes, 512), 0);
	assert_int_equal(fixture_do(&fixture->disk, DISK_READ, size, bytes, 512), -EIO);
	/* Shrunk behind our back: an error of the request. */
	assert_int_equal(ftruncate(fixture->image_fd, SIZE / 2), 0);
	assert_int_equal(ioctl(fixture->loop_fd, LOOP_SET_CAPACITY, 0), 0);
	assert_true(fixture_do(&fixture->disk, DISK_READ, SIZE, bytes, 512) < 0);
	assert_true(fixture_do(&fixture->disk, DISK_WRITE, SIZE, bytes, 512) < 0);
	assert_true(fixture_do(&fixture->disk, DISK_DISCARD, SIZE, NULL, 4096) <= 0);
	assert_int_equal(disk_measure(fixture->disk.disk, &size, &err), 0);
	assert_int_equal(size, SIZE / 2);
	end(fixture);
}

/* Held by something else, as by a file system: refused for writing, welcome for reading. */
static void in_use(void **state)
{
	struct block_fixture *fixture = begin(512, 0);
	struct disk_options options = {.path = fixture->disk.path};
	int holder = open(fixture->disk.path, O_RDONLY | O_EXCL | O_CLOEXEC);
	struct disk *disk = NULL;
	struct err err = {0};

	(void)state;
	assert_true(holder >= 0);
	assert_int_equal(disk_open(&options, &disk, &err), -EBUSY);
	assert_non_null(strstr(err.text, "in use by this host"));
	options.read_only = true;
	assert_int_equal(disk_open(&options, &disk, &err), 0);
	disk_close(disk);
	(void)close(holder);
	end(fixture);
}

static void read_only_device(void **state)
{
	struct block_fixture *fixture = begin(512, LO_FLAGS_READ_ONLY);
	struct disk_options options = {.path = fixture->disk.path};
	struct disk *disk = NULL;
	struct err err = {0};

	(void)state;
	assert_true(disk_open(&options, &disk, &err) < 0);
	assert_non_null(strstr(err.text, "ephemeral")); /* which the advice names */
	options.read_only = true;
	assert_int_equal(disk_open(&options, &disk, &err), 0);
	disk_close(disk);
	options.read_only = false;
	options.ephemeral = true;
	assert_int_equal(disk_open(&options, &disk, &err), 0);
	disk_close(disk);
	end(fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(properties),
		cmocka_unit_test(model_by_threads),
		cmocka_unit_test(model_by_any_engine),
		cmocka_unit_test(model_direct),
		cmocka_unit_test(blocks_of_4096),
		cmocka_unit_test(discard_frees),
		cmocka_unit_test(size_changes),
		cmocka_unit_test(in_use),
		cmocka_unit_test(read_only_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
