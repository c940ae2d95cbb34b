#include "cmocka_all.h"
#include "parse.h"

#include <errno.h>

static void numbers(void **state)
{
	static const struct {
		const char *text;
		int result;
		uint64_t value;
	} cases[] = {
		{"0", 0, 0},
		{"42", 0, 42},
		{"0x1f", 0, 31},
		{"18446744073709551615", 0, UINT64_MAX},
		{"18446744073709551616", -ERANGE, 0},
		{"", -EINVAL, 0},
		{"0x", -EINVAL, 0},
		{"-1", -EINVAL, 0},
		{"+1", -EINVAL, 0},
		{" 1", -EINVAL, 0},
		{"1 ", -EINVAL, 0},
		{"1f", -EINVAL, 0},
	};

	(void)state;
	for (size_t i = 0; i < array_size(cases); i++) {
		uint64_t value = 0;

		assert_int_equal(parse_u64(cases[i].text, UINT64_MAX, &value), cases[i].result);
		assert_int_equal(value, cases[i].value);
	}
	assert_int_equal(parse_u64("9", 8, &(uint64_t){0}), -ERANGE);
}

static void sizes(void **state)
{
	static const struct {
		const char *text;
		int result;
		uint64_t bytes;
	} cases[] = {
		{"512", 0, UINT64_C(512) << 20},
		{"1G", 0, UINT64_C(1) << 30},
		{"1g", 0, UINT64_C(1) << 30},
		{"1GiB", 0, UINT64_C(1) << 30},
		{"2MB", 0, UINT64_C(2) << 20},
		{"16K", 0, UINT64_C(16) << 10},
		{"3T", 0, UINT64_C(3) << 40},
		{"4096b", 0, 4096},
		{"1E", -EINVAL, 0},
		{"1GG", -EINVAL, 0},
		{"G", -EINVAL, 0},
		{"", -EINVAL, 0},
		{"1.5G", -EINVAL, 0},
		{"99999999999T", -ERANGE, 0},
		{"99999999999999999999", -ERANGE, 0},
	};

	(void)state;
	for (size_t i = 0; i < array_size(cases); i++) {
		uint64_t bytes = 0;

		assert_int_equal(parse_size_bytes(cases[i].text, UINT64_C(1) << 20, &bytes),
			cases[i].result);
		assert_int_equal(bytes, cases[i].bytes);
	}
}

static void durations(void **state)
{
	static const struct {
		const char *text;
		int result;
		uint64_t ns;
	} cases[] = {
		{"30", 0, UINT64_C(30000000000)},
		{"30s", 0, UINT64_C(30000000000)},
		{"250ms", 0, UINT64_C(250000000)},
		{"1.5s", 0, UINT64_C(1500000000)},
		{"0.000000001", 0, 1},
		{"2m", 0, UINT64_C(120000000000)},
		{"1h", 0, UINT64_C(3600000000000)},
		{"1.", -EINVAL, 0},
		{".5", -EINVAL, 0},
		{"1d", -EINVAL, 0},
		{"", -EINVAL, 0},
		{"99999999999999h", -ERANGE, 0},
	};

	(void)state;
	for (size_t i = 0; i < array_size(cases); i++) {
		uint64_t ns = 0;

		assert_int_equal(parse_duration_ns(cases[i].text, &ns), cases[i].result);
		assert_int_equal(ns, cases[i].ns);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),
		cmocka_unit_test(sizes),
		cmocka_unit_test(durations),
	};

	return cmocka_run_group_tests_name("parse", tests, NULL, NULL);
}
