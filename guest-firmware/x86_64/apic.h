/*
 * The local APIC (x2APIC where there is one, unless the word "xapic" is given) and the I/O APIC.
 */
#pragma once

#include "acpi.h"

#include <stdbool.h>
#include <stdint.h>

/* Register offsets of the xAPIC page; the x2APIC's MSR is 0x800 + offset / 16. */
#define APIC_ID              0x020
#define APIC_VERSION         0x030
#define APIC_EOI             0x0b0
#define APIC_SPURIOUS        0x0f0
#define APIC_COMMAND         0x300
#define APIC_COMMAND_HIGH    0x310
#define APIC_LVT_TIMER       0x320
#define APIC_LVT_LINT0       0x350
#define APIC_TIMER_INITIAL   0x380
#define APIC_TIMER_CURRENT   0x390
#define APIC_TIMER_DIVIDE    0x3e0
#define APIC_LVT_MASKED      (1u << 16)
#define APIC_TIMER_PERIODIC  (1u << 17)
#define APIC_TIMER_DEADLINE  (2u << 17)
#define APIC_TIMER_DIVIDE_16 0x3
#define APIC_COMMAND_INIT    0x4500
#define APIC_COMMAND_START   0x4600
#define APIC_COMMAND_FIXED   0x4000
#define MSR_TSC_DEADLINE     0x6e0

/* On the first processor, then on each: enables the APIC in the chosen mode. */
void apic_init(bool keep_xapic);
void apic_enable(void);

bool apic_is_x2apic(void);
uint32_t apic_read(uint32_t offset);
void apic_write(uint32_t offset, uint32_t value);
uint32_t apic_id(void);
void apic_end_of_interrupt(void);
void apic_send(uint32_t id, uint32_t command);

/* Routes a GSI of the first I/O APIC to a vector of the processor with this APIC id; false when
 * there is no such pin. */
bool ioapic_route(struct acpi_interrupt interrupt, uint8_t vector, uint8_t apic_id);
void ioapic_mask(uint32_t gsi);
