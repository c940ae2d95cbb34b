#include "cmocka_all.h"
#include "gmem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE UINT64_C(4096)
#define FAR  (UINT64_C(1) << 32)

/* Two adjacent regions, a hole, then a third one. */
static int setup(void **state)
{
	struct gmem *gmem = calloc(1, sizeof(*gmem));

	assert_non_null(gmem);
	gmem->region_count = 3;
	gmem->regions[0] = (struct gmem_region){.base = gpa_at(0), .size_bytes = 4 * PAGE};
	gmem->regions[1] = (struct gmem_region){.base = gpa_at(4 * PAGE), .size_bytes = PAGE};
	gmem->regions[2] = (struct gmem_region){.base = gpa_at(FAR), .size_bytes = 2 * PAGE};
	assert_int_equal(gmem_create(gmem, &(struct gmem_options){0}, NULL), 0);
	*state = gmem;
	return 0;
}

static int teardown(void **state)
{
	gmem_destroy(*state);
	free(*state);
	return 0;
}

static void bounds(void **state)
{
	const struct gmem *gmem = *state;
	char byte = 'x';

	assert_true(gmem_contains(gmem, gpa_at(0), 4 * PAGE));
	assert_true(gmem_contains(gmem, gpa_at(FAR + PAGE), PAGE));
	assert_true(gmem_contains(gmem, gpa_at(PAGE), 0));
	assert_false(gmem_contains(gmem, gpa_at(0), 5 * PAGE)); /* a span stays in one region */
	assert_false(gmem_contains(gmem, gpa_at(FAR), UINT64_MAX));
	assert_false(gmem_contains(gmem, gpa_at(UINT64_MAX), 1));
	assert_int_equal(gmem_write(gmem, gpa_at(5 * PAGE - 1), &byte, 1), 0);
	assert_int_equal(gmem_write(gmem, gpa_at(5 * PAGE), &byte, 1), -EFAULT);
	assert_int_equal(gmem_write(gmem, gpa_at(FAR + 2 * PAGE), &byte, 1), -EFAULT);
	assert_int_equal(gmem_write(gmem, gpa_at(UINT64_MAX), &byte, 1), -EFAULT);
	assert_int_equal(gmem_fill(gmem, gpa_at(FAR), 0, UINT64_MAX), -EFAULT);
}

static void crossing_is_all_or_nothing(void **state)
{
	const struct gmem *gmem = *state;
	char out[16], in[16];

	memset(out, 'a', sizeof(out));
	assert_int_equal(gmem_write(gmem, gpa_at(4 * PAGE - 8), out, 16), 0);
	assert_int_equal(gmem_read(gmem, gpa_at(4 * PAGE - 8), in, 16), 0);
	assert_memory_equal(out, in, 16);
	memset(out, 'b', sizeof(out));
	assert_int_equal(gmem_write(gmem, gpa_at(5 * PAGE - 8), out, 16), -EFAULT);
	assert_int_equal(gmem_read(gmem, gpa_at(5 * PAGE - 8), in, 8), 0);
	assert_memory_equal(in, "\0\0\0\0\0\0\0\0", 8);
}

static void words(void **state)
{
	const struct gmem *gmem = *state;
	uint16_t u16;
	uint32_t u32;
	uint64_t u64;

	assert_int_equal(gmem_store64(gmem, gpa_at(8), UINT64_C(0x1122334455667788)), 0);
	assert_int_equal(gmem_load16(gmem, gpa_at(8), &u16), 0);
	assert_int_equal(u16, 0x7788);
	assert_int_equal(gmem_load32(gmem, gpa_at(12), &u32), 0);
	assert_int_equal(u32, 0x11223344);
	assert_int_equal(gmem_load64(gmem, gpa_at(12), &u64), -EINVAL);
	assert_int_equal(gmem_load32(gmem, gpa_at(5 * PAGE), &u32), -EFAULT);
	assert_int_equal(gmem_store16(gmem, gpa_at(1), 0), -EINVAL);
}

static void files(void **state)
{
	const struct gmem *gmem = *state;
	char path[] = "/tmp/hull-test-XXXXXX";
	int fd = mkstemp(path);
	char in[4];

	assert_true(fd >= 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(write(fd, "hello", 5), 5);
	assert_int_equal(gmem_pread_file(gmem, gpa_at(4 * PAGE - 2), 4, fd, 1), 0);
	assert_int_equal(gmem_read(gmem, gpa_at(4 * PAGE - 2), in, 4), 0);
	assert_memory_equal(in, "ello", 4);
	assert_int_equal(gmem_pread_file(gmem, gpa_at(0), 6, fd, 0), -ENODATA);
	assert_int_equal(gmem_pread_file(gmem, gpa_at(0), 6, fd, UINT64_MAX), -EOVERFLOW);
	assert_int_equal(gmem_pread_file(gmem, gpa_at(0), 6 * PAGE, fd, 0), -EFAULT);
	close(fd);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(bounds, setup, teardown),
		cmocka_unit_test_setup_teardown(crossing_is_all_or_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(words, setup, teardown),
		cmocka_unit_test_setup_teardown(files, setup, teardown),
	};

	return cmocka_run_group_tests_name("gmem", tests, NULL, NULL);
}
