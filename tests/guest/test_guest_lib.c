/*
 * The parts of the freestanding guests that decide what a test of the machine means.
 */
#include "cmocka_all.h"
#include "format.h"
#include "sha256.h"
#include "words.h"

#include <stdio.h>
#include <string.h>

static void check_format(const char *expected, size_t capacity, const char *pattern, ...)
	printf_like(3, 4);

static void check_format(const char *expected, size_t capacity, const char *pattern, ...)
{
	char data[64] = "";
	struct format format = {data, capacity, 0};
	va_list arguments;

	va_start(arguments, pattern);
	format_add_list(&format, pattern, arguments);
	va_end(arguments);
	assert_string_equal(data, expected);
	assert_int_equal(format.length, strlen(expected));
}

static void formats(void **state)
{
	(void)state;
	check_format("plain", 64, "plain");
	check_format("a b%", 64, "%s %c%c", "a", 'b', '%');
	check_format("0 42", 64, "%u %u", 0u, 42u);
	check_format("-2147483648", 64, "%d", INT32_MIN);
	check_format("-9223372036854775808", 64, "%ld", INT64_MIN);
	check_format("18446744073709551615", 64, "%lu", UINT64_MAX);
	check_format("ffffffffffffffff", 64, "%lx", UINT64_MAX);
	check_format("0x0a|  a|00000010", 64, "0x%02x|%3x|%08x", 10u, 10u, 16u);
	check_format("abc", 4, "%s", "abcdef");
	check_format("", 1, "%u", 7u);
	check_format("12", 3, "%lu", UINT64_C(123456));
}

static void values(void **state)
{
	static const struct {
		const char *line, *name;
		size_t capacity;
		bool has, has_value;
		const char *value;
	} cases[] = {
		{"", "end", 16, false, false, ""},
		{"end", "end", 16, true, false, ""},
		{"end=", "end", 16, true, true, ""},
		{"end=halt", "end", 16, true, true, "halt"},
		{"  a  end=halt  b", "end", 16, true, true, "halt"},
		{"end=halt end=spin", "end", 16, true, true, "spin"},
		{"ending=x", "end", 16, false, false, ""},
		{"en end", "end", 16, true, false, ""},
		{"send=1", "end", 16, false, false, ""},
		{"end=a=b", "end", 16, true, true, "a=b"},
		{"end=abcdef", "end", 4, true, true, "abc"},
		{"probe.only=a,b", "probe.only", 16, true, true, "a,b"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char value[16] = "unset";

		assert_int_equal(words_has(cases[i].line, cases[i].name), cases[i].has);
		assert_int_equal(
			words_value(cases[i].line, cases[i].name, value, cases[i].capacity),
			cases[i].has_value);
		assert_string_equal(value, cases[i].value);
	}
}

static void numbers(void **state)
{
	static const struct {
		const char *line;
		uint64_t number;
	} cases[] = {
		{"n=0", 0},
		{"n=16", 16},
		{"n=0x7f", 0x7f},
		{"n=18446744073709551615", UINT64_MAX},
		{"n", 99},
		{"n=", 99},
		{"m=1", 99},
		{"n=1k", 99},
		{"n=-1", 99},
		{"n=a", 99},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(words_number(cases[i].line, "n", 99), cases[i].number);
}

static void check_digest(const uint8_t *digest, const char *expected)
{
	char text[2 * SHA256_BYTES + 1];

	for (size_t i = 0; i < SHA256_BYTES; i++)
		(void)snprintf(text + 2 * i, 3, "%02x", digest[i]);
	assert_string_equal(text, expected);
}

static void strings(void **state)
{
	(void)state;
	assert_true(string_equal("", ""));
	assert_true(string_equal("halt", "halt"));
	assert_false(string_equal("halt", "hal"));
	assert_false(string_equal("hal", "halt"));
}

/* FIPS 180-4's examples, and a million bytes in pieces of every length. */
static void digests(void **state)
{
	static const struct {
		const char *text, *digest;
	} cases[] = {
		{"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		{"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
		{"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
			"248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
	};
	struct sha256 hash;
	uint8_t digest[SHA256_BYTES], as[200];
	size_t left = 1000000;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		sha256_init(&hash);
		sha256_add(&hash, cases[i].text, strlen(cases[i].text));
		sha256_digest(&hash, digest);
		check_digest(digest, cases[i].digest);
	}
	memset(as, 'a', sizeof(as));
	sha256_init(&hash);
	for (size_t part = 0; left; part = (part + 1) % sizeof(as)) {
		part = part < left ? part : left;
		sha256_add(&hash, as, part);
		left -= part;
	}
	sha256_digest(&hash, digest);
	check_digest(digest, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(formats),
		cmocka_unit_test(values),
		cmocka_unit_test(numbers),
		cmocka_unit_test(strings),
		cmocka_unit_test(digests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
