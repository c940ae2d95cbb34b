/* The arm64 Image: offsets of Documentation/arm64/booting.rst. */
#include "boot.h"
#include "cmocka_all.h"
#include "fd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define TEXT_OFFSET 8
#define IMAGE_SIZE  16
#define FLAGS       24
#define MAGIC       56

#define MIB         UINT64_C(0x100000)
#define RAM         UINT64_C(0x40000000)
#define RAM_BYTES   (48 * MIB)
#define IMAGE_BYTES (20 * MIB) /* what the kernel says that it needs */
#define FILE_BYTES  0x3000
#define ANYWHERE    0xaU /* with pages of 4 KiB */
#define NEAR_BOTTOM 0x2U
#define CORTEX_A57  UINT64_C(0x1124) /* its ID_AA64MMFR0_EL1: pages of 4 and 64 KiB */

static struct gmem gmem;
static uint8_t file[FILE_BYTES];
static struct boot_result result;
static struct err err;
static uint64_t initrd_bytes; /* 0: none */
static uint64_t memory_model; /* ID_AA64MMFR0_EL1 */
static char command_line[2049];

static void put64(size_t offset, uint64_t value)
{
	memcpy(file + offset, &value, sizeof(value));
}

static void put_text(size_t offset, const char *text)
{
	while (*text)
		file[offset++] = (uint8_t)*text++;
}

static int setup(void **state)
{
	(void)state;
	gmem = (struct gmem){.region_count = 1};
	gmem.regions[0] = (struct gmem_region){
		.base = gpa_at(RAM), .size_bytes = RAM_BYTES, .fd = -1};
	assert_int_equal(gmem_create(&gmem, &(struct gmem_options){0}, NULL), 0);
	memset(file, 0x90, sizeof(file));
	put64(TEXT_OFFSET, 0);
	put64(IMAGE_SIZE, IMAGE_BYTES);
	put64(FLAGS, ANYWHERE);
	put_text(MAGIC, "ARM\x64");
	initrd_bytes = 0;
	memory_model = CORTEX_A57;
	memset(command_line, 0, sizeof(command_line));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	gmem_destroy(&gmem);
	return 0;
}

static int file_of(const void *data, size_t length)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fd_write(fd, data, length), 0);
	return fd;
}

/* Loads the first length bytes of the file, which claims to have claimed bytes. */
static int load_as(size_t length, uint64_t claimed)
{
	cleanup_fd int fd = file_of(file, length);
	cleanup_fd int initrd_fd = file_of("initrd", 6);
	const struct boot_request request = {
		.kernel_fd = fd,
		.kernel_size = claimed,
		.kernel_name = "vmlinuz",
		.initrd_fd = initrd_bytes ? initrd_fd : -1,
		.initrd_size = initrd_bytes,
		.initrd_name = "initrd.img",
		.memory_model = memory_model,
		.command_line = command_line,
	};

	err = (struct err){0};
	if (initrd_bytes)
		assert_int_equal(ftruncate(initrd_fd, (off_t)initrd_bytes), 0);
	return boot_load(&gmem, &request, &result, &err);
}

static void assert_loads(void)
{
	if (load_as(sizeof(file), sizeof(file)) != 0)
		fail_msg("refused: %s", err.text);
}

static void assert_refused(int code, const char *part)
{
	const int r = load_as(sizeof(file), sizeof(file));

	if (r != code || !strstr(err.text, part))
		fail_msg("got %d \"%s\" for %d \"%s\"", r, err.text, code, part);
}

static void loads(void **state)
{
	uint8_t bytes[6];

	(void)state;
	initrd_bytes = 10000;
	assert_loads();
	assert_int_equal(result.tree, RAM);
	assert_int_equal(result.entry, RAM + 2 * MIB);
	assert_int_equal(gmem_read(&gmem, gpa_at(result.entry + FILE_BYTES - 1), bytes, 1), 0);
	assert_int_equal(bytes[0], 0x90);
	assert_int_equal(result.initrd_start, RAM + 22 * MIB);
	assert_int_equal(result.initrd_end, RAM + 22 * MIB + 10000);
	assert_int_equal(gmem_read(&gmem, gpa_at(result.initrd_start), bytes, 6), 0);
	assert_memory_equal(bytes, "initrd", 6);
}

static void a_kernel_of_the_bottom(void **state)
{
	(void)state;
	put64(FLAGS, NEAR_BOTTOM);
	put64(TEXT_OFFSET, 0x80000);
	initrd_bytes = 1;
	assert_loads();
	assert_int_equal(result.entry, RAM + 0x80000);
	assert_int_equal(result.tree, RAM + 22 * MIB);
	assert_int_equal(result.initrd_start, RAM + 24 * MIB);
	/* Before 3.17 there was no size, and the other fields are not to be looked at. */
	put64(IMAGE_SIZE, 0);
	put64(TEXT_OFFSET, UINT64_MAX);
	put64(FLAGS, UINT64_MAX);
	assert_loads();
	assert_int_equal(result.entry, RAM + 0x80000);
	assert_int_equal(result.tree, RAM + 2 * MIB);
}

static void what_does_not_fit(void **state)
{
	(void)state;
	/* No page of any size is shared by both. */
	put64(IMAGE_SIZE, IMAGE_BYTES + 1);
	initrd_bytes = 1;
	assert_loads();
	assert_int_equal(result.initrd_start, RAM + 22 * MIB + 0x10000);
	initrd_bytes = 0;
	put64(IMAGE_SIZE, 46 * MIB);
	assert_loads();
	put64(IMAGE_SIZE, 46 * MIB + 1);
	assert_refused(-E2BIG, "needs 49 MiB and the VM has 48 MiB");
	put64(IMAGE_SIZE, UINT64_MAX - 5);
	assert_refused(-EINVAL, "damaged");
	put64(IMAGE_SIZE, IMAGE_BYTES);
	put64(TEXT_OFFSET, UINT64_MAX - IMAGE_BYTES);
	assert_refused(-EINVAL, "damaged");
	put64(TEXT_OFFSET, 0);
	initrd_bytes = 26 * MIB;
	assert_loads();
	initrd_bytes++;
	assert_refused(-E2BIG, "initrd 'initrd.img' of 27 MiB does not fit");
}

static void a_command_line_that_would_be_cut(void **state)
{
	(void)state;
	memset(command_line, 'a', 2047);
	assert_loads();
	command_line[2047] = 'a';
	assert_refused(-E2BIG, "has 2048 characters and kernel 'vmlinuz' takes at most 2047");
}

static void what_is_no_kernel(void **state)
{
	(void)state;
	put64(FLAGS, ANYWHERE | 1);
	assert_refused(-ENOEXEC, "big-endian");
	put_text(MAGIC, "arm\x64");
	assert_refused(-ENOEXEC, "no arm64 Image");
	put_text(0, "MZ");
	assert_refused(-ENOEXEC, "EFI program");
	put_text(0, "\177ELF");
	assert_refused(-ENOEXEC, "is an ELF file");
	assert_int_equal(load_as(10, 10), -ENOEXEC);
}

/* Arm ARM, ID_AA64MMFR0_EL1: TGran16 is bits 23 to 20, TGran64 27 to 24, TGran4 31 to 28. */
static void what_has_other_pages(void **state)
{
	static const struct {
		uint64_t flags, memory_model;
		const char *missing; /* NULL: none */
	} cases[] = {
		{0xa, 0x00001124, NULL}, {0xa, 0x10101124, NULL}, /* with 52 bits of address */
		{0xa, 0xf0101124, "4K"}, {0xc, 0x00001124, "16K"}, {0xc, 0x00101124, NULL},
		{0xc, 0xff201124, NULL}, {0xe, 0x00001124, NULL}, {0xe, 0x0f101124, "64K"},
		{0x8, 0xff001124, NULL}, /* the kernel does not say */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char part[64];

		put64(FLAGS, cases[i].flags);
		memory_model = cases[i].memory_model;
		if (!cases[i].missing) {
			assert_loads();
			continue;
		}
		(void)snprintf(part, sizeof(part), "'vmlinuz' is built for pages of %s,",
			cases[i].missing);
		assert_refused(-ENOEXEC, part);
	}
}

static void a_file_that_becomes_shorter(void **state)
{
	(void)state;
	assert_int_equal(load_as(sizeof(file), sizeof(file) + 1), -ENODATA);
	assert_non_null(strstr(err.text, "became shorter"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(loads, setup, teardown),
		cmocka_unit_test_setup_teardown(a_kernel_of_the_bottom, setup, teardown),
		cmocka_unit_test_setup_teardown(what_does_not_fit, setup, teardown),
		cmocka_unit_test_setup_teardown(a_command_line_that_would_be_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_no_kernel, setup, teardown),
		cmocka_unit_test_setup_teardown(what_has_other_pages, setup, teardown),
		cmocka_unit_test_setup_teardown(a_file_that_becomes_shorter, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
