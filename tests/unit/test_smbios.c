/* The structures, read back with offsets from DSP0134's tables. */
#include "every_capacity.h"
#include "smbios.h"
#include "x86_boards.h"

#include <errno.h>

#define BASE     SMBIOS_ADDRESS
#define CAPACITY (SMBIOS_END - SMBIOS_ADDRESS)

struct tables {
	uint8_t bytes[CAPACITY];
	size_t length;
};

static uint64_t word(const uint8_t *at, size_t size)
{
	uint64_t value = 0;

	while (size--)
		value = value << 8 | at[size];
	return value;
}

/* Behind the structure and its strings. */
static const uint8_t *next_structure(const uint8_t *structure, const uint8_t *end)
{
	const uint8_t *at = structure + structure[1];

	assert_true(structure[1] >= 4);
	while (at + 1 < end && (at[0] || at[1]))
		at++;
	assert_true(at + 1 < end);
	return at + 2;
}

static void build(const struct board *board, uint64_t memory_bytes, struct tables *tables)
{
	uint8_t total = 0;

	memset(tables->bytes, 0xa5, sizeof(tables->bytes));
	assert_int_equal(smbios_build(board, memory_bytes, BASE, tables->bytes, CAPACITY,
				 &tables->length, NULL),
		0);
	assert_memory_equal(tables->bytes, "_SM3_", 5);
	assert_int_equal(tables->bytes[6], 24);
	for (size_t i = 0; i < 24; i++)
		total = (uint8_t)(total + tables->bytes[i]);
	assert_int_equal(total, 0);
	assert_int_equal(word(tables->bytes + 12, 4), tables->length - 32);
	assert_int_equal(word(tables->bytes + 16, 8), BASE + 32);
}

static unsigned int count(const struct tables *tables, uint8_t type)
{
	const uint8_t *end = tables->bytes + tables->length;
	unsigned int found = 0;

	for (const uint8_t *at = tables->bytes + 32; at < end; at = next_structure(at, end))
		found += at[0] == type;
	return found;
}

/* The nth structure of that type, which must be there. */
static const uint8_t *find(const struct tables *tables, uint8_t type, unsigned int nth)
{
	const uint8_t *end = tables->bytes + tables->length;
	const uint8_t *at = tables->bytes + 32;

	assert_true(nth < count(tables, type));
	while (at[0] != type || nth-- > 0)
		at = next_structure(at, end);
	return at;
}

static const char *string_of(const uint8_t *structure, size_t offset)
{
	const char *string = (const char *)structure + structure[1];

	if (!structure[offset])
		return NULL;
	for (unsigned int number = structure[offset]; number > 1; number--)
		string += strlen(string) + 1;
	return string;
}

static void structures_are_whole(void **state)
{
	static const uint8_t types[] = {0, 1, 3, 4, 16, 17, 19, 19, 32, 127};
	static const uint8_t lengths[] = {0x18, 0x1b, 0x16, 0x30, 0x17, 0x28, 0x1f, 0x1f, 0x0b, 4};
	struct board board = test_board_fill(test_board_find("large"));
	static struct tables tables;
	const uint8_t *at = tables.bytes + 32;

	(void)state;
	build(&board, 64 * GIB, &tables);
	for (size_t i = 0; i < array_size(types); i++) {
		assert_int_equal(at[0], types[i]);
		assert_int_equal(at[1], lengths[i]);
		assert_int_equal(word(at + 2, 2) >> 8, types[i]);
		at = next_structure(at, tables.bytes + tables.length);
	}
	assert_true(at == tables.bytes + tables.length);
}

static void system_says_who_it_is(void **state)
{
	static const uint8_t uuid[16] = {0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x46, 0x88, 0x99,
		0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
	struct board board = test_board_fill(test_board_find("large"));
	static struct tables tables;
	const uint8_t *system, *firmware;

	(void)state;
	build(&board, GIB, &tables);
	system = find(&tables, 1, 0);
	firmware = find(&tables, 0, 0);
	assert_memory_equal(system + 8, uuid, sizeof(uuid));
	assert_string_equal(string_of(system, 4), "Hull");
	assert_string_equal(string_of(system, 5), "Hull virtual machine");
	assert_string_equal(string_of(system, 7), "web-1");
	assert_string_equal(string_of(firmware, 4), "Hull");
	assert_string_equal(string_of(firmware, 5), HULL_VERSION);
	assert_int_equal(firmware[0x13], 0x10); /* a virtual machine */
}

static void names(void **state)
{
	static const struct {
		const char *name;
		const char *serial;
	} cases[] = {
		{NULL, NULL},
		{"", NULL},
		{"x", "x"},
		{"a\nb\x7f"
		 "c\x01",
			"a?b?c?"},
		{"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
	};

	(void)state;
	for (size_t i = 0; i < array_size(cases); i++) {
		struct board board = test_board_fill(test_board_find("bare"));
		static struct tables tables;
		const char *serial;

		board.name = cases[i].name;
		build(&board, GIB, &tables);
		serial = string_of(find(&tables, 1, 0), 7);
		if (cases[i].serial)
			assert_string_equal(serial, cases[i].serial);
		else
			assert_null(serial);
		assert_int_equal(count(&tables, 127), 1);
	}
}

static void cpus(void **state)
{
	static const struct {
		unsigned int count;
		uint8_t narrow;
	} cases[] = {{1, 1}, {2, 2}, {254, 254}, {255, 255}, {256, 255}, {1024, 255}};

	(void)state;
	for (size_t i = 0; i < array_size(cases); i++) {
		struct board board = test_board_fill(test_board_find("bare"));
		static struct tables tables;
		const uint8_t *processor;

		board.cpu_count = cases[i].count;
		build(&board, GIB, &tables);
		processor = find(&tables, 4, 0);
		for (size_t field = 0; field < 3; field++) {
			assert_int_equal(processor[0x23 + field], cases[i].narrow);
			assert_int_equal(word(processor + 0x2a + 2 * field, 2), cases[i].count);
		}
		assert_int_equal(count(&tables, 4), 1);
	}
}

static void memory(void **state)
{
	static const struct {
		uint64_t bytes;
		uint16_t size;
		uint32_t extended;
		uint32_t array_kib;
		uint32_t low_last_kib;
	} cases[] = {
		{MIB, 1, 0, 1024, 1023},
		{MIB + MIB / 2, 0x8600, 0, 1536, 1535},
		{512 * MIB, 512, 0, 512 * 1024, 512 * 1024 - 1},
		{3 * GIB, 3072, 0, 3 * 1024 * 1024, 3 * 1024 * 1024 - 1},
		{32 * GIB - MIB, 0x7fff, 32767, 32767 * 1024, 3 * 1024 * 1024 - 1},
		{32 * GIB - 2 * MIB, 0x7ffe, 0, 32766 * 1024, 3 * 1024 * 1024 - 1},
		{64 * GIB, 0x7fff, 65536, 64 * 1024 * 1024, 3 * 1024 * 1024 - 1},
		{2048 * GIB, 0x7fff, 2 << 20, 0x80000000, 3 * 1024 * 1024 - 1},
		{16384 * GIB, 0x7fff, 16 << 20, 0x80000000, 3 * 1024 * 1024 - 1},
	};

	(void)state;
	for (size_t i = 0; i < array_size(cases); i++) {
		struct board board = test_board_fill(test_board_find("bare"));
		static struct tables tables;
		const uint8_t *array, *device, *low, *high;
		uint64_t above = cases[i].bytes > 3 * GIB ? cases[i].bytes - 3 * GIB : 0;

		build(&board, cases[i].bytes, &tables);
		array = find(&tables, 16, 0);
		device = find(&tables, 17, 0);
		low = find(&tables, 19, 0);
		assert_int_equal(word(device + 0x0c, 2), cases[i].size);
		assert_int_equal(word(device + 0x1c, 4), cases[i].extended);
		assert_int_equal(word(array + 7, 4), cases[i].array_kib);
		assert_int_equal(word(array + 0x0f, 8),
			cases[i].array_kib == 0x80000000 ? cases[i].bytes : 0);
		assert_int_equal(word(low + 4, 4), 0);
		assert_int_equal(word(low + 8, 4), cases[i].low_last_kib);
		assert_int_equal(count(&tables, 19), above ? 2 : 1);
		if (!above)
			continue;
		high = find(&tables, 19, 1);
		if (word(high + 4, 4) == UINT32_MAX) {
			assert_int_equal(word(high + 0x0f, 8), 4 * GIB);
			assert_int_equal(word(high + 0x17, 8), 4 * GIB + above - 1);
		} else {
			assert_int_equal(word(high + 4, 4), 4 * MIB);
			assert_int_equal(word(high + 8, 4), (4 * GIB + above) / KIB - 1);
		}
	}
}

static int build_into(const void *board, void *buffer, size_t capacity, size_t *ret_length)
{
	return smbios_build(board, 64 * GIB, BASE, buffer, capacity, ret_length, NULL);
}

static void capacity_is_kept(void **state)
{
	struct board board = test_board_fill(test_board_find("large"));
	static struct tables tables;

	(void)state;
	build(&board, 64 * GIB, &tables);
	assert_every_capacity(tables.length, build_into, &board);
}

static void a_name_without_end_does_not_fit(void **state)
{
	static char name[CAPACITY];
	static uint8_t buffer[CAPACITY];
	struct board board = test_board_fill(test_board_find("bare"));
	size_t length;

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	board.name = name;
	assert_int_equal(
		smbios_build(&board, GIB, BASE, buffer, sizeof(buffer), &length, NULL), -ENOSPC);
}

static void impossible_input_is_refused(void **state)
{
	struct board board = test_board_fill(test_board_find("bare"));
	static uint8_t buffer[CAPACITY];
	size_t length;

	(void)state;
	assert_int_equal(
		smbios_build(&board, GIB, BASE + 8, buffer, CAPACITY, &length, NULL), -EINVAL);
	assert_int_equal(
		smbios_build(&board, 1023, BASE, buffer, CAPACITY, &length, NULL), -EINVAL);
	board.cpu_count = 0;
	assert_int_equal(smbios_build(&board, GIB, BASE, buffer, CAPACITY, &length, NULL), -EINVAL);
	board.cpu_count = 65536;
	assert_int_equal(smbios_build(&board, GIB, BASE, buffer, CAPACITY, &length, NULL), -EINVAL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(structures_are_whole),
		cmocka_unit_test(system_says_who_it_is),
		cmocka_unit_test(names),
		cmocka_unit_test(cpus),
		cmocka_unit_test(memory),
		cmocka_unit_test(capacity_is_kept),
		cmocka_unit_test(a_name_without_end_does_not_fit),
		cmocka_unit_test(impossible_input_is_refused),
	};

	return cmocka_run_group_tests_name("smbios", tests, NULL, NULL);
}
