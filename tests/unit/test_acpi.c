/* The static tables, read back with offsets from the specification's tables. */
#include "acpi.h"
#include "every_capacity.h"
#include "x86_boards.h"

#include <errno.h>

#define BASE     ACPI_TABLES_ADDRESS
#define CAPACITY (ACPI_TABLES_END - ACPI_TABLES_ADDRESS)

struct tables {
	uint8_t bytes[CAPACITY];
	size_t length;
	const uint8_t *fadt, *madt, *mcfg, *dsdt, *facs;
};

static uint64_t word(const uint8_t *at, size_t size)
{
	uint64_t value = 0;

	while (size--)
		value = value << 8 | at[size];
	return value;
}

static uint8_t sum(const uint8_t *bytes, size_t length)
{
	uint8_t total = 0;

	while (length--)
		total = (uint8_t)(total + bytes[length]);
	return total;
}

/* A table at a guest address: inside what was written, whole, and checksummed. */
static const uint8_t *table_at(const struct tables *tables, uint64_t address, const char *signature)
{
	const uint8_t *table = tables->bytes + (address - BASE);
	size_t length;

	assert_in_range(address, BASE + 36, BASE + tables->length - 36);
	assert_memory_equal(table, signature, 4);
	length = word(table + 4, 4);
	assert_in_range(length, 36, BASE + tables->length - address);
	assert_int_equal(sum(table, length), 0);
	assert_memory_equal(table + 10, "HULL  ", 6);
	assert_memory_equal(table + 28, "HULL", 4);
	return table;
}

static void build(const struct board *board, struct tables *tables)
{
	const uint8_t *xsdt;
	size_t count;

	memset(tables, 0, sizeof(*tables));
	memset(tables->bytes, 0xa5, sizeof(tables->bytes));
	assert_int_equal(
		acpi_build(board, BASE, tables->bytes, CAPACITY, &tables->length, NULL), 0);
	assert_memory_equal(tables->bytes, "RSD PTR ", 8);
	assert_int_equal(sum(tables->bytes, 20), 0);
	assert_int_equal(sum(tables->bytes, 36), 0);
	assert_int_equal(tables->bytes[15], 2);
	assert_int_equal(word(tables->bytes + 20, 4), 36);
	xsdt = table_at(tables, word(tables->bytes + 24, 8), "XSDT");
	count = (word(xsdt + 4, 4) - 36) / 8;
	assert_int_equal(count, board->pci.present ? 3 : 2);
	tables->fadt = table_at(tables, word(xsdt + 36, 8), "FACP");
	tables->madt = table_at(tables, word(xsdt + 44, 8), "APIC");
	if (board->pci.present)
		tables->mcfg = table_at(tables, word(xsdt + 52, 8), "MCFG");
	tables->dsdt = table_at(tables, word(tables->fadt + 140, 8), "DSDT");
	tables->facs = tables->bytes + (word(tables->fadt + 36, 4) - BASE);
}

static void check_port_address(const uint8_t *at, uint64_t port, unsigned int bits, unsigned access)
{
	assert_int_equal(at[0], 1);
	assert_int_equal(at[1], bits);
	assert_int_equal(at[2], 0);
	assert_int_equal(at[3], access);
	assert_int_equal(word(at + 4, 8), port);
}

static void check_fadt(const struct board *board, const struct tables *tables)
{
	const uint8_t *fadt = tables->fadt;
	uint64_t rtc_absent = UINT64_C(1) << 5;
	bool rtc = false;

	for (unsigned int i = 0; i < board->device_count; i++)
		rtc |= board->devices[i].kind == BOARD_RTC_CMOS;
	assert_int_equal(word(fadt + 4, 4), 276);
	assert_int_equal(fadt[8], 6);
	assert_int_equal(word(fadt + 36, 4) % 64, 0);
	assert_memory_equal(tables->facs, "FACS", 4);
	assert_int_equal(word(tables->facs + 4, 4), 64);
	assert_int_equal(word(fadt + 40, 4), word(fadt + 140, 8));
	assert_int_equal(word(fadt + 132, 8), 0);
	assert_int_equal(word(fadt + 46, 2), 9);
	assert_int_equal(word(fadt + 48, 4), 0);
	assert_int_equal(word(fadt + 56, 4), 0x600);
	assert_int_equal(word(fadt + 64, 4), 0x604);
	assert_int_equal(word(fadt + 76, 4), 0x608);
	assert_int_equal(fadt[88], 4);
	assert_int_equal(fadt[89], 2);
	assert_int_equal(fadt[91], 4);
	assert_int_equal(word(fadt + 109, 2) & 0x02, 0); /* no 8042 */
	assert_int_equal(word(fadt + 109, 2) & 0x08, 0); /* MSI works */
	assert_int_equal(word(fadt + 109, 2) & rtc_absent, rtc ? 0 : rtc_absent);
	assert_int_equal(word(fadt + 112, 4) & (1U << 4 | 1U << 5), 1U << 5);
	assert_int_equal(word(fadt + 112, 4) & (1U << 8 | 1U << 10), 1U << 8 | 1U << 10);
	assert_int_equal(word(fadt + 112, 4) & (1U << 20), 0); /* not hardware-reduced */
	check_port_address(fadt + 116, 0xcf9, 8, 1);
	assert_int_equal(fadt[128], 6);
	check_port_address(fadt + 148, 0x600, 32, 2);
	check_port_address(fadt + 172, 0x604, 16, 2);
	check_port_address(fadt + 208, 0x608, 32, 3);
	assert_int_equal(sum(fadt + 220, 48), 0);
}

/* Each CPU once, in the entry its id calls for; the rest of the interrupt model beside them. */
static void check_madt(const struct board *board, const struct tables *tables)
{
	size_t length = word(tables->madt + 4, 4);
	unsigned int cpus = 0, entries[16] = {0};

	for (size_t at = 44; at < length; at += tables->madt[at + 1]) {
		const uint8_t *entry = tables->madt + at;

		assert_in_range(entry[0], 0, 15);
		assert_in_range(entry[1], 2, length - at);
		entries[entry[0]]++;
		switch (entry[0]) {
		case 0:
			assert_int_equal(entry[2], cpus);
			assert_int_equal(entry[3], cpus++);
			assert_int_equal(word(entry + 4, 4), 1);
			break;
		case 1:
			assert_int_equal(word(entry + 4, 4), 0xfec00000);
			break;
		case 2:
			assert_int_equal(entry[3], 9);
			assert_int_equal(word(entry + 4, 4), 9);
			assert_int_equal(word(entry + 8, 2), 0xd);
			break;
		case 9:
			assert_int_equal(word(entry + 4, 4), cpus);
			assert_int_equal(word(entry + 12, 4), cpus++);
			assert_int_equal(word(entry + 8, 4), 1);
			break;
		default:
			break;
		}
	}
	assert_int_equal(cpus, board->cpu_count);
	assert_int_equal(entries[0], cpus < 255 ? cpus : 255);
	assert_int_equal(entries[1], 1);
	assert_int_equal(entries[2], 1);
	assert_int_equal(entries[4], 1);
	assert_int_equal(entries[10], cpus > 255);
	assert_int_equal(word(tables->madt + 36, 4), 0xfee00000);
}

static void check_board(const struct board *board)
{
	static struct tables tables, again;

	build(board, &tables);
	check_fadt(board, &tables);
	check_madt(board, &tables);
	if (board->pci.present) {
		assert_int_equal(word(tables.mcfg + 4, 4), 60);
		assert_int_equal(word(tables.mcfg + 44, 8), board->pci.ecam_base);
		assert_int_equal(word(tables.mcfg + 52, 4), (board->pci.bus_count - 1) << 24);
	}
	/* The same board gives the same bytes, whatever was in the buffer. */
	memset(again.bytes, 0x5a, sizeof(again.bytes));
	assert_int_equal(acpi_build(board, BASE, again.bytes, CAPACITY, &again.length, NULL), 0);
	assert_int_equal(tables.length, again.length);
	assert_memory_equal(tables.bytes, again.bytes, tables.length);
}

static void boards(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_size(test_boards); i++) {
		struct board board = test_board_fill(&test_boards[i]);

		check_board(&board);
	}
}

static void cpu_counts(void **state)
{
	static const unsigned int counts[] = {1, 2, 8, 16, 254, 255, 256, 257, 1024};

	(void)state;
	for (size_t i = 0; i < array_size(counts); i++) {
		struct board board = test_board_fill(test_board_find("pci"));

		board.cpu_count = counts[i];
		check_board(&board);
	}
}

static int build_into(const void *board, void *buffer, size_t capacity, size_t *ret_length)
{
	return acpi_build(board, BASE, buffer, capacity, ret_length, NULL);
}

static void capacity_is_kept(void **state)
{
	static const char *const names[] = {"bare", "pci"};

	(void)state;
	for (size_t i = 0; i < array_size(names); i++) {
		struct board board = test_board_fill(test_board_find(names[i]));
		static struct tables tables;

		build(&board, &tables);
		assert_every_capacity(tables.length, build_into, &board);
	}
}

static void too_many_cpus_for_the_layout(void **state)
{
	struct board board = test_board_fill(test_board_find("huge"));
	static struct tables tables;
	struct err err;

	(void)state;
	board.cpu_count = 1400;
	build(&board, &tables);
	board.cpu_count = 1500;
	assert_int_equal(
		acpi_build(&board, BASE, tables.bytes, CAPACITY, &tables.length, &err), -ENOSPC);
	assert_non_null(strstr(err.text, "1500 CPUs"));
}

static void break_cpus(struct board *board)
{
	board->cpu_count = 0;
}

static void break_cpu_names(struct board *board)
{
	board->cpu_count = 4097;
}

static void break_power(struct board *board)
{
	board->devices[0].kind = BOARD_I8042;
}

static void break_port(struct board *board)
{
	board->devices[1].base = 0xfff9;
}

static void break_size(struct board *board)
{
	board->devices[1].size = 0;
}

static void break_count(struct board *board)
{
	board->device_count = BOARD_DEVICES_MAX + 1;
}

static void break_buses(struct board *board)
{
	board->pci.bus_count = 257;
}

static void break_window(struct board *board)
{
	board->pci.window32_size = 0x40000001;
}

static void impossible_boards_are_refused(void **state)
{
	static void (*const breaks[])(struct board *) = {break_cpus, break_cpu_names, break_power,
		break_port, break_size, break_count, break_buses, break_window};
	static uint8_t buffer[CAPACITY];
	size_t length;

	(void)state;
	for (size_t i = 0; i < array_size(breaks); i++) {
		struct board board = test_board_fill(test_board_find("pci"));

		breaks[i](&board);
		assert_int_equal(
			acpi_build(&board, BASE, buffer, CAPACITY, &length, NULL), -EINVAL);
	}
}

static void impossible_places_are_refused(void **state)
{
	struct board board = test_board_fill(test_board_find("pci"));
	static uint8_t buffer[CAPACITY];
	size_t length;

	(void)state;
	assert_int_equal(acpi_build(&board, BASE + 16, buffer, CAPACITY, &length, NULL), -EINVAL);
	assert_int_equal(
		acpi_build(&board, 4 * GIB - CAPACITY + 64, buffer, CAPACITY, &length, NULL),
		-EINVAL);
	assert_int_equal(
		acpi_build(&board, 4 * GIB - CAPACITY, buffer, CAPACITY, &length, NULL), 0);
	assert_int_equal(
		acpi_build(&board, UINT64_MAX - 63, buffer, CAPACITY, &length, NULL), -EINVAL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(boards),
		cmocka_unit_test(cpu_counts),
		cmocka_unit_test(capacity_is_kept),
		cmocka_unit_test(too_many_cpus_for_the_layout),
		cmocka_unit_test(impossible_boards_are_refused),
		cmocka_unit_test(impossible_places_are_refused),
	};

	return cmocka_run_group_tests_name("acpi", tests, NULL, NULL);
}
