/*
 * What a kernel module says about itself: the section .modinfo of its ELF file, a row of KEY=VALUE
 * with a NUL behind each. The file may be damaged in any way.
 */
#include "kernel_modules.h"

#include <elf.h>
#include <stdint.h>
#include <string.h>

struct range {
	const char *bytes;
	uint64_t length;
};

static bool part(const struct range *file, uint64_t offset, uint64_t length, struct range *ret_part)
{
	if (offset > file->length || length > file->length - offset)
		return false;
	*ret_part = (struct range){file->bytes + offset, length};
	return true;
}

static bool read_section(const struct range *table, unsigned int index, uint64_t entry_bytes,
	Elf64_Shdr *ret_section)
{
	struct range entry;

	if (entry_bytes < sizeof(*ret_section) ||
		!part(table, index * entry_bytes, sizeof(*ret_section), &entry))
		return false;
	memcpy(ret_section, entry.bytes, sizeof(*ret_section));
	return true;
}

/* A name that ends within the table. */
static bool is_called(const struct range *names, uint64_t offset, const char *name)
{
	struct range found;

	return part(names, offset, strlen(name) + 1, &found) &&
	       memcmp(found.bytes, name, found.length) == 0;
}

static bool find_modinfo(const struct range *file, struct range *ret_info)
{
	Elf64_Ehdr header;
	Elf64_Shdr section;
	struct range table, names;

	if (file->length < sizeof(header))
		return false;
	memcpy(&header, file->bytes, sizeof(header));
	if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
		header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
		!part(file, header.e_shoff, (uint64_t)header.e_shnum * header.e_shentsize,
			&table) ||
		!read_section(&table, header.e_shstrndx, header.e_shentsize, &section) ||
		!part(file, section.sh_offset, section.sh_size, &names))
		return false;
	for (unsigned int i = 0; i < header.e_shnum; i++)
		if (read_section(&table, i, header.e_shentsize, &section) &&
			section.sh_type == SHT_PROGBITS &&
			is_called(&names, section.sh_name, ".modinfo"))
			return part(file, section.sh_offset, section.sh_size, ret_info);
	return false;
}

const char *kernel_module_info(const void *bytes, size_t length, const char *key)
{
	const struct range file = {bytes, length};
	const size_t key_length = strlen(key);
	struct range info;

	if (!find_modinfo(&file, &info))
		return NULL;
	while (info.length) {
		const char *end = memchr(info.bytes, '\0', info.length);

		if (!end)
			return NULL;
		if ((size_t)(end - info.bytes) > key_length &&
			memcmp(info.bytes, key, key_length) == 0 && info.bytes[key_length] == '=')
			return info.bytes + key_length + 1;
		info.length -= (uint64_t)(end - info.bytes) + 1;
		info.bytes = end + 1;
	}
	return NULL;
}
