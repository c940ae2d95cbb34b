/*
 * What a PVH kernel finds in memory: hvm_start_info version 1 with its module list and memory map
 * (Xen docs/misc/pvh.pandoc, xen/include/public/arch-x86/hvm/start_info.h).
 */
#include "boot_work.h"
#include "layout.h"

#define START_INFO_MAGIC   0x336ec578 /* "xEn3" with bit 7 of the E set */
#define START_INFO_VERSION 1

struct start_info {
	uint32_t magic;
	uint32_t version;
	uint32_t flags;
	uint32_t module_count;
	uint64_t modules_address;
	uint64_t command_line_address;
	uint64_t rsdp_address;
	uint64_t memory_map_address;
	uint32_t memory_map_count;
	uint32_t reserved;
};

struct start_info_module {
	uint64_t address;
	uint64_t size;
	uint64_t command_line_address;
	uint64_t reserved;
};

struct start_info_memory {
	uint64_t address;
	uint64_t size;
	uint32_t type; /* as in e820 */
	uint32_t reserved;
};

_Static_assert(sizeof(struct start_info) == 56, "as the ABI has it");
_Static_assert(sizeof(struct start_info_module) == 32, "as the ABI has it");
_Static_assert(sizeof(struct start_info_memory) == 24, "as the ABI has it");

/* All of it, as it lies at BOOT_PARAMS_ADDRESS. */
struct pvh_page {
	struct start_info info;
	struct start_info_module module;
	struct start_info_memory memory[E820_ENTRIES_MAX];
};

_Static_assert(sizeof(struct pvh_page) <= BOOT_PARAMS_END - BOOT_PARAMS_ADDRESS, "no room");

int boot_pvh_describe(struct boot_work *work, struct err *err)
{
	const struct boot_request *request = work->request;
	struct pvh_page page = {
		.info =
			{
				.magic = START_INFO_MAGIC,
				.version = START_INFO_VERSION,
				.rsdp_address = request->rsdp_address,
				.memory_map_address = BOOT_PARAMS_ADDRESS +
	                                              offsetof(struct pvh_page, memory),
				.memory_map_count = request->e820_count,
			},
	};
	int r = boot_load_initrd_below(work, LOW_RAM_END, err);

	if (r < 0)
		return r;
	if (request->initrd_fd >= 0) {
		page.info.module_count = 1;
		page.info.modules_address = BOOT_PARAMS_ADDRESS + offsetof(struct pvh_page, module);
		page.module.address = work->initrd.start;
		page.module.size = work->initrd.end - work->initrd.start;
	}
	r = boot_put_command_line(work, "", work->request->command_line,
		COMMAND_LINE_END - COMMAND_LINE_ADDRESS - 1, &page.info.command_line_address, err);
	if (r < 0)
		return r;
	for (unsigned int i = 0; i < request->e820_count; i++)
		page.memory[i] = (struct start_info_memory){
			.address = request->e820[i].base,
			.size = request->e820[i].size,
			.type = request->e820[i].type,
		};
	return boot_put(work, BOOT_PARAMS_ADDRESS, &page, sizeof(page), err);
}
