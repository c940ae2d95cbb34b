#include "cmocka_all.h"
#include "gmem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE UINT64_C(65536) /* of any host: a region is whole pages */
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

static void spans(void **state)
{
	static const struct {
		uint64_t address;
		uint32_t length;
		bool good;
	} cases[] = {
		{0, 1, true},
		{0, 4 * PAGE, true},
		{0, 4 * PAGE + 1, false}, /* crosses regions */
		{4 * PAGE - 1, 2, false},
		{4 * PAGE, PAGE, true},
		{5 * PAGE - 1, 1, true},
		{5 * PAGE - 1, 2, false},
		{5 * PAGE - 1, 0, true},
		{5 * PAGE, 0, false},
		{FAR - 1, 1, false},
		{FAR, 2 * PAGE, true},
		{FAR + 1, 2 * PAGE, false},
		{FAR, UINT32_MAX, false},
		{UINT64_MAX, 1, false},
		{UINT64_MAX, UINT32_MAX, false},
		{UINT64_MAX, 0, false},
	};
	const struct gmem *gmem = *state;

	for (size_t i = 0; i < array_size(cases); i++) {
		struct gmem_span span = {NULL, 0};
		int r = gmem_span(
			gmem, gpa_at(cases[i].address), cases[i].length, GMEM_WRITE, &span);

		assert_int_equal(r, cases[i].good ? 0 : -EFAULT);
		assert_int_equal(span.host != NULL, cases[i].good);
		assert_int_equal(span.length, cases[i].good ? cases[i].length : 0);
		if (cases[i].good)
			memset(span.host, (int)i + 1, span.length);
		if (cases[i].good && cases[i].length) {
			uint8_t byte;

			assert_int_equal(gmem_read(gmem, gpa_at(cases[i].address), &byte, 1), 0);
			assert_int_equal(byte, i + 1);
		}
	}
}

static void ordered_words(void **state)
{
	const struct gmem *gmem = *state;
	uint16_t value;

	assert_int_equal(gmem_store16_release(gmem, gpa_at(FAR + 2), 0x1234), 0);
	assert_int_equal(gmem_load16_acquire(gmem, gpa_at(FAR + 2), &value), 0);
	assert_int_equal(value, 0x1234);
	assert_int_equal(gmem_load16_acquire(gmem, gpa_at(1), &value), -EINVAL);
	assert_int_equal(gmem_store16_release(gmem, gpa_at(1), 0), -EINVAL);
	assert_int_equal(gmem_load16_acquire(gmem, gpa_at(5 * PAGE), &value), -EFAULT);
	assert_int_equal(gmem_store16_release(gmem, gpa_at(UINT64_MAX - 1), 0), -EFAULT);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(bounds, setup, teardown),
		cmocka_unit_test_setup_teardown(crossing_is_all_or_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(words, setup, teardown),
		cmocka_unit_test_setup_teardown(spans, setup, teardown),
		cmocka_unit_test_setup_teardown(ordered_words, setup, teardown),
		cmocka_unit_test_setup_teardown(files, setup, teardown),
	};

	return cmocka_run_group_tests_name("gmem", tests, NULL, NULL);
}
