/*
 * bzImage and the Linux zero page: Documentation/arch/x86/boot.rst, protocol 2.12 and later, by
 * the 64-bit entry. See boot.h.
 *
 * The kernel is loaded at its preferred address. Lower would gain nothing: a relocatable kernel
 * moves itself up to it before it unpacks (boot.rst, init_size), and what it needs is counted from
 * there.
 */
#include "boot_work.h"
#include "command_line_limit.h"
#include "layout.h"

#include <asm/bootparam.h>
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#define SECTOR_BYTES      UINT64_C(512)
#define HEADER_OFFSET     0x1f1
#define HEADER_END_OFFSET 0x201      /* the operand of a short jump over the header */
#define HEADER_MAGIC      0x53726448 /* "HdrS" */
#define PROTOCOL_2_12     0x020c
#define ENTRY_64_OFFSET   0x200
#define LOADER_UNDEFINED  0xff
#define DEFAULT_SECTORS   4
#define PARAGRAPH_BYTES   UINT64_C(16)

_Static_assert(sizeof(struct boot_params) <= BOOT_PARAMS_END - BOOT_PARAMS_ADDRESS, "no room");
_Static_assert(offsetof(struct boot_params, hdr) == HEADER_OFFSET, "the header's place");
_Static_assert(E820_ENTRIES_MAX <= E820_MAX_ENTRIES_ZEROPAGE, "no room");

/* Copies the header as far as the file says that it goes. */
static int read_setup_header(
	const struct boot_work *work, struct setup_header *header, struct err *err)
{
	const char *name = work->request->kernel_name;
	size_t end = HEADER_END_OFFSET + 1u + work->head[HEADER_END_OFFSET];
	size_t length = end - HEADER_OFFSET;

	memset(header, 0, sizeof(*header));
	if (length < offsetof(struct setup_header, version) + sizeof(header->version) ||
		end > work->head_length)
		return err_set(err, -EINVAL,
			"kernel '%s' is damaged: its setup header is cut short", name);
	memcpy(header, work->head + HEADER_OFFSET,
		length < sizeof(*header) ? length : sizeof(*header));
	if (header->version < PROTOCOL_2_12)
		return err_set(err, -ENOEXEC,
			"kernel '%s' speaks Linux boot protocol %u.%02u; hull needs 2.12 (Linux "
			"3.8) or later",
			name, header->version >> 8, header->version & 0xff);
	/* The last field that is used here, of protocol 2.10. */
	if (length < offsetof(struct setup_header, init_size) + sizeof(header->init_size))
		return err_set(err, -EINVAL,
			"kernel '%s' is damaged: its setup header is shorter than its version has "
			"it",
			name);
	return 0;
}

static int check_setup_header(
	const struct boot_work *work, const struct setup_header *header, struct err *err)
{
	const char *name = work->request->kernel_name;
	uint32_t alignment = header->kernel_alignment;

	if (!(header->loadflags & LOADED_HIGH))
		return err_set(err, -ENOEXEC,
			"kernel '%s' is a zImage, to be loaded below 1 MiB; give a bzImage", name);
	if (!(header->xloadflags & XLF_KERNEL_64))
		return err_set(err, -ENOEXEC,
			"kernel '%s' has no 64-bit entry: it is a 32-bit kernel; give one built "
			"for "
			"x86-64",
			name);
	if (header->relocatable_kernel && (!alignment || (alignment & (alignment - 1))))
		return err_set(err, -EINVAL,
			"kernel '%s' is damaged: kernel_alignment 0x%" PRIx32
			" is not a power of two",
			name, alignment);
	return 0;
}

/* Where the 64-bit code goes and how far it will spread (boot.rst, init_size). */
static int claim_kernel(struct boot_work *work, const struct setup_header *header,
	uint64_t code_bytes, uint64_t *ret_address, struct err *err)
{
	uint64_t address = header->pref_address, length = header->init_size;
	int r;

	if (address < KERNEL_MIN_ADDRESS && !header->relocatable_kernel)
		return err_set(err, -EINVAL,
			"kernel '%s' is damaged: it wants to be loaded at 0x%" PRIx64
			", below 1 MiB, and cannot be moved",
			work->request->kernel_name, address);
	if (address < KERNEL_MIN_ADDRESS)
		address = KERNEL_MIN_ADDRESS;
	if (header->relocatable_kernel) {
		uint64_t mask = header->kernel_alignment - UINT64_C(1);

		if (address > UINT64_MAX - mask)
			return err_set(err, -EINVAL,
				"kernel '%s' is damaged: pref_address 0x%" PRIx64,
				work->request->kernel_name, address);
		address = (address + mask) & ~mask;
	}
	if (address >= LOW_RAM_END)
		return err_set(err, -EINVAL,
			"kernel '%s' wants to be loaded at 0x%" PRIx64
			", where this machine has no low memory",
			work->request->kernel_name, address);
	r = boot_claim(work, address, length > code_bytes ? length : code_bytes, err);
	if (r < 0)
		return r;
	*ret_address = address;
	return 0;
}

/* Completes the zero page and writes it. */
static int put_zero_page(const struct boot_work *work, struct boot_params *params,
	uint64_t command_line, struct err *err)
{
	const struct boot_request *request = work->request;
	uint64_t initrd_bytes = work->initrd.end - work->initrd.start;

	params->hdr.type_of_loader = LOADER_UNDEFINED;
	params->hdr.setup_data = 0;
	params->hdr.cmd_line_ptr = (uint32_t)command_line;
	params->ext_cmd_line_ptr = (uint32_t)(command_line >> 32);
	params->hdr.ramdisk_image = (uint32_t)work->initrd.start;
	params->ext_ramdisk_image = (uint32_t)(work->initrd.start >> 32);
	params->hdr.ramdisk_size = (uint32_t)initrd_bytes;
	params->ext_ramdisk_size = (uint32_t)(initrd_bytes >> 32);
	params->acpi_rsdp_addr = request->rsdp_address;
	params->e820_entries = (uint8_t)request->e820_count;
	for (unsigned int i = 0; i < request->e820_count; i++)
		params->e820_table[i] = (struct boot_e820_entry){
			.addr = request->e820[i].base,
			.size = request->e820[i].size,
			.type = request->e820[i].type,
		};
	return boot_put(work, BOOT_PARAMS_ADDRESS, params, sizeof(*params), err);
}

static int describe_kernel(struct boot_work *work, struct boot_params *params, struct err *err)
{
	const struct setup_header *header = &params->hdr;
	uint64_t limit = LOW_RAM_END, command_line;
	int r;

	/* Without the flag, initrd_addr_max is the last address the initrd may occupy. */
	if (!(header->xloadflags & XLF_CAN_BE_LOADED_ABOVE_4G))
		limit = header->initrd_addr_max + UINT64_C(1);
	r = boot_load_initrd_below(work, limit, err);
	if (r < 0)
		return r;
	r = boot_put_command_line(
		work, "", work->request->command_line, header->cmdline_size, &command_line, err);
	if (r < 0)
		return r;
	return put_zero_page(work, params, command_line, err);
}

int boot_linux_load(struct boot_work *work, struct boot_result *ret_result, struct err *err)
{
	const struct boot_request *request = work->request;
	struct boot_params params = {0};
	struct setup_header *header = &params.hdr;
	uint64_t setup_bytes, code_bytes, address = 0;
	int r = read_setup_header(work, header, err);

	if (r < 0)
		return r;
	r = check_setup_header(work, header, err);
	if (r < 0)
		return r;
	setup_bytes = (header->setup_sects ? header->setup_sects : DEFAULT_SECTORS) * SECTOR_BYTES +
	              SECTOR_BYTES;
	/* What stands behind the code, such as a signature, is not the kernel's. */
	code_bytes = header->syssize * PARAGRAPH_BYTES;
	if (code_bytes <= ENTRY_64_OFFSET)
		return err_set(err, -EINVAL,
			"kernel '%s' is damaged: its code has only %" PRIu64 " bytes",
			request->kernel_name, code_bytes);
	if (setup_bytes > request->kernel_size || code_bytes > request->kernel_size - setup_bytes)
		return err_set(err, -EINVAL,
			"kernel '%s' is cut short: it has %" PRIu64 " of %" PRIu64 " bytes",
			request->kernel_name, request->kernel_size, setup_bytes + code_bytes);
	r = claim_kernel(work, header, code_bytes, &address, err);
	if (r < 0)
		return r;
	r = boot_read_kernel(work, address, code_bytes, setup_bytes, err);
	if (r < 0)
		return r;
	r = describe_kernel(work, &params, err);
	if (r < 0)
		return r;
	*ret_result = (struct boot_result){
		.protocol = BOOT_LINUX64,
		.entry = address + ENTRY_64_OFFSET,
		.information = BOOT_PARAMS_ADDRESS,
	};
	return 0;
}

int boot_linux_describe(struct boot_work *work, struct err *err)
{
	struct boot_params params = {
		.hdr =
			{
				.boot_flag = 0xaa55,
				.header = HEADER_MAGIC,
				.version = PROTOCOL_2_12,
				.loadflags = LOADED_HIGH,
				.xloadflags = XLF_KERNEL_64 | XLF_CAN_BE_LOADED_ABOVE_4G,
				.cmdline_size = COMMAND_LINE_LINUX,
			},
	};

	return describe_kernel(work, &params, err);
}
