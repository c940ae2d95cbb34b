/* See checks.h. */
#include "checks.h"

#include "acpi.h"
#include "facts.h"
#include "memory.h"
#include "paging.h"

#define SMBIOS_AREA_START 0xf0000
#define SMBIOS_AREA_END   0x100000
#define SMBIOS_TABLE_MAX  65536
#define SMBIOS_SYSTEM     1
#define SMBIOS_END        127

void check_rsdp(struct report *report)
{
	const uint8_t *rsdp = acpi_rsdp();

	if (!report_expect(report, rsdp, "none with its checksums right (the loader says 0x%lx)",
		    facts.rsdp_address))
		return;
	report_expect(report, rsdp[15] >= 2, "revision %u has no XSDT", rsdp[15]);
	report_note(report, "at 0x%lx, %s", (uint64_t)(uintptr_t)rsdp,
		facts.rsdp_address ? "from the loader" : "found by scan");
}

static void expect_sum(struct report *report, const uint8_t *table)
{
	report_expect(report, byte_sum(table, load32(table + 4)) == 0, "%c%c%c%c: checksum",
		table[0], table[1], table[2], table[3]);
	report_note(report, "%c%c%c%c", table[0], table[1], table[2], table[3]);
}

void check_acpi_tables(struct report *report)
{
	unsigned int count = 0;
	const uint8_t *root = acpi_root(&count);

	if (!report_expect(report, root, "no XSDT"))
		return;
	expect_sum(report, root);
	report_expect(report, count > 0, "no tables");
	for (unsigned int i = 0; i < count; i++) {
		const uint8_t *table = acpi_root_entry(i);

		if (report_expect(report, table, "entry %u: unreachable", i))
			expect_sum(report, table);
	}
}

/* ACPI 6.5 5.2.9: what an operating system cannot do without on hardware that is not reduced. */
static void expect_fixed_hardware(struct report *report, const struct acpi_fadt *fadt)
{
	report_expect(report, fadt->pm1a_event.address && fadt->pm1_event_bytes >= 4,
		"PM1a event block 0x%lx, %u bytes", fadt->pm1a_event.address,
		fadt->pm1_event_bytes);
	report_expect(report, fadt->pm1a_control.address && fadt->pm1_control_bytes >= 2,
		"PM1a control block 0x%lx, %u bytes", fadt->pm1a_control.address,
		fadt->pm1_control_bytes);
	report_expect(report,
		fadt->pm1a_event.space == ACPI_SPACE_IO &&
			fadt->pm1a_control.space == ACPI_SPACE_IO,
		"PM1a blocks are not ports");
	report_expect(report, !fadt->pm_timer.address || fadt->pm_timer_bytes == 4,
		"PM timer of %u bytes", fadt->pm_timer_bytes);
	report_expect(report, fadt->sci_interrupt != 0, "no SCI");
	report_expect(report, fadt->facs != 0, "no FACS");
	if (fadt->facs && paging_map(fadt->facs, 64))
		report_expect(report,
			acpi_has_signature(physical(fadt->facs), "FACS") &&
				load32((uint8_t *)physical(fadt->facs) + 4) >= 64,
			"FACS at 0x%lx is not one", fadt->facs);
}

void check_fadt(struct report *report)
{
	struct acpi_fadt fadt;
	uint8_t type = 0;

	if (!report_expect(report, acpi_read_fadt(&fadt), "absent"))
		return;
	report_expect(
		report, fadt.length >= 244, "%u bytes are too few for X_ blocks", fadt.length);
	if (!(fadt.flags & FADT_HARDWARE_REDUCED))
		expect_fixed_hardware(report, &fadt);
	if (fadt.flags & FADT_RESET_SUPPORTED)
		report_expect(report, fadt.reset.address && fadt.reset.bits == 8,
			"reset register 0x%lx, %u bits", fadt.reset.address, fadt.reset.bits);
	report_expect(report, acpi_sleep_type_s5(&type), "no \\_S5_ in the DSDT");
	report_note(report, "SCI %u, PM1a 0x%lx and 0x%lx, timer 0x%lx, reset 0x%lx, S5 type %u",
		fadt.sci_interrupt, fadt.pm1a_event.address, fadt.pm1a_control.address,
		fadt.pm_timer.address, fadt.reset.address, type);
}

void check_dsdt(struct report *report)
{
	struct acpi_fadt fadt;
	const uint8_t *dsdt;

	if (!report_expect(report, acpi_read_fadt(&fadt), "no FADT"))
		return;
	dsdt = acpi_table_at(fadt.dsdt);
	if (!report_expect(report, dsdt, "nothing at 0x%lx", fadt.dsdt))
		return;
	report_expect(report, acpi_has_signature(dsdt, "DSDT"), "signature");
	report_expect(report, byte_sum(dsdt, load32(dsdt + 4)) == 0, "checksum");
	report_expect(report, dsdt[8] >= 2, "revision %u: integers of 32 bits", dsdt[8]);
	report_note(report, "%u bytes", load32(dsdt + 4));
}

void check_madt(struct report *report)
{
	static struct acpi_madt madt;

	if (!report_expect(report, acpi_read_madt(&madt), "absent"))
		return;
	report_expect(report, !madt.malformed, "entries do not add up to the table");
	report_expect(report, madt.cpu_count > 0, "no processor");
	report_expect(report, madt.ioapic_address != 0, "no I/O APIC");
	for (unsigned int i = 0; i < madt.cpu_count; i++) {
		for (unsigned int j = 0; j < i; j++)
			report_expect(report, madt.cpu_ids[i] != madt.cpu_ids[j],
				"APIC id %u twice", madt.cpu_ids[i]);
	}
	report_fact("cpus", "%u", madt.cpu_count);
	report_note(report, "%u disabled, local APIC 0x%x, I/O APIC 0x%x", madt.disabled_count,
		madt.lapic_address, madt.ioapic_address);
}

/* SMBIOS 3.6 5.2.2: the anchor's length is its byte 6, its sum covers that length. */
static const uint8_t *find_anchor(void)
{
	for (uint64_t at = SMBIOS_AREA_START; at < SMBIOS_AREA_END; at += 16) {
		const uint8_t *anchor = physical(at);

		if (*anchor == '_' && memcmp(anchor, "_SM3_", 5) == 0 && anchor[6] >= 24 &&
			byte_sum(anchor, anchor[6]) == 0)
			return anchor;
	}
	return NULL;
}

/* SMBIOS 3.6 7.2.1: the first three fields of the UUID are little-endian. */
static void report_uuid(const uint8_t *uuid)
{
	report_fact("uuid", "%08x-%04x-%04x-%02x%02x-%02x%02x%02x%02x%02x%02x", load32(uuid),
		load16(uuid + 4), load16(uuid + 6), uuid[8], uuid[9], uuid[10], uuid[11], uuid[12],
		uuid[13], uuid[14], uuid[15]);
}

/* The strings behind a structure end with an empty one (SMBIOS 3.6 6.1.3). */
static uint32_t skip_structure(const uint8_t *table, uint32_t size, uint32_t at)
{
	at += table[at + 1];
	while (at + 2 <= size && (table[at] || table[at + 1]))
		at++;
	return at + 2;
}

void check_smbios(struct report *report)
{
	const uint8_t *anchor = find_anchor();
	const uint8_t *table;
	uint32_t size, at = 0;
	unsigned int count = 0;
	bool system = false, end = false;

	if (!report_expect(report, anchor, "no _SM3_ anchor"))
		return;
	size = load32(anchor + 12);
	table = physical(load64(anchor + 16));
	if (!report_expect(report,
		    size <= SMBIOS_TABLE_MAX && paging_map(load64(anchor + 16), size),
		    "table of %u bytes at 0x%lx", size, load64(anchor + 16)))
		return;
	while (!end && at + 4 <= size && table[at + 1] >= 4 && table[at + 1] <= size - at) {
		if (table[at] == SMBIOS_SYSTEM && table[at + 1] >= 24) {
			system = true;
			report_uuid(table + at + 8);
		}
		end = table[at] == SMBIOS_END;
		at = skip_structure(table, size, at);
		count++;
	}
	report_expect(report, system, "no system information");
	report_expect(report, end && at <= size, "no end of table");
	report_note(report, "at 0x%lx, %u structures, %u bytes", (uint64_t)(uintptr_t)anchor, count,
		at);
}
