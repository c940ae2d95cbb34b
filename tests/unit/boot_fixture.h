/*
 * A small VM's memory and files made of bytes, for the tests of the kernel loaders. Offsets and
 * constants are the specifications', written down here and in the tests once more: nothing comes
 * from the headers of what is tested but the interface.
 */
#pragma once

#include "boot.h"
#include "cmocka_all.h"
#include "fd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MEMORY_BYTES (UINT64_C(48) << 20)
#define TABLES       UINT64_C(0xe0000) /* an RSDP for the kernel to find */

struct fixture {
	struct gmem gmem;
	struct e820_entry e820[3];
	uint8_t file[0x8000];
	size_t file_length;
	int initrd_fd; /* -1: none */
	uint64_t initrd_size;
	const char *command_line;
	struct boot_result result;
	struct err err;
};

static inline int fixture_setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	fixture->gmem.region_count = 1;
	fixture->gmem.regions[0].size_bytes = MEMORY_BYTES;
	assert_int_equal(gmem_create(&fixture->gmem, &(struct gmem_options){0}, NULL), 0);
	fixture->e820[0] = (struct e820_entry){0, 0x9fc00, E820_RAM};
	fixture->e820[1] = (struct e820_entry){0x9fc00, 0x60400, E820_RESERVED};
	fixture->e820[2] = (struct e820_entry){0x100000, MEMORY_BYTES - 0x100000, E820_RAM};
	fixture->initrd_fd = -1;
	fixture->command_line = "";
	*state = fixture;
	return 0;
}

static inline int fixture_teardown(void **state)
{
	struct fixture *fixture = *state;

	gmem_destroy(&fixture->gmem);
	fd_close(&fixture->initrd_fd);
	free(fixture);
	return 0;
}

static inline void put16(struct fixture *fixture, size_t offset, uint16_t value)
{
	memcpy(fixture->file + offset, &value, sizeof(value));
}

static inline void put32(struct fixture *fixture, size_t offset, uint32_t value)
{
	memcpy(fixture->file + offset, &value, sizeof(value));
}

static inline void put64(struct fixture *fixture, size_t offset, uint64_t value)
{
	memcpy(fixture->file + offset, &value, sizeof(value));
}

static inline int file_of(const void *data, size_t length)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fd_write(fd, data, length), 0);
	return fd;
}

static inline void give_initrd(struct fixture *fixture, uint64_t size)
{
	fd_close(&fixture->initrd_fd);
	fixture->initrd_fd = file_of("initrd", 6);
	assert_int_equal(ftruncate(fixture->initrd_fd, (off_t)size), 0);
	fixture->initrd_size = size;
}

/* Loads the first length bytes of the file, which claims to have claimed bytes. */
static inline int load_as(struct fixture *fixture, size_t length, uint64_t claimed)
{
	cleanup_fd int fd = file_of(fixture->file, length);
	struct boot_request request = {
		.kernel_fd = fd,
		.kernel_size = claimed,
		.kernel_name = "vmlinuz",
		.initrd_fd = fixture->initrd_fd,
		.initrd_size = fixture->initrd_size,
		.initrd_name = "initrd.img",
		.command_line = fixture->command_line,
		.plain_command_line = fixture->command_line,
		.rsdp_address = TABLES,
		.e820 = fixture->e820,
		.e820_count = 3,
	};

	fixture->err = (struct err){0};
	return boot_load(&fixture->gmem, &request, &fixture->result, &fixture->err);
}

static inline int load(struct fixture *fixture)
{
	return load_as(fixture, fixture->file_length, fixture->file_length);
}

static inline void assert_loads(struct fixture *fixture)
{
	if (load(fixture) != 0)
		fail_msg("refused: %s", fixture->err.text);
}

/* Fails with the code and says so in a sentence that has the part. */
static inline void assert_fails(struct fixture *fixture, int r, int code, const char *part)
{
	if (r != code || fixture->err.code != code || !strstr(fixture->err.text, part))
		fail_msg("got %d \"%s\" for %d \"%s\"", r, fixture->err.text, code, part);
}

static inline void assert_refused(struct fixture *fixture, int code, const char *part)
{
	assert_fails(fixture, load(fixture), code, part);
}

static inline uint8_t guest8(const struct fixture *fixture, uint64_t address)
{
	uint8_t value = 0;

	assert_int_equal(gmem_read(&fixture->gmem, gpa_at(address), &value, sizeof(value)), 0);
	return value;
}

static inline uint32_t guest32(const struct fixture *fixture, uint64_t address)
{
	uint32_t value = 0;

	assert_int_equal(gmem_read(&fixture->gmem, gpa_at(address), &value, sizeof(value)), 0);
	return value;
}

static inline uint64_t guest64(const struct fixture *fixture, uint64_t address)
{
	uint64_t value = 0;

	assert_int_equal(gmem_read(&fixture->gmem, gpa_at(address), &value, sizeof(value)), 0);
	return value;
}

static inline void assert_guest_text(
	const struct fixture *fixture, uint64_t address, const char *text)
{
	char buffer[256] = "";

	assert_true(strlen(text) < sizeof(buffer));
	assert_int_equal(gmem_read(&fixture->gmem, gpa_at(address), buffer, strlen(text) + 1), 0);
	assert_string_equal(buffer, text);
}

/* A broken file: one patch on top of a good one. */
struct broken {
	const char *name;
	size_t offset;
	unsigned int width; /* bytes */
	uint64_t value;
	int code;
	const char *part;
};

static inline void assert_each_refused(
	struct fixture *fixture, const struct broken *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint8_t saved[8];
		int r;

		memcpy(saved, fixture->file + cases[i].offset, sizeof(saved));
		memcpy(fixture->file + cases[i].offset, &cases[i].value, cases[i].width);
		r = load(fixture);
		if (r != cases[i].code || !strstr(fixture->err.text, cases[i].part))
			fail_msg("%s: got %d \"%s\" for %d \"%s\"", cases[i].name, r,
				fixture->err.text, cases[i].code, cases[i].part);
		memcpy(fixture->file + cases[i].offset, saved, sizeof(saved));
	}
	assert_loads(fixture);
}
