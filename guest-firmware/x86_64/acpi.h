/*
 * The ACPI tables as the guest sees them: found through the loader's RSDP address or the scan of
 * the BIOS area, believed only after their checksums.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ACPI_HEADER_BYTES 36
#define ACPI_CPUS_MAX     1024

/* A generic address structure (ACPI 6.5 5.2.3.2). */
struct acpi_address {
	uint8_t space; /* ACPI_SPACE_* */
	uint8_t bits;
	uint8_t access;
	uint64_t address;
};

#define ACPI_SPACE_MEMORY 0
#define ACPI_SPACE_IO     1

struct acpi_fadt { /* ACPI 6.5 5.2.9; register blocks in either of their two forms */
	const uint8_t *table;
	uint32_t length;
	uint64_t facs, dsdt;
	uint16_t sci_interrupt;
	uint32_t smi_command;
	uint8_t acpi_enable;
	uint32_t flags;
	struct acpi_address pm1a_event, pm1a_control, pm_timer, reset, sleep_control;
	uint8_t pm1_event_bytes, pm1_control_bytes, pm_timer_bytes;
	uint8_t reset_value;
};

#define FADT_TIMER_32_BITS    (1u << 8)
#define FADT_RESET_SUPPORTED  (1u << 10)
#define FADT_HARDWARE_REDUCED (1u << 20)

struct acpi_madt { /* ACPI 6.5 5.2.12 */
	uint32_t lapic_address;
	unsigned int cpu_count; /* enabled ones */
	unsigned int disabled_count;
	uint32_t cpu_ids[ACPI_CPUS_MAX];
	uint32_t ioapic_address; /* 0: none */
	uint32_t ioapic_gsi_base;
	bool malformed;
};

/* The RSDP, mapped; NULL when there is none with both its checksums right. */
const uint8_t *acpi_rsdp(void);

/* The XSDT (or RSDT), and how many tables it names. */
const uint8_t *acpi_root(unsigned int *ret_count);

/* Table i of the root, mapped in full; NULL when its address or length makes no sense. */
const uint8_t *acpi_root_entry(unsigned int index);

/* A table by its signature, checksum right; NULL when absent. */
const uint8_t *acpi_find(const char *signature);

/* A table at an address, mapped in full; NULL when that makes no sense. */
const uint8_t *acpi_table_at(uint64_t address);

bool acpi_has_signature(const uint8_t *table, const char *signature);

/* false when the table is absent. */
bool acpi_read_fadt(struct acpi_fadt *ret_fadt);
bool acpi_read_madt(struct acpi_madt *ret_madt);

/* GSI and trigger of an ISA interrupt, after the MADT's overrides. */
struct acpi_interrupt {
	uint32_t gsi;
	bool level;
	bool active_low;
};
struct acpi_interrupt acpi_isa_interrupt(uint8_t irq);

/* SLP_TYPa of \_S5_, read from the DSDT's bytes; false when it has none. */
bool acpi_sleep_type_s5(uint8_t *ret_type);
