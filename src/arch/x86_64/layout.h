/*
 * The guest-physical map, the PIO map and the interrupt lines of the x86_64 machine.
 *
 * RAM fills [0, 3 GiB) and then continues at 4 GiB; [3 GiB, 4 GiB) belongs to devices. One memory
 * slot covers the low part, the legacy hole at 640 KiB included: the e820 map tells the guest which
 * of it is RAM.
 */
#pragma once

#include <stdint.h>

#define KIB UINT64_C(1024)
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

/* RAM below the 32-bit hole ends here at most; above it RAM starts at HIGH_RAM_BASE. */
#define LOW_RAM_END   (3 * GIB)
#define HIGH_RAM_BASE (4 * GIB)

/* What Hull itself writes below 1 MiB before the guest's first instruction. */
#define RESET_FLAG_ADDRESS   UINT64_C(0x472) /* the PC's warm-boot word: 0x1234 is a warm reboot */
#define BOOT_GDT_ADDRESS     UINT64_C(0x500)
#define BOOT_PARAMS_ADDRESS  UINT64_C(0x7000) /* Linux zero page, PVH or multiboot information */
#define BOOT_PARAMS_END      UINT64_C(0x9000)
#define PAGE_TABLES_ADDRESS  UINT64_C(0x9000) /* six pages: PML4, PDPT, four PDs */
#define PAGE_TABLES_END      UINT64_C(0xf000)
#define COMMAND_LINE_ADDRESS UINT64_C(0x20000)
#define COMMAND_LINE_END     UINT64_C(0x30000) /* 64 KiB with its final NUL */
#define EBDA_ADDRESS         UINT64_C(0x9fc00) /* conventional memory ends here */
#define ACPI_TABLES_ADDRESS  UINT64_C(0xe0000) /* the RSDP first */
#define ACPI_TABLES_END      UINT64_C(0xf0000)
#define SMBIOS_ADDRESS       UINT64_C(0xf0000) /* the _SM3_ anchor first */
#define SMBIOS_END           UINT64_C(0x100000)
#define KERNEL_MIN_ADDRESS   (1 * MIB)

/* The 32-bit hole. */
#define PCI_WINDOW32_BASE    UINT64_C(0xc0000000)
#define PCI_WINDOW32_END     UINT64_C(0xe0000000)
#define PCI_ECAM_BASE        UINT64_C(0xe0000000)
#define PCI_ECAM_BUSES       16
#define PCI_ECAM_BUS_BYTES   MIB
#define VIRTIO_MMIO_BASE     UINT64_C(0xf0000000)
#define VIRTIO_MMIO_STRIDE   UINT64_C(0x1000)
#define VIRTIO_MMIO_BYTES    UINT64_C(0x200)
#define IOAPIC_ADDRESS       UINT64_C(0xfec00000)
#define LAPIC_ADDRESS        UINT64_C(0xfee00000)
#define KVM_IDENTITY_ADDRESS UINT64_C(0xfffbc000) /* one page, used by KVM on Intel */
#define KVM_TSS_ADDRESS      UINT64_C(0xfffbd000) /* three pages, likewise */

/* PIO. */
#define PIO_PIT           0x40 /* 4 ports, and 0x61 */
#define PIO_I8042         0x60 /* and 0x64 */
#define RTC_CENTURY_INDEX 0x32 /* in the CMOS RAM */
#define PIO_RTC           0x70
#define PIO_DEBUG_EXIT    0xf4
#define PIO_COM1          0x3f8
#define PIO_PVPANIC       0x505
#define PIO_POWER         0x600 /* PM1a event block, 4 bytes */
#define POWER_PM1_EVENT   0x00
#define POWER_PM1_CNT     0x04 /* 2 bytes */
#define POWER_PM_TIMER    0x08 /* 4 bytes, 32 bits wide */
#define POWER_PIO_SIZE    0x10
#define PIO_RESET         0xcf9 /* reset control register; bits 2 and 1: hard reset */
#define RESET_VALUE       0x06
#define SLEEP_TYPE_S5     5 /* SLP_TYP of PM1_CNT that means soft off */

/* GSIs. ISA interrupts are identity-mapped; 9 is level, active high. */
#define GSI_KEYBOARD 1
#define GSI_COM1     4
#define GSI_RTC      8
#define GSI_SCI      9
#define GSI_PCI_A    16 /* INTA..INTD on 16 to 19 */

#define IOAPIC_ID   0 /* the APIC id of the I/O APIC itself; not a CPU's namespace */
#define IOAPIC_PINS 24
