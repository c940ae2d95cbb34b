#include "aml.h"
#include "cmocka_all.h"
#include "compiler.h"

#include <stdlib.h>
#include <string.h>

static void check(const struct blob *aml, const char *expected, size_t length)
{
	assert_false(aml->overflow);
	assert_int_equal(aml->length, length);
	assert_memory_equal(aml->data, expected, length);
}

#define CHECK(aml, literal) check(aml, literal, sizeof(literal) - 1)

static void integers_take_the_shortest_form(void **state)
{
	static const struct {
		uint64_t value;
		size_t length;
		uint8_t bytes[9];
	} cases[] = {
		{0, 1, {0x00}},
		{1, 1, {0x01}},
		{2, 2, {0x0a, 2}},
		{0xff, 2, {0x0a, 0xff}},
		{0x100, 3, {0x0b, 0x00, 0x01}},
		{0xffff, 3, {0x0b, 0xff, 0xff}},
		{0x10000, 5, {0x0c, 0, 0, 1, 0}},
		{0xffffffff, 5, {0x0c, 0xff, 0xff, 0xff, 0xff}},
		{0x100000000, 9, {0x0e, 0, 0, 0, 0, 1, 0, 0, 0}},
		{UINT64_MAX, 9, {0x0e, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
	};

	(void)state;
	for (size_t i = 0; i < array_size(cases); i++) {
		uint8_t buffer[16];
		struct blob aml = {.data = buffer, .capacity = sizeof(buffer)};

		aml_integer(&aml, cases[i].value);
		check(&aml, (const char *)cases[i].bytes, cases[i].length);
	}
}

static void paths(void **state)
{
	static const struct {
		const char *path;
		const char *bytes;
		size_t length;
	} cases[] = {
		{"\\", "\\\0", 2},
		{"ABCD", "ABCD", 4},
		{"A", "A___", 4},
		{"\\_SB", "\\_SB_", 5},
		{"^AB", "^AB__", 5},
		{"^^AB", "^^AB__", 6},
		{"\\_SB.PCI0", "\\\x2e_SB_PCI0", 10},
		{"A.BC.DEF",
			"\x2f\x03"
			"A___BC__DEF_",
			14},
	};

	(void)state;
	for (size_t i = 0; i < array_size(cases); i++) {
		uint8_t buffer[32];
		struct blob aml = {.data = buffer, .capacity = sizeof(buffer)};

		aml_path(&aml, cases[i].path);
		check(&aml, cases[i].bytes, cases[i].length);
	}
}

static void hardware_ids(void **state)
{
	uint8_t buffer[32];
	struct blob aml = {.data = buffer, .capacity = sizeof(buffer)};

	(void)state;
	aml_hardware_id(&aml, "PNP0A08");
	CHECK(&aml, "\x0c\x41\xd0\x0a\x08");
	aml.length = 0;
	aml_hardware_id(&aml, "ACPI0007");
	CHECK(&aml, "\x0d"
		    "ACPI0007\0");
}

/* Around each size at which the length itself grows by a byte: it counts itself. */
static void package_lengths(void **state)
{
	static const struct {
		size_t content; /* behind the length */
		size_t length_bytes;
		uint8_t bytes[4];
	} cases[] = {
		{0, 1, {0x01}},
		{62, 1, {0x3f}},
		{63, 2, {0x41, 0x04}},
		{4093, 2, {0x4f, 0xff}},
		{4094, 3, {0x81, 0x00, 0x01}},
		{0xfffff - 3, 3, {0x8f, 0xff, 0xff}},
		{0xfffff - 2, 4, {0xc1, 0x00, 0x00, 0x01}},
	};

	(void)state;
	for (size_t i = 0; i < array_size(cases); i++) {
		size_t total = 1 + cases[i].length_bytes + cases[i].content;

		/* One byte too few: found out at the content or at the length. */
		for (size_t missing = 0; missing <= 1; missing++) {
			uint8_t *buffer = malloc(total - missing);
			struct blob aml = {.data = buffer, .capacity = total - missing};
			size_t mark = aml_else_begin(&aml);

			assert_non_null(buffer);
			for (size_t byte = 0; byte < cases[i].content; byte++)
				blob_u8(&aml, (uint8_t)(byte * 7));
			aml_end(&aml, mark);
			assert_int_equal(aml.overflow, missing);
			if (!missing) {
				assert_int_equal(aml.length, total);
				assert_memory_equal(
					buffer + 1, cases[i].bytes, cases[i].length_bytes);
				for (size_t byte = 0; byte < cases[i].content; byte++)
					assert_int_equal(buffer[1 + cases[i].length_bytes + byte],
						(uint8_t)(byte * 7));
			}
			free(buffer);
		}
	}
}

static void blocks_nest(void **state)
{
	uint8_t buffer[64];
	struct blob aml = {.data = buffer, .capacity = sizeof(buffer)};
	size_t scope, method, package;

	(void)state;
	scope = aml_scope_begin(&aml, "\\");
	aml_name(&aml, "P");
	package = aml_package_begin(&aml, 2);
	aml_integer(&aml, 5);
	aml_string(&aml, "x");
	aml_end(&aml, package);
	method = aml_method_begin(&aml, "M", 2);
	aml_op(&aml, AML_RETURN);
	aml_argument(&aml, 1);
	aml_end(&aml, method);
	aml_end(&aml, scope);
	CHECK(&aml, "\x10\x19\\\0"
		    "\x08P___\x12\x07\x02\x0a\x05\x0dx\0"
		    "\x14\x08M___\x0a\xa4\x69");
}

static void resources(void **state)
{
	uint8_t buffer[256];
	struct blob aml = {.data = buffer, .capacity = sizeof(buffer)};
	size_t mark;

	(void)state;
	mark = aml_resources_begin(&aml);
	aml_resource_io(&aml, 0x3f8, 8);
	aml_resource_interrupt(&aml, 4, false);
	aml_resource_interrupt(&aml, 20, false);
	aml_resource_memory32(&aml, 0xe0000000, 0x1000000);
	aml_resources_end(&aml, mark);
	CHECK(&aml, "\x11\x26\x0b\x22\x00"
		    "\x47\x01\xf8\x03\xf8\x03\x01\x08"
		    "\x22\x10\x00"
		    "\x89\x06\x00\x03\x01\x14\x00\x00\x00"
		    "\x86\x09\x00\x01\x00\x00\x00\xe0\x00\x00\x00\x01"
		    "\x79\x00");
	aml.length = 0;
	aml_resource_bus_numbers(&aml, 0, 256);
	CHECK(&aml, "\x88\x0d\x00\x02\x0c\x00\x00\x00\x00\x00\xff\x00\x00\x00\x00\x01");
	aml.length = 0;
	aml_resource_window32(&aml, 0xc0000000, 0x20000000);
	CHECK(&aml, "\x87\x17\x00\x00\x0c\x01\x00\x00\x00\x00\x00\x00\x00\xc0\xff\xff\xff\xdf"
		    "\x00\x00\x00\x00\x00\x00\x00\x20");
	aml.length = 0;
	aml_resource_window64(&aml, 0x100000000, 0x200000000);
	CHECK(&aml, "\x8a\x2b\x00\x00\x0c\x01\0\0\0\0\0\0\0\0"
		    "\0\0\0\0\x01\0\0\0\xff\xff\xff\xff\x02\0\0\0"
		    "\0\0\0\0\0\0\0\0\0\0\0\0\x02\0\0\0");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers_take_the_shortest_form),
		cmocka_unit_test(paths),
		cmocka_unit_test(hardware_ids),
		cmocka_unit_test(package_lengths),
		cmocka_unit_test(blocks_nest),
		cmocka_unit_test(resources),
	};

	return cmocka_run_group_tests_name("aml", tests, NULL, NULL);
}
