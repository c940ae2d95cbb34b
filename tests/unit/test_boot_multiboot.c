/* Multiboot kernels: offsets of the Multiboot Specification 0.6.96. */
#include "boot_fixture.h"

#define HEADER       0x100
#define FLAGS        (HEADER + 4)
#define CHECKSUM     (HEADER + 8)
#define HEADER_ADDR  (HEADER + 12)
#define LOAD_ADDR    (HEADER + 16)
#define LOAD_END     (HEADER + 20)
#define BSS_END      (HEADER + 24)
#define ENTRY        (HEADER + 28)
#define FILE_BYTES   0x3000
#define LOAD_ADDRESS UINT32_C(0x200000)
#define INFORMATION  UINT64_C(0x7000)

static void write_header(struct fixture *fixture, size_t offset, uint32_t flags)
{
	put32(fixture, offset, 0x1badb002);
	put32(fixture, offset + 4, flags);
	put32(fixture, offset + 8, 0u - 0x1badb002 - flags);
}

/* A flat file that begins 0x80 bytes before what it loads. */
static int setup(void **state)
{
	struct fixture *fixture;

	if (fixture_setup(state) != 0)
		return -1;
	fixture = *state;
	memset(fixture->file, 0x90, FILE_BYTES);
	write_header(fixture, HEADER, 0x10003);
	put32(fixture, HEADER_ADDR, LOAD_ADDRESS + 0x80);
	put32(fixture, LOAD_ADDR, LOAD_ADDRESS);
	put32(fixture, LOAD_END, 0);
	put32(fixture, BSS_END, 0);
	put32(fixture, ENTRY, LOAD_ADDRESS + 0x100);
	fixture->file_length = FILE_BYTES;
	return 0;
}

static void loads_flat(void **state)
{
	struct fixture *fixture = *state;
	uint64_t map, module;

	fixture->command_line = "one two";
	give_initrd(fixture, 5000);
	assert_loads(fixture);
	assert_int_equal(fixture->result.protocol, BOOT_MULTIBOOT);
	assert_int_equal(fixture->result.entry, LOAD_ADDRESS + 0x100);
	assert_int_equal(fixture->result.information, INFORMATION);
	assert_int_equal(guest32(fixture, LOAD_ADDRESS + 0x80), 0x1badb002);
	assert_int_equal(guest32(fixture, LOAD_ADDRESS + FILE_BYTES - 0x84), 0x90909090);
	assert_int_equal(guest32(fixture, LOAD_ADDRESS + FILE_BYTES - 0x80), 0);

	/* Memory, command line, modules, map and loader name; no screen (bits 11 and 12). */
	assert_int_equal(guest32(fixture, INFORMATION), 0x24d);
	assert_int_equal(guest32(fixture, INFORMATION + 4), 639);
	assert_int_equal(guest32(fixture, INFORMATION + 8), (MEMORY_BYTES >> 10) - 1024);
	assert_guest_text(fixture, guest32(fixture, INFORMATION + 16), "vmlinuz one two");
	assert_int_equal(guest32(fixture, INFORMATION + 20), 1);
	module = guest32(fixture, INFORMATION + 24);
	assert_int_equal(guest32(fixture, module), LOAD_ADDRESS + FILE_BYTES);
	assert_int_equal(guest32(fixture, module + 4), LOAD_ADDRESS + FILE_BYTES + 5000);
	assert_guest_text(fixture, guest32(fixture, module + 8), "initrd.img");
	assert_guest_text(fixture, LOAD_ADDRESS + FILE_BYTES, "initrd");
	assert_int_equal(guest32(fixture, INFORMATION + 44), 3 * 24);
	map = guest32(fixture, INFORMATION + 48);
	assert_int_equal(guest32(fixture, map + 24), 20);
	assert_int_equal(guest64(fixture, map + 28), 0x9fc00);
	assert_int_equal(guest64(fixture, map + 36), 0x60400);
	assert_int_equal(guest32(fixture, map + 44), 2);
	assert_guest_text(fixture, guest32(fixture, INFORMATION + 64), "hull");
}

static void without_words_or_modules(void **state)
{
	struct fixture *fixture = *state;

	assert_loads(fixture);
	assert_guest_text(fixture, guest32(fixture, INFORMATION + 16), "vmlinuz");
	assert_int_equal(guest32(fixture, INFORMATION + 20), 0);
}

static void load_addresses(void **state)
{
	struct fixture *fixture = *state;

	put32(fixture, LOAD_END, LOAD_ADDRESS + 0x400);
	put32(fixture, BSS_END, LOAD_ADDRESS + 0x10000);
	put32(fixture, ENTRY, LOAD_ADDRESS);
	give_initrd(fixture, 100);
	assert_loads(fixture);
	assert_int_equal(guest32(fixture, LOAD_ADDRESS + 0x3fc), 0x90909090);
	assert_int_equal(guest32(fixture, LOAD_ADDRESS + 0x400), 0);
	assert_int_equal(
		guest32(fixture, guest32(fixture, INFORMATION + 24)), LOAD_ADDRESS + 0x10000);
	/* No room above: below, then. */
	put32(fixture, BSS_END, MEMORY_BYTES - 50);
	assert_loads(fixture);
	assert_int_equal(guest32(fixture, guest32(fixture, INFORMATION + 24)), LOAD_ADDRESS - 4096);
	give_initrd(fixture, 0x100001);
	assert_refused(fixture, -E2BIG, "does not fit beside the kernel");
}

static void headers_are_found(void **state)
{
	static const struct {
		size_t offset;
		size_t length;
		bool found;
	} cases[] = {
		{0, FILE_BYTES, true},
		{4, FILE_BYTES, true},
		{2, FILE_BYTES, false},         /* not aligned */
		{8192 - 32, FILE_BYTES, true},  /* the last place */
		{8192 - 28, FILE_BYTES, false}, /* its addresses reach too far */
		{8192, FILE_BYTES, false},
		{0x200, 0x200 + 32, true},
		{0x200, 0x200 + 31, false},
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < array_size(cases); i++) {
		size_t offset = cases[i].offset;

		memset(fixture->file, 0, sizeof(fixture->file));
		write_header(fixture, offset, 0x10000);
		put32(fixture, offset + 12, LOAD_ADDRESS);
		put32(fixture, offset + 16, LOAD_ADDRESS);
		put32(fixture, offset + 28, LOAD_ADDRESS + 4);
		fixture->file_length = cases[i].length;
		if (cases[i].found)
			assert_loads(fixture);
		else
			assert_refused(fixture, -ENOEXEC, "not a kernel of a known kind");
	}
}

static void flags(void **state)
{
	struct fixture *fixture = *state;

	write_header(fixture, HEADER, 0x10007); /* a video mode, if there is one */
	assert_loads(fixture);
	write_header(fixture, HEADER, 0xffff0000); /* the upper ones are optional */
	assert_loads(fixture);
	for (unsigned int bit = 3; bit < 16; bit++) {
		write_header(fixture, HEADER, 0x10000 | 1u << bit);
		assert_refused(fixture, -ENOEXEC, "requires multiboot features");
	}
	write_header(fixture, HEADER, 3);
	assert_refused(fixture, -ENOEXEC, "no load addresses");
}

static void broken_headers(void **state)
{
	static const struct broken cases[] = {
		{"checksum", CHECKSUM, 4, 1, -ENOEXEC, "not a kernel of a known kind"},
		{"load above header", LOAD_ADDR, 4, LOAD_ADDRESS + 0x81, -EINVAL,
			"before the file"},
		{"load before file", LOAD_ADDR, 4, LOAD_ADDRESS - 0x81, -EINVAL, "before the file"},
		{"load far before file", LOAD_ADDR, 4, 0, -EINVAL, "before the file"},
		{"header far away", HEADER_ADDR, 4, UINT32_MAX, -EINVAL, "before the file"},
		{"load end before load", LOAD_END, 4, LOAD_ADDRESS - 1, -EINVAL, "cut short"},
		{"load end past file", LOAD_END, 4, LOAD_ADDRESS + FILE_BYTES - 0x7f, -EINVAL,
			"cut short"},
		{"load end far", LOAD_END, 4, UINT32_MAX, -EINVAL, "cut short"},
		{"bss above memory", BSS_END, 4, MEMORY_BYTES + 1, -E2BIG, "give more with -m"},
		{"bss in the hole", BSS_END, 4, UINT32_MAX, -EINVAL, "not RAM"},
		{"entry before", ENTRY, 4, LOAD_ADDRESS - 1, -EINVAL, "entry"},
		{"entry behind", ENTRY, 4, LOAD_ADDRESS + FILE_BYTES - 0x80, -EINVAL, "entry"},
	};

	assert_each_refused(*state, cases, array_size(cases));
}

/* Loaded at the end of the address space, and over Hull's tables. */
static void bad_places(void **state)
{
	static const struct {
		uint32_t address;
		int code;
		const char *part;
	} cases[] = {
		{0xfffff000, -EINVAL, "not RAM"},
		{0xc0000000, -EINVAL, "not RAM"},
		{0x20000, -EINVAL, "tables"},
		{0, -EINVAL, "tables"},
		{MEMORY_BYTES - 4096, -E2BIG, "give more with -m"},
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < array_size(cases); i++) {
		put32(fixture, HEADER_ADDR, cases[i].address);
		put32(fixture, LOAD_ADDR, cases[i].address);
		put32(fixture, ENTRY, cases[i].address);
		assert_refused(fixture, cases[i].code, cases[i].part);
	}
}

/* An ELF file around the header at 0x100, of one segment at offset 0. */
static void make_elf(struct fixture *fixture, bool wide, uint32_t flags)
{
	memset(fixture->file, 0, 0x100);
	memcpy(fixture->file, wide ? "\177ELF\2\1\1" : "\177ELF\1\1\1", 7);
	put16(fixture, 16, 2);
	put16(fixture, 18, wide ? 62 : 3);
	write_header(fixture, HEADER, flags);
	if (wide) {
		put64(fixture, 24, LOAD_ADDRESS + 0x400);
		put64(fixture, 32, 64);
		put16(fixture, 54, 56);
		put16(fixture, 56, 1);
		put32(fixture, 64, 1);
		put64(fixture, 64 + 24, LOAD_ADDRESS);
		put64(fixture, 64 + 32, FILE_BYTES);
		put64(fixture, 64 + 40, FILE_BYTES);
		return;
	}
	put32(fixture, 24, LOAD_ADDRESS + 0x400);
	put32(fixture, 28, 52);
	put16(fixture, 42, 32);
	put16(fixture, 44, 1);
	put32(fixture, 52, 1);
	put32(fixture, 52 + 12, LOAD_ADDRESS);
	put32(fixture, 52 + 16, FILE_BYTES);
	put32(fixture, 52 + 20, FILE_BYTES);
}

static void elf_files(void **state)
{
	struct fixture *fixture = *state;

	for (int wide = 0; wide < 2; wide++) {
		make_elf(fixture, wide, 3);
		assert_loads(fixture);
		assert_int_equal(fixture->result.protocol, BOOT_MULTIBOOT);
		assert_int_equal(fixture->result.entry, LOAD_ADDRESS + 0x400);
		assert_int_equal(guest32(fixture, LOAD_ADDRESS), 0x464c457f);
		make_elf(fixture, wide, 0x10);
		assert_refused(fixture, -ENOEXEC, "requires multiboot features");
		/* Addresses in the header replace the ELF headers. */
		make_elf(fixture, wide, 0x10003);
		assert_loads(fixture);
		assert_int_equal(fixture->result.entry, LOAD_ADDRESS + 0x100);
	}
	fixture->command_line = "x";
	assert_loads(fixture);
	assert_guest_text(fixture, guest32(fixture, INFORMATION + 16), "vmlinuz x");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(loads_flat, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(without_words_or_modules, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(load_addresses, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(headers_are_found, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(flags, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(broken_headers, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(bad_places, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(elf_files, setup, fixture_teardown),
	};

	return cmocka_run_group_tests_name("boot_multiboot", tests, NULL, NULL);
}
