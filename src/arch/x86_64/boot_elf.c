/*
 * ELF kernels, 32 and 64 bits wide: System V gABI chapters 4 and 5. See boot.h.
 *
 * The first that applies: a PVH note (Xen docs/misc/pvh.pandoc), a multiboot header, the entry of
 * a 64-bit Linux vmlinux. Segments go to their physical addresses; nothing is relocated, and
 * programs for user space are refused.
 */
#include "boot_work.h"
#include "layout.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define NOTE_XEN_PHYS32_ENTRY 18 /* XEN_ELFNOTE_PHYS32_ENTRY */
#define NOTES_MAX_BYTES       UINT64_C(65536)
#define ENTRY_LIMIT           (UINT64_C(1) << 32) /* 32-bit mode, or Hull's page tables, end here */

struct segment {
	uint32_t type;
	uint64_t offset;
	uint64_t virtual_address;
	uint64_t address; /* physical */
	uint64_t file_bytes;
	uint64_t memory_bytes;
	uint64_t alignment;
};

struct elf {
	bool wide; /* ELFCLASS64 */
	uint64_t entry;
	uint64_t table_offset;
	unsigned int count;
	struct segment segments[BOOT_SEGMENTS_MAX];
};

static int damaged(const struct boot_work *work, const char *what, struct err *err)
{
	return err_set(err, -EINVAL, "kernel '%s' is a damaged ELF file: %s",
		work->request->kernel_name, what);
}

/* Fields whose place does not depend on the class. */
static int check_kind(const struct boot_work *work, const Elf32_Ehdr *header, struct err *err)
{
	const char *name = work->request->kernel_name;
	bool big_endian = header->e_ident[EI_DATA] == ELFDATA2MSB;
	unsigned int machine = big_endian ? __builtin_bswap16(header->e_machine)
	                                  : header->e_machine;
	const char *machine_name = boot_machine_name(machine);

	if (big_endian || (machine != EM_386 && machine != EM_X86_64)) {
		if (machine_name)
			return err_set(err, -ENOEXEC,
				"kernel '%s' is an ELF file for %s, this machine is x86-64", name,
				machine_name);
		return err_set(err, -ENOEXEC,
			"kernel '%s' is an ELF file for another machine (number %u), this machine "
			"is x86-64",
			name, machine);
	}
	switch (header->e_type) {
	case ET_EXEC:
	case ET_DYN:
		return 0;
	case ET_REL:
		return err_set(err, -ENOEXEC,
			"kernel '%s' is an object file or a kernel module, not a kernel", name);
	case ET_CORE:
		return err_set(err, -ENOEXEC, "kernel '%s' is a core dump, not a kernel", name);
	default:
		return damaged(work, "unknown type", err);
	}
}

static int read_header(const struct boot_work *work, struct elf *elf, struct err *err)
{
	unsigned int entry_bytes, expected_bytes;
	Elf32_Ehdr narrow;
	Elf64_Ehdr wide;
	int r;

	memcpy(&narrow, work->head, sizeof(narrow));
	memcpy(&wide, work->head, sizeof(wide));
	if (work->head_length < sizeof(narrow))
		return damaged(work, "it is shorter than its header", err);
	elf->wide = narrow.e_ident[EI_CLASS] == ELFCLASS64;
	if (!elf->wide && narrow.e_ident[EI_CLASS] != ELFCLASS32)
		return damaged(work, "it is neither 32 nor 64 bits wide", err);
	r = check_kind(work, &narrow, err);
	if (r < 0)
		return r;
	if (elf->wide && work->head_length < sizeof(wide))
		return damaged(work, "it is shorter than its header", err);
	elf->entry = elf->wide ? wide.e_entry : narrow.e_entry;
	elf->table_offset = elf->wide ? wide.e_phoff : narrow.e_phoff;
	elf->count = elf->wide ? wide.e_phnum : narrow.e_phnum;
	entry_bytes = elf->wide ? wide.e_phentsize : narrow.e_phentsize;
	expected_bytes = elf->wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
	if (!elf->count)
		return damaged(work, "it has no program headers", err);
	if (elf->count > BOOT_SEGMENTS_MAX)
		return damaged(work, "it has more than 64 program headers", err);
	if (entry_bytes != expected_bytes)
		return damaged(work, "its program headers have an unknown size", err);
	return 0;
}

static int read_segment(
	const struct boot_work *work, struct elf *elf, unsigned int index, struct err *err)
{
	struct segment *segment = &elf->segments[index];
	uint64_t entry_bytes = elf->wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
	Elf64_Phdr wide;
	Elf32_Phdr narrow;
	uint64_t offset;
	int r;

	if (__builtin_add_overflow(elf->table_offset, index * entry_bytes, &offset))
		return damaged(work, "its program headers wrap around", err);
	if (elf->wide) {
		r = boot_read_header(work, offset, &wide, sizeof(wide), err);
		if (r < 0)
			return r;
		*segment = (struct segment){wide.p_type, wide.p_offset, wide.p_vaddr, wide.p_paddr,
			wide.p_filesz, wide.p_memsz, wide.p_align};
		return 0;
	}
	r = boot_read_header(work, offset, &narrow, sizeof(narrow), err);
	if (r < 0)
		return r;
	*segment = (struct segment){narrow.p_type, narrow.p_offset, narrow.p_vaddr, narrow.p_paddr,
		narrow.p_filesz, narrow.p_memsz, narrow.p_align};
	return 0;
}

static int check_segment(
	const struct boot_work *work, const struct segment *segment, struct err *err)
{
	if (segment->type == PT_INTERP)
		return err_set(err, -ENOEXEC,
			"kernel '%s' is a program for Linux user space, not a kernel",
			work->request->kernel_name);
	if (segment->type == PT_LOAD && segment->file_bytes > segment->memory_bytes)
		return damaged(work, "a segment is larger in the file than in memory", err);
	return 0;
}

static int read_segments(const struct boot_work *work, struct elf *elf, struct err *err)
{
	for (unsigned int i = 0; i < elf->count; i++) {
		int r = read_segment(work, elf, i, err);

		if (r < 0)
			return r;
		r = check_segment(work, &elf->segments[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Claims all before the first byte is written: a kernel that does not fit costs no reading. The
 * last segment is usually the highest: claimed first, it tells all the memory that is missing. */
static int load_segments(struct boot_work *work, const struct elf *elf, struct err *err)
{
	int r = 0;

	for (unsigned int i = elf->count; i > 0 && r == 0; i--) {
		const struct segment *segment = &elf->segments[i - 1];

		if (segment->type == PT_LOAD)
			r = boot_claim(work, segment->address, segment->memory_bytes, err);
	}
	for (unsigned int i = 0; i < elf->count && r == 0; i++) {
		const struct segment *segment = &elf->segments[i];

		if (segment->type == PT_LOAD && segment->file_bytes)
			r = boot_read_kernel(
				work, segment->address, segment->file_bytes, segment->offset, err);
	}
	if (r == 0 && !work->taken_count)
		return damaged(work, "it has nothing to load", err);
	return r;
}

/* The entry as a physical address. Kernels linked high may give a virtual one. */
static int find_entry(
	const struct boot_work *work, const struct elf *elf, uint64_t *ret_entry, struct err *err)
{
	uint64_t entry = elf->entry;
	bool found = false;

	for (unsigned int i = 0; i < elf->count && !found; i++) {
		const struct segment *segment = &elf->segments[i];

		found = segment->type == PT_LOAD && entry >= segment->address &&
		        entry - segment->address < segment->memory_bytes;
	}
	for (unsigned int i = 0; i < elf->count && !found; i++) {
		const struct segment *segment = &elf->segments[i];

		if (segment->type != PT_LOAD || entry < segment->virtual_address ||
			entry - segment->virtual_address >= segment->memory_bytes)
			continue;
		entry = entry - segment->virtual_address + segment->address;
		found = true;
	}
	if (!found)
		return damaged(work, "its entry lies outside its segments", err);
	if (entry >= ENTRY_LIMIT)
		return damaged(work, "its entry lies above 4 GiB", err);
	*ret_entry = entry;
	return 0;
}

/* One note of a segment (gABI 5, "Note Section"): its size, and the PVH entry if that is what it
 * holds. */
static int read_note(const struct boot_work *work, const struct segment *segment, uint64_t position,
	uint64_t *ret_bytes, uint64_t *entry, struct err *err)
{
	uint64_t mask = (segment->alignment == 8 ? 8 : 4) - UINT64_C(1);
	uint64_t left = segment->file_bytes - position, name_end, bytes;
	Elf64_Nhdr header; /* the same in both classes */
	char name[4] = "";
	int r;

	r = boot_read_header(work, segment->offset + position, &header, sizeof(header), err);
	if (r < 0)
		return r;
	name_end = (sizeof(header) + header.n_namesz + mask) & ~mask;
	bytes = (name_end + header.n_descsz + mask) & ~mask;
	*ret_bytes = bytes < left ? bytes : left;
	if (header.n_type != NOTE_XEN_PHYS32_ENTRY || header.n_namesz != sizeof("Xen"))
		return 0;
	if (name_end + header.n_descsz > left)
		return damaged(work, "its PVH note is cut short", err);
	r = boot_read_header(
		work, segment->offset + position + sizeof(header), name, sizeof(name), err);
	if (r < 0 || memcmp(name, "Xen", sizeof(name)) != 0)
		return r;
	if (header.n_descsz != 4 && header.n_descsz != 8)
		return damaged(work, "its PVH note has an unknown size", err);
	*entry = 0;
	return boot_read_header(
		work, segment->offset + position + name_end, entry, header.n_descsz, err);
}

/* *entry is left alone when there is no PVH note. */
static int find_pvh_entry(
	const struct boot_work *work, const struct elf *elf, uint64_t *entry, struct err *err)
{
	for (unsigned int i = 0; i < elf->count; i++) {
		const struct segment *segment = &elf->segments[i];
		uint64_t position = 0, bytes, end;

		if (segment->type != PT_NOTE)
			continue;
		if (segment->file_bytes > NOTES_MAX_BYTES ||
			__builtin_add_overflow(segment->offset, segment->file_bytes, &end))
			return damaged(work, "its notes are too large", err);
		while (segment->file_bytes - position >= sizeof(Elf64_Nhdr)) {
			int r = read_note(work, segment, position, &bytes, entry, err);

			if (r < 0)
				return r;
			position += bytes;
		}
	}
	return 0;
}

static bool is_loaded(const struct boot_work *work, uint64_t address)
{
	for (unsigned int i = 0; i < work->taken_count; i++) {
		if (address >= work->taken[i].start && address < work->taken[i].end)
			return true;
	}
	return false;
}

static int enter_pvh(struct boot_work *work, const struct elf *elf, uint64_t entry,
	struct boot_result *result, struct err *err)
{
	int r = load_segments(work, elf, err);

	if (r < 0)
		return r;
	if (entry >= ENTRY_LIMIT || !is_loaded(work, entry))
		return damaged(work, "its PVH entry lies outside its segments", err);
	result->protocol = BOOT_PVH;
	result->entry = entry;
	return boot_pvh_describe(work, err);
}

static int enter_by_header(struct boot_work *work, const struct elf *elf, bool multiboot,
	struct boot_result *result, struct err *err)
{
	int r;

	if (!multiboot && !elf->wide)
		return err_set(err, -ENOEXEC,
			"kernel '%s' is a 32-bit ELF file with neither a PVH note nor a multiboot "
			"header: there is no known way to enter it",
			work->request->kernel_name);
	r = multiboot ? boot_multiboot_check(work, err) : 0;
	if (r < 0)
		return r;
	r = load_segments(work, elf, err);
	if (r < 0)
		return r;
	r = find_entry(work, elf, &result->entry, err);
	if (r < 0)
		return r;
	result->protocol = multiboot ? BOOT_MULTIBOOT : BOOT_LINUX64;
	return multiboot ? boot_multiboot_describe(work, err) : boot_linux_describe(work, err);
}

int boot_elf_load(struct boot_work *work, struct boot_result *ret_result, struct err *err)
{
	const uint64_t none = UINT64_MAX;
	struct boot_result result = {.information = BOOT_PARAMS_ADDRESS};
	struct elf elf = {0};
	uint64_t pvh_entry = none;
	bool multiboot, has_addresses = false;
	int r = read_header(work, &elf, err);

	if (r < 0)
		return r;
	r = read_segments(work, &elf, err);
	if (r < 0)
		return r;
	r = find_pvh_entry(work, &elf, &pvh_entry, err);
	if (r < 0)
		return r;
	multiboot = boot_multiboot_present(work, &has_addresses);
	/* Multiboot 0.6.96 3.1.2: the header's addresses, when given, replace the ELF headers. */
	if (pvh_entry == none && has_addresses)
		return boot_multiboot_load_flat(work, ret_result, err);
	if (pvh_entry != none)
		r = enter_pvh(work, &elf, pvh_entry, &result, err);
	else
		r = enter_by_header(work, &elf, multiboot, &result, err);
	if (r < 0)
		return r;
	*ret_result = result;
	return 0;
}
