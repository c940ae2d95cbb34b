/*
 * The probe's checks, in the order in which they run. Each is self-contained; what it reads and
 * why is said beside it. The table is in probe.c.
 */
#pragma once

#include "check_uart.h"

/* check_boot.c: what the loader says, and whether memory is what it says. */
void check_boot_info(struct report *report);
void check_memory_map(struct report *report);
void check_memory_edges(struct report *report);
void check_memory_hole(struct report *report);
void check_command_line(struct report *report);
void check_module(struct report *report);

/* check_tables.c: ACPI and SMBIOS. */
void check_rsdp(struct report *report);
void check_acpi_tables(struct report *report);
void check_fadt(struct report *report);
void check_dsdt(struct report *report);
void check_madt(struct report *report);
void check_smbios(struct report *report);

/* check_cpu.c: CPUID, exceptions, the other processors. */
void check_hypervisor(struct report *report);
void check_apic_id(struct report *report);
void check_exceptions(struct report *report);
void check_smp(struct report *report);
void check_ipi(struct report *report);
void check_tsc_order(struct report *report);

/* check_chips.c: what hangs on ports and interrupt lines. */
void check_uart_interrupt(struct report *report);
void check_rtc(struct report *report);
void check_pvpanic(struct report *report);

/* check_clocks.c */
void check_pit(struct report *report);
void check_pm_timer(struct report *report);
void check_apic_timer(struct report *report);
void check_tsc_deadline(struct report *report);
void check_halt(struct report *report);
