/*
 * See smbios.h. Implements SMBIOS 3.0 (DMTF DSP0134 3.0.0): one structure of each type, whose
 * handle is its type times 256.
 *
 * Text that comes from the user (the VM's name) loses its control characters, so it cannot end a
 * structure's strings early.
 */
#include "smbios.h"

#include "blob.h"
#include "layout.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define ANCHOR_BYTES        24
#define ANCHOR_CHECKSUM     5
#define ANCHOR_TABLE_BYTES  12
#define STRUCTURE_ALIGNMENT 16
#define STRUCTURE_LENGTH    1
#define STRINGS_MAX         8

/* The manufacturer of everything, and the day the firmware is from: Linux trusts what firmware of
 * 2023 and later says about PCI without second-guessing it by the memory map. */
#define VENDOR       "Hull"
#define RELEASE_DATE "01/01/2025"

enum structure_type {
	TYPE_FIRMWARE = 0,
	TYPE_SYSTEM = 1,
	TYPE_CHASSIS = 3,
	TYPE_PROCESSOR = 4,
	TYPE_MEMORY_ARRAY = 16,
	TYPE_MEMORY_DEVICE = 17,
	TYPE_MEMORY_ARRAY_ADDRESS = 19,
	TYPE_BOOT_INFORMATION = 32,
	TYPE_END = 127,
};

/* Values of DSP0134 that several structures share. */
enum { OTHER = 0x01, UNKNOWN = 0x02, SAFE = 0x03 };

#define NO_HANDLE       0xffff
#define NO_ERROR_HANDLE 0xfffe

/* A structure under way: its strings follow its fields. */
struct structure {
	struct blob *out;
	size_t start;
	const char *strings[STRINGS_MAX];
	unsigned int string_count;
};

static uint16_t handle_of(enum structure_type type, unsigned int instance)
{
	return (uint16_t)((unsigned int)type << 8 | instance);
}

/* DSP0134 6.1.2. */
static struct structure structure_begin(
	struct blob *out, enum structure_type type, unsigned int instance)
{
	struct structure structure = {.out = out, .start = out->length};

	blob_u8(out, (uint8_t)type);
	blob_u8(out, 0); /* length: structure_end */
	blob_u16(out, handle_of(type, instance));
	return structure;
}

/* A field that refers to a string: its number, or 0 for none. */
static void add_string(struct structure *structure, const char *text)
{
	if (!text || !*text || structure->string_count == STRINGS_MAX) {
		blob_u8(structure->out, 0);
		return;
	}
	structure->strings[structure->string_count++] = text;
	blob_u8(structure->out, (uint8_t)structure->string_count);
}

/* DSP0134 6.1.3: the strings, each with its NUL, and one NUL more; two when there are none. */
static void structure_end(struct structure *structure)
{
	struct blob *out = structure->out;

	blob_patch_u8(out, structure->start + STRUCTURE_LENGTH,
		(uint8_t)(out->length - structure->start));
	for (unsigned int i = 0; i < structure->string_count; i++) {
		for (const char *at = structure->strings[i]; *at; at++) {
			uint8_t byte = (uint8_t)*at;

			blob_u8(out, byte < ' ' || byte == 0x7f ? '?' : byte);
		}
		blob_u8(out, 0);
	}
	blob_zeros(out, structure->string_count ? 1 : 2);
}

/* DSP0134 7.1. */
static void add_firmware(struct blob *out)
{
	struct structure s = structure_begin(out, TYPE_FIRMWARE, 0);

	add_string(&s, VENDOR);
	add_string(&s, HULL_VERSION);
	blob_u16(out, 0); /* no segment: there is no firmware in memory */
	add_string(&s, RELEASE_DATE);
	blob_u8(out, 0);           /* ROM size */
	blob_u64(out, 1U << 3);    /* characteristics: not given ... */
	blob_u8(out, 0);           /* ... but for the two extension bytes: */
	blob_u8(out, 1U << 4);     /* this describes a virtual machine */
	blob_u32(out, UINT32_MAX); /* releases of firmware and controller as numbers: none */
	structure_end(&s);
}

/* DSP0134 7.2. */
static void add_system(struct blob *out, const struct board *board)
{
	/* 7.2.1: the text's order, but the first three fields are little-endian. */
	static const uint8_t order[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
	struct structure s = structure_begin(out, TYPE_SYSTEM, 0);

	add_string(&s, VENDOR);
	add_string(&s, "Hull virtual machine");
	add_string(&s, HULL_VERSION);
	add_string(&s, board->name); /* the serial number */
	for (size_t i = 0; i < sizeof(order); i++)
		blob_u8(out, board->uuid[order[i]]);
	blob_u8(out, 0x06); /* woken by the power switch */
	blob_u8(out, 0);    /* no SKU number */
	add_string(&s, "Virtual machine");
	structure_end(&s);
}

/* DSP0134 7.4. */
static void add_chassis(struct blob *out)
{
	struct structure s = structure_begin(out, TYPE_CHASSIS, 0);

	add_string(&s, VENDOR);
	blob_u8(out, OTHER);    /* type */
	blob_zeros(out, 3);     /* no version, serial number or asset tag */
	blob_u8(out, SAFE);     /* boot-up state */
	blob_u8(out, SAFE);     /* power supply state */
	blob_u8(out, SAFE);     /* thermal state */
	blob_u8(out, UNKNOWN);  /* security */
	blob_zeros(out, 4 + 5); /* OEM's, height, power cords, contained elements, SKU number */
	structure_end(&s);
}

static uint8_t saturated_u8(unsigned int count)
{
	return count < UINT8_MAX ? (uint8_t)count : UINT8_MAX; /* 255: see the wide field */
}

/* DSP0134 7.5: one socket that holds all CPUs as cores of one thread. */
static void add_processor(struct blob *out, unsigned int cpu_count)
{
	uint8_t count = saturated_u8(cpu_count);
	struct structure s = structure_begin(out, TYPE_PROCESSOR, 0);

	add_string(&s, "CPU 0");
	blob_u8(out, 0x03);  /* central processor */
	blob_u8(out, OTHER); /* family */
	add_string(&s, VENDOR);
	blob_u64(out, 0); /* id: the guest has CPUID for that */
	add_string(&s, "Virtual CPU");
	blob_zeros(out, 7);        /* voltage, clock, speeds: unknown */
	blob_u8(out, 1U << 6 | 1); /* populated, enabled */
	blob_u8(out, OTHER);       /* upgrade */
	for (int i = 0; i < 3; i++)
		blob_u16(out, NO_HANDLE); /* caches */
	blob_zeros(out, 3);               /* serial number, asset tag, part number */
	blob_u8(out, count);              /* cores */
	blob_u8(out, count);              /* cores enabled */
	blob_u8(out, count);              /* threads */
	blob_u16(out, (uint16_t)(1U << 2 | (cpu_count > 1 ? 1U << 3 : 0))); /* 64-bit, multi-core */
	blob_u16(out, OTHER);                                               /* family, wide */
	for (int i = 0; i < 3; i++)
		blob_u16(out, (uint16_t)cpu_count);
	structure_end(&s);
}

/* DSP0134 7.17. */
static void add_memory_array(struct blob *out, uint64_t memory_bytes)
{
	const uint32_t wide = 0x80000000; /* KiB: see the wide field */
	uint64_t size_kib = memory_bytes / KIB;
	struct structure s = structure_begin(out, TYPE_MEMORY_ARRAY, 0);

	blob_u8(out, 0x03); /* on the system board */
	blob_u8(out, 0x03); /* system memory */
	blob_u8(out, 0x03); /* no error correction */
	blob_u32(out, size_kib < wide ? (uint32_t)size_kib : wide);
	blob_u16(out, NO_ERROR_HANDLE);
	blob_u16(out, 1); /* devices */
	blob_u64(out, size_kib < wide ? 0 : memory_bytes);
	structure_end(&s);
}

/* Size and Extended Size of DSP0134 7.18: MiB, or KiB when bit 15 is set, or the wide field. */
static uint16_t device_size(uint64_t memory_bytes)
{
	const uint16_t wide = 0x7fff, kib = 0x8000;

	if (memory_bytes / MIB >= wide)
		return wide;
	if (memory_bytes % MIB && memory_bytes / KIB < wide)
		return (uint16_t)(kib | memory_bytes / KIB);
	return (uint16_t)(memory_bytes / MIB);
}

/* DSP0134 7.18: all memory in one piece. */
static void add_memory_device(struct blob *out, uint64_t memory_bytes)
{
	uint16_t size = device_size(memory_bytes);
	struct structure s = structure_begin(out, TYPE_MEMORY_DEVICE, 0);

	blob_u16(out, handle_of(TYPE_MEMORY_ARRAY, 0));
	blob_u16(out, NO_ERROR_HANDLE);
	blob_u16(out, UINT16_MAX); /* total width: unknown */
	blob_u16(out, UINT16_MAX); /* data width: unknown */
	blob_u16(out, size);
	blob_u8(out, 0x09); /* a DIMM by form */
	blob_u8(out, 0);    /* not of a set */
	add_string(&s, "DIMM 0");
	blob_u8(out, 0);        /* no bank */
	blob_u8(out, 0x07);     /* RAM */
	blob_u16(out, 1U << 1); /* other details */
	blob_u16(out, 0);       /* speed */
	add_string(&s, VENDOR);
	blob_zeros(out, 3); /* serial number, asset tag, part number */
	blob_u8(out, 0);    /* rank */
	blob_u32(out, size == 0x7fff ? (uint32_t)(memory_bytes / MIB) : 0);
	blob_zeros(out, 8); /* configured speed, voltages */
	structure_end(&s);
}

/* DSP0134 7.20: where guest addresses [base, base + size) lead. */
static void add_memory_range(struct blob *out, unsigned int instance, uint64_t base, uint64_t size)
{
	uint64_t last = base + size - 1;
	bool wide = last / KIB >= UINT32_MAX;
	struct structure s = structure_begin(out, TYPE_MEMORY_ARRAY_ADDRESS, instance);

	blob_u32(out, wide ? UINT32_MAX : (uint32_t)(base / KIB));
	blob_u32(out, wide ? UINT32_MAX : (uint32_t)(last / KIB));
	blob_u16(out, handle_of(TYPE_MEMORY_ARRAY, 0));
	blob_u8(out, 1); /* one device for a row */
	blob_u64(out, wide ? base : 0);
	blob_u64(out, wide ? last : 0);
	structure_end(&s);
}

static void add_memory_ranges(struct blob *out, uint64_t memory_bytes)
{
	uint64_t low = memory_bytes < LOW_RAM_END ? memory_bytes : LOW_RAM_END;

	add_memory_range(out, 0, 0, low);
	if (memory_bytes > low)
		add_memory_range(out, 1, HIGH_RAM_BASE, memory_bytes - low);
}

/* DSP0134 7.33. */
static void add_boot_information(struct blob *out)
{
	struct structure s = structure_begin(out, TYPE_BOOT_INFORMATION, 0);

	blob_zeros(out, 6);
	blob_u8(out, 0); /* no errors detected */
	structure_end(&s);
}

/* DSP0134 7.45. */
static void add_end(struct blob *out)
{
	struct structure s = structure_begin(out, TYPE_END, 0);

	structure_end(&s);
}

/* DSP0134 5.2.2, with room for what depends on the structures. */
static void begin_anchor(struct blob *out, uint64_t table_address)
{
	blob_bytes(out, "_SM3_", 5);
	blob_u8(out, 0);
	blob_u8(out, ANCHOR_BYTES);
	blob_u8(out, 3); /* version 3.0, revision 0 of its document */
	blob_u8(out, 0);
	blob_u8(out, 0);
	blob_u8(out, 1); /* revision of the anchor */
	blob_u8(out, 0);
	blob_u32(out, 0);
	blob_u64(out, table_address);
	blob_align(out, STRUCTURE_ALIGNMENT);
}

int smbios_build(const struct board *board, uint64_t memory_bytes, uint64_t base, uint8_t *buffer,
	size_t capacity, size_t *ret_length, struct err *err)
{
	struct blob out = {.data = buffer, .capacity = capacity};
	size_t table;

	if (base % STRUCTURE_ALIGNMENT)
		return err_set(err, EINVAL, "SMBIOS: tables at 0x%" PRIx64 " are misaligned", base);
	if (board->cpu_count < 1 || board->cpu_count > UINT16_MAX)
		return err_set(err, EINVAL, "SMBIOS: 1 to %d CPUs can be described, not %u",
			UINT16_MAX, board->cpu_count);
	if (memory_bytes < KIB)
		return err_set(err, EINVAL, "SMBIOS: %" PRIu64 " bytes of memory are no memory",
			memory_bytes);
	begin_anchor(&out, base + STRUCTURE_ALIGNMENT * 2);
	table = out.length;
	add_firmware(&out);
	add_system(&out, board);
	add_chassis(&out);
	add_processor(&out, board->cpu_count);
	add_memory_array(&out, memory_bytes);
	add_memory_device(&out, memory_bytes);
	add_memory_ranges(&out, memory_bytes);
	add_boot_information(&out);
	add_end(&out);
	blob_patch_u32(&out, ANCHOR_TABLE_BYTES, (uint32_t)(out.length - table));
	blob_patch_checksum(&out, 0, ANCHOR_BYTES, ANCHOR_CHECKSUM);
	if (out.overflow)
		return err_set(err, ENOSPC,
			"SMBIOS: the tables do not fit into %zu bytes (the VM's "
			"name is their only long part)",
			capacity);
	*ret_length = out.length;
	return 0;
}
