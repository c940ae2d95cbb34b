/* bzImage: offsets of Documentation/arch/x86/boot.rst and zero-page.rst. */
#include "boot_fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#define SETUP_SECTS        0x1f1
#define SYSSIZE            0x1f4
#define BOOT_FLAG          0x1fe
#define JUMP               0x200
#define HEADER             0x202
#define VERSION            0x206
#define TYPE_OF_LOADER     0x210
#define LOADFLAGS          0x211
#define RAMDISK_IMAGE      0x218
#define RAMDISK_SIZE       0x21c
#define CMD_LINE_PTR       0x228
#define INITRD_ADDR_MAX    0x22c
#define KERNEL_ALIGNMENT   0x230
#define RELOCATABLE_KERNEL 0x234
#define XLOADFLAGS         0x236
#define CMDLINE_SIZE       0x238
#define SETUP_DATA         0x250
#define PREF_ADDRESS       0x258
#define INIT_SIZE          0x260

#define ZERO_PAGE    UINT64_C(0x7000)
#define ACPI_RSDP    (ZERO_PAGE + 0x70)
#define EXT_RAMDISK  (ZERO_PAGE + 0xc0)
#define E820_ENTRIES (ZERO_PAGE + 0x1e8)
#define SENTINEL     (ZERO_PAGE + 0x1ef)
#define E820_TABLE   (ZERO_PAGE + 0x2d0)
#define CODE_OFFSET  (3 * 512)
#define CODE_BYTES   0x1000
#define LOAD_ADDRESS UINT64_C(0x1000000)
#define INIT_BYTES   UINT64_C(0x800000)

/* Two setup sectors behind the boot sector, then the code; a signature behind it. */
static int setup(void **state)
{
	struct fixture *fixture;

	if (fixture_setup(state) != 0)
		return -1;
	fixture = *state;
	memset(fixture->file, 0xcc, CODE_OFFSET);
	memset(fixture->file + SETUP_SECTS, 0, INIT_SIZE + 12 - SETUP_SECTS);
	fixture->file[SETUP_SECTS] = 2;
	put32(fixture, SYSSIZE, CODE_BYTES / 16);
	put16(fixture, BOOT_FLAG, 0xaa55);
	put16(fixture, JUMP, 0x6aeb); /* jmp to 0x26c */
	memcpy(fixture->file + HEADER, "HdrS", 4);
	put16(fixture, VERSION, 0x20f);
	fixture->file[LOADFLAGS] = 1;
	put32(fixture, INITRD_ADDR_MAX, 0x7fffffff);
	put32(fixture, KERNEL_ALIGNMENT, 0x200000);
	fixture->file[RELOCATABLE_KERNEL] = 1;
	put16(fixture, XLOADFLAGS, 3);
	put32(fixture, CMDLINE_SIZE, 2047);
	put64(fixture, SETUP_DATA, 0x1234);
	put64(fixture, PREF_ADDRESS, LOAD_ADDRESS);
	put32(fixture, INIT_SIZE, INIT_BYTES);
	memset(fixture->file + CODE_OFFSET, 0x90, CODE_BYTES);
	memset(fixture->file + CODE_OFFSET + CODE_BYTES, 0xee, 256);
	fixture->file_length = CODE_OFFSET + CODE_BYTES + 256;
	return 0;
}

static void loads(void **state)
{
	struct fixture *fixture = *state;

	fixture->command_line = "console=ttyS0";
	give_initrd(fixture, 10000);
	assert_loads(fixture);
	assert_int_equal(fixture->result.protocol, BOOT_LINUX64);
	assert_int_equal(fixture->result.entry, LOAD_ADDRESS + 0x200);
	assert_int_equal(fixture->result.information, ZERO_PAGE);
	assert_int_equal(guest32(fixture, LOAD_ADDRESS), 0x90909090);
	assert_int_equal(guest32(fixture, LOAD_ADDRESS + CODE_BYTES - 4), 0x90909090);
	assert_int_equal(guest32(fixture, LOAD_ADDRESS + CODE_BYTES), 0);

	assert_int_equal(guest8(fixture, ZERO_PAGE + TYPE_OF_LOADER), 0xff);
	assert_int_equal(guest32(fixture, ZERO_PAGE + HEADER), 0x53726448);
	assert_int_equal(guest32(fixture, ZERO_PAGE + INIT_SIZE), INIT_BYTES);
	assert_int_equal(guest64(fixture, ZERO_PAGE + SETUP_DATA), 0);
	assert_int_equal(guest8(fixture, SENTINEL), 0);
	assert_int_equal(guest64(fixture, ACPI_RSDP), TABLES);
	assert_guest_text(fixture, guest32(fixture, ZERO_PAGE + CMD_LINE_PTR), "console=ttyS0");

	assert_int_equal(guest8(fixture, E820_ENTRIES), 3);
	assert_int_equal(guest64(fixture, E820_TABLE), 0);
	assert_int_equal(guest64(fixture, E820_TABLE + 8), 0x9fc00);
	assert_int_equal(guest32(fixture, E820_TABLE + 16), 1);
	assert_int_equal(guest32(fixture, E820_TABLE + 36), 2);
	assert_int_equal(guest64(fixture, E820_TABLE + 40), 0x100000);

	/* As high as RAM goes, on a page. */
	assert_int_equal(guest32(fixture, ZERO_PAGE + RAMDISK_IMAGE), MEMORY_BYTES - 3 * 4096);
	assert_int_equal(guest32(fixture, ZERO_PAGE + RAMDISK_SIZE), 10000);
	assert_int_equal(guest64(fixture, EXT_RAMDISK), 0);
	assert_guest_text(fixture, MEMORY_BYTES - 3 * 4096, "initrd");
}

static void the_initrd_keeps_out_of_the_way(void **state)
{
	struct fixture *fixture = *state;

	/* Only for kernels that cannot take it anywhere is initrd_addr_max a bound. */
	give_initrd(fixture, 4096);
	put32(fixture, INITRD_ADDR_MAX, 0x1ffffff);
	assert_loads(fixture);
	assert_int_equal(guest32(fixture, ZERO_PAGE + RAMDISK_IMAGE), MEMORY_BYTES - 4096);
	put16(fixture, XLOADFLAGS, 1);
	assert_loads(fixture);
	assert_int_equal(guest32(fixture, ZERO_PAGE + RAMDISK_IMAGE), 0x1fff000);
	/* The bound lies in the memory that the kernel will unpack into. */
	put32(fixture, INITRD_ADDR_MAX, LOAD_ADDRESS + INIT_BYTES + 2000);
	give_initrd(fixture, 20000);
	assert_loads(fixture);
	assert_int_equal(guest32(fixture, ZERO_PAGE + RAMDISK_IMAGE), LOAD_ADDRESS - 5 * 4096);
	give_initrd(fixture, 4096);
	/* The last byte may stand at the bound itself. */
	put32(fixture, INITRD_ADDR_MAX, 0x100fff);
	assert_loads(fixture);
	assert_int_equal(guest32(fixture, ZERO_PAGE + RAMDISK_IMAGE), 0x100000);
	put32(fixture, INITRD_ADDR_MAX, 0x100ffe);
	assert_refused(fixture, -E2BIG, "initrd 'initrd.img' of 1 MiB does not fit");
	put32(fixture, INITRD_ADDR_MAX, 0xffffffff);
	assert_loads(fixture);
	/* All that is left above and one page more; then it goes below, where there is less. */
	give_initrd(fixture, MEMORY_BYTES - LOAD_ADDRESS - INIT_BYTES);
	assert_loads(fixture);
	assert_int_equal(guest32(fixture, ZERO_PAGE + RAMDISK_IMAGE), LOAD_ADDRESS + INIT_BYTES);
	give_initrd(fixture, MEMORY_BYTES - LOAD_ADDRESS - INIT_BYTES + 1);
	assert_refused(fixture, -E2BIG, "the VM has 48 MiB, give more with -m");
	give_initrd(fixture, UINT64_C(1) << 40);
	assert_refused(fixture, -E2BIG, "of 1048576 MiB");
}

static void load_addresses(void **state)
{
	struct fixture *fixture = *state;

	put64(fixture, PREF_ADDRESS, 0x1100000); /* not aligned: the next that is */
	assert_loads(fixture);
	assert_int_equal(fixture->result.entry, 0x1200200);
	put64(fixture, PREF_ADDRESS, 0); /* below Hull's tables */
	assert_loads(fixture);
	assert_int_equal(fixture->result.entry, 0x200200);
	fixture->file[RELOCATABLE_KERNEL] = 0;
	assert_refused(fixture, -EINVAL, "below 1 MiB, and cannot be moved");
	put64(fixture, PREF_ADDRESS, 0x1100000);
	put32(fixture, KERNEL_ALIGNMENT, 0);
	assert_loads(fixture);
	assert_int_equal(fixture->result.entry, 0x1100200);
	fixture->file[SETUP_SECTS] = 0; /* means 4 */
	fixture->file_length += 1024;
	assert_loads(fixture);
}

static void broken_headers(void **state)
{
	static const struct broken cases[] = {
		{"no boot flag", BOOT_FLAG, 2, 0, -ENOEXEC, "lacks its signature"},
		{"old protocol", VERSION, 2, 0x20b, -ENOEXEC, "protocol 2.11; hull needs 2.12"},
		{"ancient protocol", VERSION, 2, 0, -ENOEXEC, "protocol 0.00"},
		{"header ends before its version", JUMP, 2, 0x01eb, -EINVAL, "cut short"},
		{"header ends before init_size", JUMP, 2, 0x61eb, -EINVAL,
			"shorter than its version"},
		{"zImage", LOADFLAGS, 1, 0, -ENOEXEC, "zImage"},
		{"32-bit kernel", XLOADFLAGS, 2, 2, -ENOEXEC, "32-bit kernel"},
		{"no alignment", KERNEL_ALIGNMENT, 4, 0, -EINVAL, "kernel_alignment 0x0"},
		{"odd alignment", KERNEL_ALIGNMENT, 4, 0x300000, -EINVAL, "power of two"},
		{"no code", SYSSIZE, 4, 0, -EINVAL, "its code has only 0 bytes"},
		{"no entry", SYSSIZE, 4, 0x20, -EINVAL, "its code has only 512 bytes"},
		{"code past the end", SYSSIZE, 4, 0x111, -EINVAL, "it has 5888 of 5904 bytes"},
		{"huge code", SYSSIZE, 4, 0xffffffff, -EINVAL, "is cut short"},
		{"setup past the end", SETUP_SECTS, 1, 255, -EINVAL, "is cut short"},
		{"address wraps", PREF_ADDRESS, 8, UINT64_MAX, -EINVAL, "pref_address"},
		{"address and size wrap", PREF_ADDRESS, 8, UINT64_MAX - 0x1fffff, -EINVAL,
			"no low memory"},
		{"address in the hole", PREF_ADDRESS, 8, 0xc0000000, -EINVAL, "no low memory"},
		{"address above memory", PREF_ADDRESS, 8, 0x3000000, -E2BIG, "give more with -m"},
		{"does not fit", INIT_SIZE, 4, 0x2000001, -E2BIG,
			"needs memory up to 49 MiB and the VM has 48 MiB; give more with -m"},
		{"never fits", INIT_SIZE, 4, 0xffffffff, -EINVAL, "not RAM in this machine"},
	};

	assert_each_refused(*state, cases, array_size(cases));
}

static void cut_short(void **state)
{
	static const size_t lengths[] = {1, 0x1f0, 0x1f1, 0x1fe, 0x200, 0x202, 0x205, 0x206, 0x25f,
		0x26b, CODE_OFFSET - 1, CODE_OFFSET, CODE_OFFSET + 1, CODE_OFFSET + CODE_BYTES - 1};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < array_size(lengths); i++) {
		bool recognised = lengths[i] >= HEADER + 4;
		int r = load_as(fixture, lengths[i], lengths[i]);

		assert_fails(fixture, r, recognised ? -EINVAL : -ENOEXEC,
			recognised ? "cut short" : "is ");
		/* The file lost its end after it was opened. */
		r = load_as(fixture, lengths[i], fixture->file_length);
		assert_fails(fixture, r, -ENODATA, "became shorter");
	}
	assert_fails(fixture, load_as(fixture, 0, 0), -ENOEXEC, "is empty");
	assert_int_equal(load_as(fixture, CODE_OFFSET + CODE_BYTES, CODE_OFFSET + CODE_BYTES), 0);
	give_initrd(fixture, 5000);
	fixture->initrd_size = 5001;
	assert_fails(fixture, load(fixture), -ENODATA, "initrd 'initrd.img' became shorter");
}

static void command_lines(void **state)
{
	static char line[70000];
	struct fixture *fixture = *state;

	memset(line, 'x', 2047);
	fixture->command_line = line;
	assert_loads(fixture);
	line[2047] = 'x';
	assert_refused(fixture, -E2BIG, "2048 characters and kernel 'vmlinuz' takes at most 2047");
	put32(fixture, CMDLINE_SIZE, 0xffffffff);
	memset(line, 'x', 65535);
	assert_loads(fixture);
	line[65535] = 'x';
	assert_refused(fixture, -E2BIG, "more than 65535 characters");
	put32(fixture, CMDLINE_SIZE, 0);
	assert_refused(fixture, -E2BIG, "takes at most 0");
}

static void other_files_are_named(void **state)
{
	static const struct {
		size_t offset;
		const char *bytes;
		size_t length;
		const char *part;
	} cases[] = {
		{0x38, "ARM\x64", 4, "an arm64 Image"},
		{0x38, "RSC\x05", 4, "a RISC-V Image"},
		{0, "\x1f\x8b\x08", 3, "gzip"},
		{0, "BZh9", 4, "bzip2"},
		{0, "\x27\x05\x19\x56", 4, "a U-Boot uImage for another machine"},
		{0, "070701", 6, "give it as the initrd"},
		{0, "QFI\xfb", 4, "qcow2"},
		{0, "#!/bin/sh", 9, "a script"},
		{0x1fe, "\x55\xaa", 2, "a disk image or a boot sector"},
		{0x40, "\xd6\x50\x52\xe8", 4, "multiboot 2"},
		{0, "hello", 5, "not a kernel of a known kind"},
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < array_size(cases); i++) {
		memset(fixture->file, 0, sizeof(fixture->file));
		memcpy(fixture->file + cases[i].offset, cases[i].bytes, cases[i].length);
		fixture->file_length = 16384;
		assert_refused(fixture, -ENOEXEC, cases[i].part);
		/* A file that ends within the signature. */
		fixture->file_length = cases[i].offset + 1;
		assert_refused(fixture, -ENOEXEC, "kernel 'vmlinuz' is ");
	}
}

static void efi_programs_are_named(void **state)
{
	static const struct {
		uint16_t machine;
		const char *part;
	} cases[] = {
		{0xaa64, "an EFI program for arm64"},
		{0x8664, "an EFI program for x86-64 without a Linux boot header"},
		{0x9999, "an EFI program for another machine"},
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < array_size(cases); i++) {
		memset(fixture->file, 0, sizeof(fixture->file));
		fixture->file_length = 1024;
		memcpy(fixture->file, "MZ", 2);
		put32(fixture, 0x3c, 0x80);
		memcpy(fixture->file + 0x80, "PE\0\0", 4);
		put16(fixture, 0x84, cases[i].machine);
		assert_refused(fixture, -ENOEXEC, cases[i].part);
		put32(fixture, 0x3c, 0xffffffff);
		assert_refused(fixture, -ENOEXEC, "not a kernel of a known kind");
		put32(fixture, 0x3c, 8192 - 5);
		assert_refused(fixture, -ENOEXEC, "not a kernel of a known kind");
	}
}

/* A real kernel, when the environment names one. */
static void real_kernel(void **state)
{
	const char *path = getenv("HULL_TEST_BZIMAGE");
	struct fixture *fixture = *state;
	struct boot_request request = {
		.kernel_name = path,
		.initrd_fd = -1,
		.command_line = "console=ttyS0",
		.plain_command_line = "",
		.e820 = fixture->e820,
		.e820_count = 3,
	};
	cleanup_fd int fd = -1;
	struct gmem gmem = {.region_count = 1};
	struct stat status;

	if (!path)
		skip();
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &status), 0);
	request.kernel_fd = fd;
	request.kernel_size = (uint64_t)status.st_size;
	gmem.regions[0].size_bytes = UINT64_C(256) << 20;
	assert_int_equal(gmem_create(&gmem, &(struct gmem_options){0}, NULL), 0);
	if (boot_load(&gmem, &request, &fixture->result, &fixture->err) != 0)
		fail_msg("%s", fixture->err.text);
	assert_int_equal(fixture->result.protocol, BOOT_LINUX64);
	assert_int_equal(fixture->result.entry, 0x1000200);
	gmem_destroy(&gmem);
	gmem.region_count = 1;
	gmem.regions[0].size_bytes = UINT64_C(32) << 20;
	assert_int_equal(gmem_create(&gmem, &(struct gmem_options){0}, NULL), 0);
	assert_int_equal(boot_load(&gmem, &request, &fixture->result, &fixture->err), -E2BIG);
	print_message("%s\n", fixture->err.text);
	gmem_destroy(&gmem);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(loads, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			the_initrd_keeps_out_of_the_way, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(load_addresses, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(broken_headers, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(cut_short, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(command_lines, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(other_files_are_named, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(efi_programs_are_named, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(real_kernel, setup, fixture_teardown),
	};

	return cmocka_run_group_tests_name("boot_linux", tests, NULL, NULL);
}
