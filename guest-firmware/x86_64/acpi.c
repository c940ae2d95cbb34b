/* See acpi.h. */
#include "acpi.h"

#include "facts.h"
#include "memory.h"
#include "paging.h"

#define BIOS_AREA_START 0xe0000
#define BIOS_AREA_END   0x100000
#define EBDA_POINTER    0x40e
#define RSDP_STEP       16
#define TABLE_BYTES_MAX (UINT32_C(1) << 20)

#define MADT_LOCAL_APIC   0
#define MADT_IO_APIC      1
#define MADT_OVERRIDE     2
#define MADT_LOCAL_X2APIC 9
#define MADT_ENTRIES      44
#define MADT_CPU_ENABLED  1

static bool is_rsdp(const uint8_t *bytes)
{
	/* ACPI 6.5 5.2.5.3: the first 20 bytes sum to 0; from revision 2 on, all of them do. */
	if (memcmp(bytes, "RSD PTR ", 8) != 0 || byte_sum(bytes, 20) != 0)
		return false;
	return bytes[15] < 2 || (load32(bytes + 20) >= 36 && load32(bytes + 20) <= 64 &&
					byte_sum(bytes, load32(bytes + 20)) == 0);
}

static const uint8_t *scan(uint64_t start, uint64_t end)
{
	for (uint64_t address = start; address < end; address += RSDP_STEP) {
		const uint8_t *bytes = physical(address);

		if (*bytes == 'R' && is_rsdp(bytes))
			return bytes;
	}
	return NULL;
}

const uint8_t *acpi_rsdp(void)
{
	const uint8_t *found;
	uint64_t ebda;

	if (facts.rsdp_address) {
		found = physical(facts.rsdp_address);
		return paging_map(facts.rsdp_address, 64) && is_rsdp(found) ? found : NULL;
	}
	ebda = (uint64_t)load16(physical(EBDA_POINTER)) << 4;
	found = ebda ? scan(ebda, ebda + 1024) : NULL;
	return found ? found : scan(BIOS_AREA_START, BIOS_AREA_END);
}

const uint8_t *acpi_table_at(uint64_t address)
{
	const uint8_t *table = physical(address);
	uint32_t length;

	if (!address || !paging_map(address, ACPI_HEADER_BYTES))
		return NULL;
	length = load32(table + 4);
	if (length < ACPI_HEADER_BYTES || length > TABLE_BYTES_MAX || !paging_map(address, length))
		return NULL;
	return table;
}

const uint8_t *acpi_root(unsigned int *ret_count)
{
	const uint8_t *rsdp = acpi_rsdp();
	const uint8_t *root;
	bool wide;

	if (!rsdp)
		return NULL;
	wide = rsdp[15] >= 2 && load64(rsdp + 24);
	root = acpi_table_at(wide ? load64(rsdp + 24) : load32(rsdp + 16));
	if (!root)
		return NULL;
	*ret_count = (load32(root + 4) - ACPI_HEADER_BYTES) / (wide ? 8 : 4);
	return root;
}

const uint8_t *acpi_root_entry(unsigned int index)
{
	unsigned int count;
	const uint8_t *root = acpi_root(&count);

	if (!root || index >= count)
		return NULL;
	if (acpi_has_signature(root, "XSDT"))
		return acpi_table_at(load64(root + ACPI_HEADER_BYTES + index * UINT64_C(8)));
	return acpi_table_at(load32(root + ACPI_HEADER_BYTES + index * UINT64_C(4)));
}

bool acpi_has_signature(const uint8_t *table, const char *signature)
{
	return memcmp(table, signature, 4) == 0;
}

const uint8_t *acpi_find(const char *signature)
{
	unsigned int count = 0;

	if (!acpi_root(&count))
		return NULL;
	for (unsigned int i = 0; i < count; i++) {
		const uint8_t *table = acpi_root_entry(i);

		if (table && acpi_has_signature(table, signature))
			return byte_sum(table, load32(table + 4)) == 0 ? table : NULL;
	}
	return NULL;
}

static struct acpi_address read_address(const uint8_t *bytes)
{
	return (struct acpi_address){bytes[0], bytes[1], bytes[3], load64(bytes + 4)};
}

/* A register block has a 32-bit port and, in longer tables, a form that overrides it. */
static struct acpi_address read_block(
	const uint8_t *table, uint32_t length, unsigned int port_offset, unsigned int wide_offset)
{
	if (wide_offset + 12 <= length && load64(table + wide_offset + 4))
		return read_address(table + wide_offset);
	return (struct acpi_address){ACPI_SPACE_IO, 0, 0, load32(table + port_offset)};
}

bool acpi_read_fadt(struct acpi_fadt *ret_fadt)
{
	const uint8_t *table = acpi_find("FACP");
	struct acpi_fadt fadt = {0};

	if (!table || load32(table + 4) < 116)
		return false;
	fadt.table = table;
	fadt.length = load32(table + 4);
	fadt.facs = load32(table + 36);
	fadt.dsdt = load32(table + 40);
	if (fadt.length >= 148 && load64(table + 132))
		fadt.facs = load64(table + 132);
	if (fadt.length >= 148 && load64(table + 140))
		fadt.dsdt = load64(table + 140);
	fadt.sci_interrupt = load16(table + 46);
	fadt.smi_command = load32(table + 48);
	fadt.acpi_enable = table[52];
	fadt.flags = load32(table + 112);
	fadt.pm1a_event = read_block(table, fadt.length, 56, 148);
	fadt.pm1a_control = read_block(table, fadt.length, 64, 172);
	fadt.pm_timer = read_block(table, fadt.length, 76, 208);
	fadt.pm1_event_bytes = table[88];
	fadt.pm1_control_bytes = table[89];
	fadt.pm_timer_bytes = table[91];
	if (fadt.length >= 129) {
		fadt.reset = read_address(table + 116);
		fadt.reset_value = table[128];
	}
	if (fadt.length >= 268)
		fadt.sleep_control = read_address(table + 244);
	*ret_fadt = fadt;
	return true;
}

static void add_cpu(struct acpi_madt *madt, uint32_t id, uint32_t flags)
{
	if (!(flags & MADT_CPU_ENABLED))
		madt->disabled_count++;
	else if (madt->cpu_count < ACPI_CPUS_MAX)
		madt->cpu_ids[madt->cpu_count++] = id;
	else
		madt->malformed = true;
}

static void read_madt_entry(struct acpi_madt *madt, const uint8_t *entry)
{
	if (entry[0] == MADT_LOCAL_APIC && entry[1] == 8) {
		add_cpu(madt, entry[3], load32(entry + 4));
	} else if (entry[0] == MADT_LOCAL_X2APIC && entry[1] == 16) {
		add_cpu(madt, load32(entry + 4), load32(entry + 8));
	} else if (entry[0] == MADT_IO_APIC && entry[1] == 12 && !madt->ioapic_address) {
		madt->ioapic_address = load32(entry + 4);
		madt->ioapic_gsi_base = load32(entry + 8);
	}
}

bool acpi_read_madt(struct acpi_madt *ret_madt)
{
	const uint8_t *table = acpi_find("APIC");
	uint32_t length, at;

	if (!table || load32(table + 4) < MADT_ENTRIES)
		return false;
	length = load32(table + 4);
	/* The ids stay as they are: clearing them all would take longer than reading the table. */
	ret_madt->cpu_count = ret_madt->disabled_count = 0;
	ret_madt->ioapic_address = ret_madt->ioapic_gsi_base = 0;
	ret_madt->malformed = false;
	ret_madt->lapic_address = load32(table + ACPI_HEADER_BYTES);
	for (at = MADT_ENTRIES; at + 2 <= length; at += table[at + 1]) {
		if (table[at + 1] < 2 || table[at + 1] > length - at)
			break;
		read_madt_entry(ret_madt, table + at);
	}
	if (at != length)
		ret_madt->malformed = true;
	return true;
}

struct acpi_interrupt acpi_isa_interrupt(uint8_t irq)
{
	struct acpi_interrupt interrupt = {irq, false, false};
	const uint8_t *table = acpi_find("APIC");
	uint32_t length = table ? load32(table + 4) : 0;

	for (uint32_t at = MADT_ENTRIES; at + 10 <= length && table[at + 1] >= 2;
		at += table[at + 1]) {
		const uint8_t *entry = table + at;

		if (entry[0] != MADT_OVERRIDE || entry[3] != irq)
			continue;
		/* ACPI 6.5 5.2.12.5: polarity in bits 1:0 (3: low), trigger in 3:2 (3: level). */
		interrupt.gsi = load32(entry + 4);
		interrupt.active_low = (load16(entry + 8) & 3) == 3;
		interrupt.level = (load16(entry + 8) >> 2 & 3) == 3;
	}
	return interrupt;
}

/* ACPI 6.5 20.2: Name (_S5_, Package (n) {SLP_TYPa, ...}) is NameOp "_S5_" PackageOp PkgLength
 * NumElements element. */
static bool read_s5(const uint8_t *aml, uint32_t length, uint32_t at, uint8_t *ret_type)
{
	const uint8_t package_op = 0x12, byte_prefix = 0x0a, zero_op = 0x00, one_op = 0x01;

	at += 4;
	if (at + 8 > length || aml[at] != package_op)
		return false;
	at += 3 + ((uint32_t)aml[at + 1] >> 6);
	if (at + 2 > length)
		return false;
	if (aml[at] == byte_prefix)
		*ret_type = aml[at + 1];
	else if (aml[at] == zero_op || aml[at] == one_op)
		*ret_type = aml[at];
	else
		return false;
	return true;
}

bool acpi_sleep_type_s5(uint8_t *ret_type)
{
	struct acpi_fadt fadt;
	const uint8_t *dsdt;
	uint32_t length;

	if (!acpi_read_fadt(&fadt))
		return false;
	dsdt = acpi_table_at(fadt.dsdt);
	if (!dsdt)
		return false;
	length = load32(dsdt + 4);
	for (uint32_t at = ACPI_HEADER_BYTES; at + 4 <= length; at++) {
		if (dsdt[at] == '_' && memcmp(dsdt + at, "_S5_", 4) == 0)
			return read_s5(dsdt, length, at, ret_type);
	}
	return false;
}
