#include "disk_clusters.h"
#include "disk_model.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define CLUSTER   4096
#define BASE_SIZE (UINT64_C(3) << 20 | 1536) /* the last cluster is a short one */

static uint8_t base_byte(uint64_t offset)
{
	return (uint8_t)(1 + offset / 512 % 250);
}

static void fill_base(const char *path, uint8_t *copy)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	for (uint64_t i = 0; i < BASE_SIZE; i++)
		copy[i] = base_byte(i);
	assert_int_equal(pwrite(fd, copy, BASE_SIZE, 0), BASE_SIZE);
	(void)close(fd);
}

static void assert_base_untouched(const char *path)
{
	uint8_t *bytes = malloc(BASE_SIZE);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_int_equal(pread(fd, bytes, BASE_SIZE, 0), BASE_SIZE);
	(void)close(fd);
	for (uint64_t i = 0; i < BASE_SIZE; i++)
		assert_int_equal(bytes[i], base_byte(i));
	free(bytes);
}

static void run_model(enum io_engine_choice engine, uint64_t seed, unsigned int batches)
{
	struct disk_options options = {.ephemeral = true};
	struct disk_fixture *fixture = calloc(1, sizeof(*fixture));
	struct disk_model model;

	fixture_make_image(fixture, BASE_SIZE);
	model_init(&model, fixture, BASE_SIZE, seed);
	fill_base(fixture->path, model.bytes);
	fixture_start(fixture, &options, engine);
	for (unsigned int i = 0; i < batches; i++)
		model_run_batch(&model);
	model_check_all(&model);
	assert_base_untouched(fixture->path);
	fixture_stop(fixture);
	model_fini(&model);
	free(fixture);
}

static void model_on_threads(void **state)
{
	(void)state;
	run_model(IO_ENGINE_THREADS, 0x123456789abcdef, 250);
}

static void model_on_any_engine(void **state)
{
	(void)state;
	run_model(IO_ENGINE_AUTO, 0xfedcba987654321, 250);
}

/* Many small writes into one cluster at once: each needs what the base has around it. */
static void one_cluster(void **state)
{
	struct disk_options options = {.ephemeral = true};
	struct disk_fixture *fixture = calloc(1, sizeof(*fixture));
	uint8_t sectors[8][512], *base = malloc(BASE_SIZE), read_back[2 * CLUSTER];

	(void)state;
	fixture_make_image(fixture, BASE_SIZE);
	fill_base(fixture->path, base);
	fixture_start(fixture, &options, IO_ENGINE_AUTO);
	for (unsigned int round = 0; round < 50; round++) {
		uint64_t at = round * 2 * CLUSTER;

		for (unsigned int i = 0; i < 8; i += 2) {
			memset(sectors[i], 0xf0 + (int)i, 512);
			(void)fixture_add(fixture, DISK_WRITE, at + i * 512, sectors[i], 512, 2);
		}
		(void)fixture_add(fixture, DISK_WRITE_ZEROES, at + 7 * 512, NULL, 512 * 2, 1);
		fixture_run(fixture);
		assert_int_equal(
			fixture_do(fixture, DISK_READ, at, read_back, sizeof(read_back)), 0);
		for (unsigned int i = 0; i < sizeof(read_back); i++) {
			unsigned int sector = i / 512;
			unsigned int expected = base_byte(at + i);

			if (sector == 7 || sector == 8)
				expected = 0;
			else if (sector < 7 && sector % 2 == 0)
				expected = 0xf0 + sector;
			assert_int_equal(read_back[i], expected);
		}
	}
	fixture_stop(fixture);
	free(base);
	free(fixture);
}

static void bound(void **state)
{
	struct disk_options options = {.ephemeral = true, .ephemeral_bytes = 4 * CLUSTER};
	struct disk_fixture *fixture = calloc(1, sizeof(*fixture));
	uint8_t *base = malloc(BASE_SIZE), bytes[8 * CLUSTER];

	(void)state;
	memset(bytes, 0x77, sizeof(bytes));
	fixture_make_image(fixture, BASE_SIZE);
	fill_base(fixture->path, base);
	fixture_start(fixture, &options, IO_ENGINE_AUTO);
	assert_int_equal(fixture_do(fixture, DISK_WRITE, 0, bytes, 3 * CLUSTER), 0);
	/* More than is left: refused; a single one goes in; then not even part of one does. */
	assert_int_equal(fixture_do(fixture, DISK_WRITE, 8 * CLUSTER, bytes, 2 * CLUSTER), -ENOSPC);
	assert_int_equal(fixture_do(fixture, DISK_WRITE, 8 * CLUSTER, bytes, 512), 0);
	assert_int_equal(fixture_do(fixture, DISK_WRITE, 16 * CLUSTER, bytes, 512), -ENOSPC);
	/* What was refused reads as before; what is there can be written again. */
	assert_int_equal(fixture_do(fixture, DISK_READ, 16 * CLUSTER, bytes, 512), 0);
	assert_int_equal(bytes[0], base_byte(16 * CLUSTER));
	assert_int_equal(fixture_do(fixture, DISK_WRITE, 0, bytes, 3 * CLUSTER), 0);
	/* Zeroes cost nothing, and room that was given back is room. */
	assert_int_equal(
		fixture_do(fixture, DISK_WRITE_ZEROES, 32 * CLUSTER, NULL, 64 * CLUSTER), 0);
	assert_int_equal(fixture_do(fixture, DISK_DISCARD, 0, NULL, 2 * CLUSTER), 0);
	assert_int_equal(fixture_do(fixture, DISK_READ, 0, bytes, 2 * CLUSTER), 0);
	assert_int_equal(bytes[0] | bytes[2 * CLUSTER - 1], 0);
	assert_int_equal(fixture_do(fixture, DISK_WRITE, 16 * CLUSTER, bytes, 2 * CLUSTER), 0);
	assert_int_equal(fixture_do(fixture, DISK_WRITE, 40 * CLUSTER, bytes, 512), -ENOSPC);
	fixture_stop(fixture);
	free(base);
	free(fixture);
}

static void host_full(void **state)
{
	struct disk_options options = {.ephemeral = true};
	struct disk_fixture *fixture = calloc(1, sizeof(*fixture));
	struct rlimit before, limit;
	uint8_t *base = malloc(BASE_SIZE), bytes[2 * CLUSTER] = {0};

	(void)state;
	fixture_make_image(fixture, BASE_SIZE);
	fill_base(fixture->path, base);
	fixture_start(fixture, &options, IO_ENGINE_THREADS);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = before;
	limit.rlim_cur = 64 << 10;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(fixture_do(fixture, DISK_WRITE, 1 << 20, bytes, sizeof(bytes)), -EFBIG);
	assert_int_equal(fixture_do(fixture, DISK_WRITE, (2 << 20) + 512, bytes, 512), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	/* As before, and healed. */
	assert_int_equal(fixture_do(fixture, DISK_READ, 1 << 20, bytes, sizeof(bytes)), 0);
	for (unsigned int i = 0; i < sizeof(bytes); i++)
		assert_int_equal(bytes[i], base_byte((1 << 20) + i));
	memset(bytes, 0x55, sizeof(bytes));
	assert_int_equal(fixture_do(fixture, DISK_WRITE, 1 << 20, bytes, sizeof(bytes)), 0);
	fixture_stop(fixture);
	free(base);
	free(fixture);
}

static void two_share_a_base(void **state)
{
	struct disk_options options = {.ephemeral = true}, other = {0};
	struct disk_fixture *fixture = calloc(1, sizeof(*fixture));
	struct disk *second = NULL;
	struct err err = {0};

	(void)state;
	fixture_make_image(fixture, BASE_SIZE);
	fixture_start(fixture, &options, IO_ENGINE_AUTO);
	assert_int_equal(disk_open(&options, &second, &err), 0);
	other.path = fixture->path;
	disk_close(second);
	assert_int_equal(disk_open(&other, &second, &err), -EBUSY);
	assert_non_null(strstr(err.text, fixture->path));
	fixture_stop(fixture);
	free(fixture);
}

static void refusals(void **state)
{
	struct disk_fixture fixture;
	struct disk_options options = {.ephemeral = true, .ephemeral_where = "/nowhere/at/all"};
	struct disk *disk;
	struct err err = {0};

	(void)state;
	fixture_make_image(&fixture, 1 << 20);
	options.path = fixture.path;
	assert_int_equal(disk_open(&options, &disk, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nowhere/at/all"));
	options.ephemeral_where = NULL;
	options.direct = true;
	assert_int_equal(disk_open(&options, &disk, &err), -EINVAL);
	options.direct = false;
	options.read_only = true;
	assert_int_equal(disk_open(&options, &disk, &err), -EINVAL);
	(void)unlink(fixture.path);
}

/* Against an array, over the edges of words. */
static void map_of_clusters(void **state)
{
	struct clusters clusters;
	uint8_t states[300] = {0};
	bool busy[300] = {false};
	uint64_t random = 88172645463325252u;

	(void)state;
	assert_int_equal(clusters_init(&clusters, array_size(states), 10), 0);
	for (unsigned int round = 0; round < 3000; round++) {
		uint64_t first, end, run;

		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		first = random % array_size(states);
		end = first + 1 + (random >> 20) % (array_size(states) - first);
		if (random >> 40 & 1) {
			uint8_t value = (uint8_t)((random >> 50) % 3);

			clusters_set_state(&clusters, first, end, (enum cluster_state)value);
			memset(&states[first], value, end - first);
		} else {
			bool value = random >> 50 & 1;

			for (uint64_t i = first; i < end; i++) {
				if (busy[i] != value)
					clusters_set_busy(&clusters, i, i + 1, value);
				busy[i] = value;
			}
		}
		for (run = first; run < end && states[run] == states[first]; run++)
			assert_int_equal(clusters_state(&clusters, run), states[run]);
		assert_int_equal(clusters_run_end(&clusters, first, end), run);
		for (run = first; run < end && !busy[run]; run++)
			;
		assert_int_equal(clusters_find_busy(&clusters, first, end), run);
	}
	clusters_fini(&clusters);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(map_of_clusters),
		cmocka_unit_test(model_on_threads),
		cmocka_unit_test(model_on_any_engine),
		cmocka_unit_test(one_cluster),
		cmocka_unit_test(bound),
		cmocka_unit_test(host_full),
		cmocka_unit_test(two_share_a_base),
		cmocka_unit_test(refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
