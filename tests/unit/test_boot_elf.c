/* ELF kernels: offsets of the System V gABI, the Xen PVH note and start info. */
#include "boot_fixture.h"

/* ELF header, 64 bits wide. */
#define E_CLASS     4
#define E_DATA      5
#define E_TYPE      16
#define E_MACHINE   18
#define E_ENTRY     24
#define E_PHOFF     32
#define E_PHENTSIZE 54
#define E_PHNUM     56

/* Program header i of the file made here. */
#define PH(i)    (64 + 56 * (i))
#define P_TYPE   0
#define P_OFFSET 8
#define P_VADDR  16
#define P_PADDR  24
#define P_FILESZ 32
#define P_MEMSZ  40
#define P_ALIGN  48

#define TEXT_OFFSET  0x1000
#define TEXT_BYTES   0x800
#define TEXT_ADDRESS UINT64_C(0x1000000)
#define DATA_OFFSET  0x1800
#define DATA_BYTES   0x100
#define DATA_ADDRESS UINT64_C(0x1200000)
#define NOTE_OFFSET  0x1a00
#define NOTE_BYTES   (20 + 20)
#define PVH_NOTE     (NOTE_OFFSET + 20)

#define INFORMATION UINT64_C(0x7000)

static void program_header(struct fixture *fixture, size_t at, uint32_t type, uint64_t offset,
	uint64_t address, uint64_t file_bytes, uint64_t memory_bytes)
{
	put32(fixture, at + P_TYPE, type);
	put64(fixture, at + P_OFFSET, offset);
	put64(fixture, at + P_VADDR, address + UINT64_C(0xffffffff80000000));
	put64(fixture, at + P_PADDR, address);
	put64(fixture, at + P_FILESZ, file_bytes);
	put64(fixture, at + P_MEMSZ, memory_bytes);
	put64(fixture, at + P_ALIGN, 4);
}

/* Text, data with bss, a foreign note and then the PVH note. */
static int setup(void **state)
{
	struct fixture *fixture;

	if (fixture_setup(state) != 0)
		return -1;
	fixture = *state;
	memcpy(fixture->file, "\177ELF\2\1\1", 7);
	put16(fixture, E_TYPE, 2);
	put16(fixture, E_MACHINE, 62);
	put64(fixture, E_ENTRY, TEXT_ADDRESS + 0x10);
	put64(fixture, E_PHOFF, PH(0));
	put16(fixture, E_PHENTSIZE, 56);
	put16(fixture, E_PHNUM, 3);
	program_header(fixture, PH(0), 1, TEXT_OFFSET, TEXT_ADDRESS, TEXT_BYTES, TEXT_BYTES);
	program_header(fixture, PH(1), 1, DATA_OFFSET, DATA_ADDRESS, DATA_BYTES, 0x100000);
	program_header(fixture, PH(2), 4, NOTE_OFFSET, 0, NOTE_BYTES, NOTE_BYTES);
	memset(fixture->file + TEXT_OFFSET, 0x90, TEXT_BYTES);
	memset(fixture->file + DATA_OFFSET, 0xdd, DATA_BYTES);
	put32(fixture, NOTE_OFFSET, 4);
	put32(fixture, NOTE_OFFSET + 4, 3);
	put32(fixture, NOTE_OFFSET + 8, 18);
	memcpy(fixture->file + NOTE_OFFSET + 12, "GNU", 4);
	put32(fixture, PVH_NOTE, 4);
	put32(fixture, PVH_NOTE + 4, 4);
	put32(fixture, PVH_NOTE + 8, 18);
	memcpy(fixture->file + PVH_NOTE + 12, "Xen", 4);
	put32(fixture, PVH_NOTE + 16, TEXT_ADDRESS + 0x40);
	fixture->file_length = NOTE_OFFSET + NOTE_BYTES;
	return 0;
}

static int setup_without_note(void **state)
{
	struct fixture *fixture;

	if (setup(state) != 0)
		return -1;
	fixture = *state;
	put32(fixture, PVH_NOTE + 8, 17);
	return 0;
}

static void pvh(void **state)
{
	struct fixture *fixture = *state;
	uint64_t modules, map;

	fixture->command_line = "quiet";
	give_initrd(fixture, 5000);
	assert_loads(fixture);
	assert_int_equal(fixture->result.protocol, BOOT_PVH);
	assert_int_equal(fixture->result.entry, TEXT_ADDRESS + 0x40);
	assert_int_equal(fixture->result.information, INFORMATION);
	assert_int_equal(guest32(fixture, TEXT_ADDRESS), 0x90909090);
	assert_int_equal(guest32(fixture, DATA_ADDRESS + DATA_BYTES - 4), 0xdddddddd);
	assert_int_equal(guest32(fixture, DATA_ADDRESS + DATA_BYTES), 0);

	assert_int_equal(guest32(fixture, INFORMATION), 0x336ec578);
	assert_int_equal(guest32(fixture, INFORMATION + 4), 1);
	assert_int_equal(guest32(fixture, INFORMATION + 8), 0);
	assert_int_equal(guest32(fixture, INFORMATION + 12), 1);
	modules = guest64(fixture, INFORMATION + 16);
	assert_int_equal(guest64(fixture, modules), MEMORY_BYTES - 2 * 4096);
	assert_int_equal(guest64(fixture, modules + 8), 5000);
	assert_int_equal(guest64(fixture, modules + 16), 0);
	assert_guest_text(fixture, MEMORY_BYTES - 2 * 4096, "initrd");
	assert_guest_text(fixture, guest64(fixture, INFORMATION + 24), "quiet");
	assert_int_equal(guest64(fixture, INFORMATION + 32), TABLES);
	map = guest64(fixture, INFORMATION + 40);
	assert_int_equal(guest32(fixture, INFORMATION + 48), 3);
	assert_int_equal(guest64(fixture, map + 24), 0x9fc00);
	assert_int_equal(guest64(fixture, map + 32), 0x60400);
	assert_int_equal(guest32(fixture, map + 40), 2);
}

static void pvh_notes_may_be_wide(void **state)
{
	struct fixture *fixture = *state;

	put32(fixture, PVH_NOTE + 4, 8);
	put64(fixture, PVH_NOTE + 16, DATA_ADDRESS + 0xfffff); /* in the bss: the kernel's affair */
	put64(fixture, PH(2) + P_FILESZ, NOTE_BYTES + 4);
	fixture->file_length += 4;
	assert_loads(fixture);
	assert_int_equal(fixture->result.entry, DATA_ADDRESS + 0xfffff);
	put64(fixture, PVH_NOTE + 16, DATA_ADDRESS + 0x100000);
	assert_refused(fixture, -EINVAL, "PVH entry lies outside");
	put64(fixture, PVH_NOTE + 16, (UINT64_C(1) << 32) + TEXT_ADDRESS);
	assert_refused(fixture, -EINVAL, "PVH entry lies outside");
}

static void linux64(void **state)
{
	struct fixture *fixture = *state;

	fixture->command_line = "quiet";
	give_initrd(fixture, 5000);
	assert_loads(fixture);
	assert_int_equal(fixture->result.protocol, BOOT_LINUX64);
	assert_int_equal(fixture->result.entry, TEXT_ADDRESS + 0x10);
	assert_int_equal(guest32(fixture, INFORMATION + 0x202), 0x53726448);
	assert_int_equal(guest8(fixture, INFORMATION + 0x210), 0xff);
	assert_guest_text(fixture, guest32(fixture, INFORMATION + 0x228), "quiet");
	assert_int_equal(guest32(fixture, INFORMATION + 0x218), MEMORY_BYTES - 2 * 4096);
	assert_int_equal(guest64(fixture, INFORMATION + 0x70), TABLES);
	assert_int_equal(guest8(fixture, INFORMATION + 0x1e8), 3);
	/* A virtual entry is translated. */
	put64(fixture, E_ENTRY, UINT64_C(0xffffffff80000000) + DATA_ADDRESS + 8);
	assert_loads(fixture);
	assert_int_equal(fixture->result.entry, DATA_ADDRESS + 8);
}

static void linux_cuts_long_command_lines(void **state)
{
	static char line[2049];
	struct fixture *fixture = *state;

	memset(line, 'x', 2047);
	fixture->command_line = line;
	assert_loads(fixture);
	line[2047] = 'x';
	assert_refused(fixture, -E2BIG, "takes at most 2047");
}

static void empty_segments_are_ignored(void **state)
{
	struct fixture *fixture = *state;

	/* Nothing in the file: its offset may be anything. */
	put64(fixture, PH(1) + P_FILESZ, 0);
	put64(fixture, PH(1) + P_OFFSET, UINT64_MAX);
	assert_loads(fixture);
	/* Nothing in memory either. */
	put64(fixture, PH(1) + P_MEMSZ, 0);
	put64(fixture, PH(1) + P_PADDR, 0);
	assert_loads(fixture);
	put32(fixture, PH(0) + P_TYPE, 0);
	assert_refused(fixture, -EINVAL, "nothing to load");
}

static void low_memory_is_free_between_the_tables(void **state)
{
	static const struct {
		uint64_t start, end;
		bool good;
	} cases[] = {
		{0x1000, 0x7000, true},
		{0xfff, 0x1001, false},
		{0x6fff, 0x7001, false},
		{0xefff, 0xf000, false},
		{0xf000, 0x20000, true},
		{0xf000, 0x20001, false},
		{0x30000, 0x9fc00, true},
		{0x30000, 0x9fc01, false},
		{0x2ffff, 0x30001, false},
		{0xfffff, 0x100001, false},
		{0, 0x200000, false},
		{0x100000, 0x200000, true},
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < array_size(cases); i++) {
		put64(fixture, PH(1) + P_PADDR, cases[i].start);
		put64(fixture, PH(1) + P_MEMSZ, cases[i].end - cases[i].start);
		put64(fixture, PH(1) + P_FILESZ, 1);
		if (cases[i].good)
			assert_loads(fixture);
		else
			assert_refused(fixture, -EINVAL, "where the machine keeps its tables");
	}
}

static void broken_headers(void **state)
{
	static const struct broken cases[] = {
		{"class", E_CLASS, 1, 3, -EINVAL, "neither 32 nor 64"},
		{"arm64", E_MACHINE, 2, 183, -ENOEXEC,
			"an ELF file for arm64, this machine is x86-64"},
		{"riscv", E_MACHINE, 2, 243, -ENOEXEC, "RISC-V"},
		{"unknown machine", E_MACHINE, 2, 9999, -ENOEXEC, "number 9999"},
		{"big endian", E_DATA, 1, 2, -ENOEXEC, "another machine"},
		{"object", E_TYPE, 2, 1, -ENOEXEC, "kernel module"},
		{"core", E_TYPE, 2, 4, -ENOEXEC, "core dump"},
		{"type", E_TYPE, 2, 99, -EINVAL, "unknown type"},
		{"no headers", E_PHNUM, 2, 0, -EINVAL, "no program headers"},
		{"too many headers", E_PHNUM, 2, 65, -EINVAL, "more than 64"},
		{"most headers", E_PHNUM, 2, 0xffff, -EINVAL, "more than 64"},
		{"header size", E_PHENTSIZE, 2, 32, -EINVAL, "unknown size"},
		{"headers past the end", E_PHOFF, 8, 0x1a00, -EINVAL, "is cut short"},
		{"headers far away", E_PHOFF, 8, INT64_MAX, -EINVAL, "is cut short"},
		{"headers wrap", E_PHOFF, 8, UINT64_MAX - 55, -EINVAL, "is cut short"},
		{"later headers wrap", E_PHOFF, 8, UINT64_MAX, -EINVAL, "is cut short"},
		{"offset past the end", PH(0) + P_OFFSET, 8, 0x2000, -EINVAL, "is cut short"},
		{"offset wraps", PH(0) + P_OFFSET, 8, UINT64_MAX, -EINVAL, "is cut short"},
		{"file size", PH(0) + P_FILESZ, 8, TEXT_BYTES + 1, -EINVAL, "larger in the file"},
		{"file size wraps", PH(0) + P_FILESZ, 8, UINT64_MAX, -EINVAL, "larger in the file"},
		{"memory size", PH(1) + P_MEMSZ, 8, MEMORY_BYTES, -E2BIG, "give more with -m"},
		{"memory size into the hole", PH(1) + P_MEMSZ, 8, 0xc0000000, -EINVAL, "not RAM"},
		{"memory size wraps", PH(1) + P_MEMSZ, 8, UINT64_MAX, -EINVAL, "wraps around"},
		{"address above memory", PH(0) + P_PADDR, 8, MEMORY_BYTES, -E2BIG,
			"up to 49 MiB and the VM has 48 MiB"},
		{"address in the hole", PH(0) + P_PADDR, 8, 0xfee00000, -EINVAL, "not RAM"},
		{"address wraps", PH(0) + P_PADDR, 8, UINT64_MAX, -EINVAL, "wraps around"},
		{"overlap", PH(0) + P_PADDR, 8, DATA_ADDRESS - TEXT_BYTES + 1, -EINVAL, "overlap"},
		{"user space", PH(2) + P_TYPE, 4, 3, -ENOEXEC, "a program for Linux user space"},
		{"notes past the end", PH(2) + P_OFFSET, 8, 0x2000, -EINVAL, "is cut short"},
		{"notes wrap", PH(2) + P_OFFSET, 8, UINT64_MAX, -EINVAL, "notes are too large"},
		{"notes too large", PH(2) + P_FILESZ, 8, 65537, -EINVAL, "notes are too large"},
		{"notes huge", PH(2) + P_FILESZ, 8, UINT64_MAX, -EINVAL, "notes are too large"},
		{"note size", PVH_NOTE + 4, 4, 3, -EINVAL, "unknown size"},
		{"note cut short", PVH_NOTE + 4, 4, 8, -EINVAL, "PVH note is cut short"},
		{"note huge", PVH_NOTE + 4, 4, UINT32_MAX, -EINVAL, "PVH note is cut short"},
		{"PVH entry", PVH_NOTE + 16, 4, TEXT_ADDRESS - 1, -EINVAL,
			"PVH entry lies outside"},
	};

	assert_each_refused(*state, cases, array_size(cases));
}

static void broken_entries(void **state)
{
	static const struct broken cases[] = {
		{"below", E_ENTRY, 8, TEXT_ADDRESS - 1, -EINVAL, "entry lies outside"},
		{"behind", E_ENTRY, 8, TEXT_ADDRESS + TEXT_BYTES, -EINVAL, "entry lies outside"},
		{"zero", E_ENTRY, 8, 0, -EINVAL, "entry lies outside"},
		{"last", E_ENTRY, 8, UINT64_MAX, -EINVAL, "entry lies outside"},
	};

	assert_each_refused(*state, cases, array_size(cases));
}

static void cut_short(void **state)
{
	static const size_t lengths[] = {4, 5, 16, 51, 52, 63, 64, 119, PH(2), PH(3) - 1, PH(3),
		TEXT_OFFSET, DATA_OFFSET - 1, DATA_OFFSET, NOTE_OFFSET, PVH_NOTE, PVH_NOTE + 11,
		PVH_NOTE + 12, PVH_NOTE + 19};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < array_size(lengths); i++) {
		int r = load_as(fixture, lengths[i], lengths[i]);

		assert_fails(fixture, r, -EINVAL, lengths[i] < 64 ? "damaged" : "is cut short");
		r = load_as(fixture, lengths[i], fixture->file_length);
		assert_fails(fixture, r, -ENODATA, "became shorter");
	}
}

/* The same kernel, 32 bits wide: e_entry 24, e_phoff 28, e_phentsize 42, e_phnum 44. */
static void narrow_files(void **state)
{
	struct fixture *fixture = *state;

	memset(fixture->file, 0, TEXT_OFFSET);
	memcpy(fixture->file, "\177ELF\1\1\1", 7);
	put16(fixture, E_TYPE, 2);
	put16(fixture, E_MACHINE, 3);
	put32(fixture, 24, TEXT_ADDRESS);
	put32(fixture, 28, 52);
	put16(fixture, 42, 32);
	put16(fixture, 44, 2);
	put32(fixture, 52, 1);
	put32(fixture, 52 + 4, TEXT_OFFSET);
	put32(fixture, 52 + 12, TEXT_ADDRESS);
	put32(fixture, 52 + 16, TEXT_BYTES);
	put32(fixture, 52 + 20, TEXT_BYTES);
	put32(fixture, 84, 4);
	put32(fixture, 84 + 4, NOTE_OFFSET);
	put32(fixture, 84 + 16, NOTE_BYTES);
	put32(fixture, 84 + 20, NOTE_BYTES);
	assert_loads(fixture);
	assert_int_equal(fixture->result.protocol, BOOT_PVH);
	assert_int_equal(fixture->result.entry, TEXT_ADDRESS + 0x40);
	put32(fixture, PVH_NOTE + 8, 17);
	assert_refused(fixture, -ENOEXEC, "32-bit ELF file with neither a PVH note nor");
	put32(fixture, 28, UINT32_MAX);
	assert_refused(fixture, -EINVAL, "is cut short");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(pvh, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(pvh_notes_may_be_wide, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(linux64, setup_without_note, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			linux_cuts_long_command_lines, setup_without_note, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			empty_segments_are_ignored, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			low_memory_is_free_between_the_tables, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(broken_headers, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			broken_entries, setup_without_note, fixture_teardown),
		cmocka_unit_test_setup_teardown(cut_short, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(narrow_files, setup, fixture_teardown),
	};

	return cmocka_run_group_tests_name("boot_elf", tests, NULL, NULL);
}
