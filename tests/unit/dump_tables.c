/*
 * dump_tables DIRECTORY: writes the tables of every test board as the tools of others read them:
 * DIRECTORY/<board>/<signature>.dat, and smbios.bin in the form of dmidecode --dump-bin (anchor at
 * 0, structures at 32).
 */
#include "acpi.h"
#include "smbios.h"
#include "x86_boards.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define BASE     ACPI_TABLES_ADDRESS
#define CAPACITY (ACPI_TABLES_END - ACPI_TABLES_ADDRESS)

static uint64_t word(const uint8_t *at, size_t size)
{
	uint64_t value = 0;

	while (size--)
		value = value << 8 | at[size];
	return value;
}

static void write_file(const char *directory, const char *name, const void *bytes, size_t length)
{
	char path[4096];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "wb");
	if (!file || fwrite(bytes, 1, length, file) != length || fclose(file) != 0) {
		perror(path);
		exit(1);
	}
}

static void write_table(const char *directory, const uint8_t *table)
{
	char name[16];

	(void)snprintf(name, sizeof(name), "%.4s.dat", (const char *)table);
	write_file(directory, name, table, word(table + 4, 4));
}

static void dump_acpi(const char *directory, const uint8_t *tables)
{
	const uint8_t *xsdt = tables + (word(tables + 24, 8) - BASE);

	write_table(directory, xsdt);
	for (size_t at = 36; at < word(xsdt + 4, 4); at += 8) {
		const uint8_t *table = tables + (word(xsdt + at, 8) - BASE);

		write_table(directory, table);
		if (memcmp(table, "FACP", 4) != 0)
			continue;
		write_table(directory, tables + (word(table + 36, 4) - BASE));
		write_table(directory, tables + (word(table + 140, 8) - BASE));
	}
}

int main(int argc, char **argv)
{
	static uint8_t buffer[CAPACITY];

	if (argc != 2)
		return 2;
	for (size_t i = 0; i < array_size(test_boards); i++) {
		struct board board = test_board_fill(&test_boards[i]);
		char directory[4000];
		struct err err;
		size_t length;

		(void)snprintf(directory, sizeof(directory), "%s/%s", argv[1], test_boards[i].name);
		if (mkdir(directory, 0777) != 0 && errno != EEXIST) {
			perror(directory);
			return 1;
		}
		if (acpi_build(&board, BASE, buffer, CAPACITY, &length, &err) != 0) {
			(void)fprintf(stderr, "%s\n", err.text);
			return 1;
		}
		dump_acpi(directory, buffer);
		if (smbios_build(&board, test_boards[i].memory_bytes, 0, buffer, CAPACITY, &length,
			    &err) != 0) {
			(void)fprintf(stderr, "%s\n", err.text);
			return 1;
		}
		write_file(directory, "smbios.bin", buffer, length);
	}
	return 0;
}
