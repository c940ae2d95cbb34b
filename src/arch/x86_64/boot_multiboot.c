/*
 * Multiboot 0.6.96: finding the header, loading by its address fields, and the information that
 * the kernel finds. See boot.h.
 *
 * Flag bit 2 asks for a video mode "recommended by the kernel" (3.1.4): there is no screen, and
 * the information says so by bits 11 and 12 being clear; the flag is no reason to refuse. The
 * kernel's file name is the command line's first word, as GRUB has it.
 */
#include "boot_work.h"
#include "layout.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define HEADER_MAGIC         0x1badb002
#define HEADER_HAS_ADDRESSES (1u << 16)
#define HEADER_REQUIRES      0xffffu /* 3.1.2: these bits must be understood */
#define HEADER_UNDERSTOOD    0x0007u /* page alignment, memory information, video */

#define INFO_MEMORY       (1u << 0)
#define INFO_COMMAND_LINE (1u << 2)
#define INFO_MODULES      (1u << 3)
#define INFO_MEMORY_MAP   (1u << 6)
#define INFO_LOADER_NAME  (1u << 9)

struct multiboot_header {
	uint32_t magic;
	uint32_t flags;
	uint32_t checksum;
	/* With flag bit 16. */
	uint32_t header_address;
	uint32_t load_address;
	uint32_t load_end_address;
	uint32_t bss_end_address;
	uint32_t entry_address;
};

#define HEADER_SHORT_BYTES offsetof(struct multiboot_header, header_address)

/* 3.3. What is not named here stays zero, as its flag does. */
struct multiboot_info {
	uint32_t flags;
	uint32_t memory_lower_kib;
	uint32_t memory_upper_kib;
	uint32_t boot_device;
	uint32_t command_line;
	uint32_t module_count;
	uint32_t modules;
	uint32_t symbols[4];
	uint32_t memory_map_bytes;
	uint32_t memory_map;
	uint32_t drives_bytes;
	uint32_t drives;
	uint32_t configuration_table;
	uint32_t loader_name;
	uint32_t apm_table;
	uint32_t video[12];
};

struct multiboot_module {
	uint32_t start;
	uint32_t end;
	uint32_t string;
	uint32_t reserved;
};

struct multiboot_memory {
	uint32_t size; /* of what follows */
	uint64_t address;
	uint64_t length;
	uint32_t type; /* as in e820 */
} __attribute__((packed));

_Static_assert(offsetof(struct multiboot_info, memory_map_bytes) == 44, "3.3");
_Static_assert(offsetof(struct multiboot_info, loader_name) == 64, "3.3");
_Static_assert(sizeof(struct multiboot_info) == 120, "3.3");
_Static_assert(sizeof(struct multiboot_memory) == 24, "3.3");

struct multiboot_page {
	struct multiboot_info info;
	struct multiboot_module module;
	struct multiboot_memory memory[E820_ENTRIES_MAX];
};

_Static_assert(sizeof(struct multiboot_page) <= BOOT_PARAMS_END - BOOT_PARAMS_ADDRESS, "no room");

/* 3.1: wholly inside the first 8192 bytes, 32-bit aligned. The offset, or -1. */
static int find_header(const struct boot_work *work, struct multiboot_header *ret_header)
{
	for (size_t offset = 0; work->head_length - offset >= HEADER_SHORT_BYTES; offset += 4) {
		size_t left = work->head_length - offset;
		struct multiboot_header header = {0};

		memcpy(&header, work->head + offset, left < sizeof(header) ? left : sizeof(header));
		if (header.magic != HEADER_MAGIC ||
			header.magic + header.flags + header.checksum != 0)
			continue;
		if ((header.flags & HEADER_HAS_ADDRESSES) && left < sizeof(header))
			continue;
		*ret_header = header;
		return (int)offset;
	}
	return -1;
}

bool boot_multiboot_present(const struct boot_work *work, bool *ret_has_addresses)
{
	struct multiboot_header header;

	if (find_header(work, &header) < 0)
		return false;
	*ret_has_addresses = header.flags & HEADER_HAS_ADDRESSES;
	return true;
}

int boot_multiboot_check(const struct boot_work *work, struct err *err)
{
	struct multiboot_header header = {0};

	(void)find_header(work, &header); /* no header: nothing to refuse */
	if (header.flags & HEADER_REQUIRES & ~HEADER_UNDERSTOOD)
		return err_set(err, -ENOEXEC,
			"kernel '%s' requires multiboot features that hull does not know (flags "
			"0x%08" PRIx32 ")",
			work->request->kernel_name, header.flags);
	return 0;
}

/* 3.1.3: the file's bytes from the load address on, then zeros up to the end of the bss. */
static int load_by_addresses(struct boot_work *work, const struct multiboot_header *header,
	uint64_t offset, struct err *err)
{
	const struct boot_request *request = work->request;
	uint64_t before = header->header_address - header->load_address;
	uint64_t length, end;
	int r;

	if (header->load_address > header->header_address || before > offset)
		return err_set(err, -EINVAL,
			"kernel '%s' is damaged: its multiboot load address 0x%" PRIx32
			" lies before the file",
			request->kernel_name, header->load_address);
	offset -= before;
	length = request->kernel_size - offset;
	if (header->load_end_address) {
		if (header->load_end_address < header->load_address ||
			header->load_end_address - header->load_address > length)
			return err_set(err, -EINVAL,
				"kernel '%s' is cut short: multiboot load addresses 0x%" PRIx32
				" to 0x%" PRIx32 " reach past the file",
				request->kernel_name, header->load_address,
				header->load_end_address);
		length = header->load_end_address - header->load_address;
	}
	end = header->load_address + length;
	if (header->bss_end_address > end)
		end = header->bss_end_address;
	if (header->entry_address < header->load_address || header->entry_address >= end)
		return err_set(err, -EINVAL,
			"kernel '%s' is damaged: its multiboot entry 0x%" PRIx32
			" lies outside what is loaded",
			request->kernel_name, header->entry_address);
	r = boot_claim(work, header->load_address, end - header->load_address, err);
	if (r < 0)
		return r;
	return boot_read_kernel(work, header->load_address, length, offset, err);
}

int boot_multiboot_load_flat(
	struct boot_work *work, struct boot_result *ret_result, struct err *err)
{
	struct multiboot_header header;
	int offset = find_header(work, &header);
	int r;

	if (offset < 0 || !(header.flags & HEADER_HAS_ADDRESSES))
		return err_set(err, -ENOEXEC,
			"kernel '%s' has a multiboot header, but is no ELF file and the header has "
			"no load addresses (flag bit 16)",
			work->request->kernel_name);
	r = boot_multiboot_check(work, err);
	if (r < 0)
		return r;
	r = load_by_addresses(work, &header, (uint64_t)offset, err);
	if (r < 0)
		return r;
	r = boot_multiboot_describe(work, err);
	if (r < 0)
		return r;
	*ret_result = (struct boot_result){
		.protocol = BOOT_MULTIBOOT,
		.entry = header.entry_address,
		.information = BOOT_PARAMS_ADDRESS,
	};
	return 0;
}

/* The RAM from 1 MiB up to the first hole. */
static uint32_t upper_memory_kib(const struct boot_request *request)
{
	for (unsigned int i = 0; i < request->e820_count; i++) {
		const struct e820_entry *entry = &request->e820[i];

		if (entry->type == E820_RAM && entry->base <= KERNEL_MIN_ADDRESS &&
			KERNEL_MIN_ADDRESS - entry->base < entry->size)
			return (uint32_t)((entry->base + entry->size - KERNEL_MIN_ADDRESS) / KIB);
	}
	return 0;
}

static int put_names(struct boot_work *work, struct multiboot_page *page, struct err *err)
{
	const struct boot_request *request = work->request;
	uint64_t address;
	int r = boot_put_command_line(work, request->kernel_name, request->plain_command_line,
		COMMAND_LINE_END - COMMAND_LINE_ADDRESS - 1, &address, err);

	if (r < 0)
		return r;
	page->info.command_line = (uint32_t)address;
	r = boot_put_string(work, "hull", &address, err);
	if (r < 0)
		return r;
	page->info.loader_name = (uint32_t)address;
	if (request->initrd_fd < 0)
		return 0;
	r = boot_put_string(work, request->initrd_name, &address, err);
	if (r < 0)
		return r;
	page->module.string = (uint32_t)address;
	return 0;
}

int boot_multiboot_describe(struct boot_work *work, struct err *err)
{
	const struct boot_request *request = work->request;
	struct multiboot_page page = {
		.info =
			{
				.flags = INFO_MEMORY | INFO_COMMAND_LINE | INFO_MODULES |
	                                 INFO_MEMORY_MAP | INFO_LOADER_NAME,
				.memory_lower_kib = EBDA_ADDRESS / KIB,
				.memory_upper_kib = upper_memory_kib(request),
				.modules = BOOT_PARAMS_ADDRESS +
	                                   offsetof(struct multiboot_page, module),
				.memory_map = BOOT_PARAMS_ADDRESS +
	                                      offsetof(struct multiboot_page, memory),
				.memory_map_bytes = request->e820_count *
	                                            (uint32_t)sizeof(struct multiboot_memory),
			},
	};
	int r = boot_load_initrd_above_kernel(work, err);

	if (r < 0)
		return r;
	page.info.module_count = request->initrd_fd >= 0;
	page.module.start = (uint32_t)work->initrd.start;
	page.module.end = (uint32_t)work->initrd.end;
	r = put_names(work, &page, err);
	if (r < 0)
		return r;
	for (unsigned int i = 0; i < request->e820_count; i++)
		page.memory[i] = (struct multiboot_memory){
			.size = sizeof(struct multiboot_memory) - sizeof(uint32_t),
			.address = request->e820[i].base,
			.length = request->e820[i].size,
			.type = request->e820[i].type,
		};
	return boot_put(work, BOOT_PARAMS_ADDRESS, &page, sizeof(page), err);
}
