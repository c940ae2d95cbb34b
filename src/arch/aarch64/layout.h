/*
 * The guest-physical map and the interrupt lines of the aarch64 machine.
 *
 * Devices have the first GiB, RAM all from there on in one piece, and above RAM is a window for
 * large BARs. Lines are counted from the first shared interrupt (SPI), which is what KVM calls a
 * GSI and the device tree an interrupt of type 0.
 */
#pragma once

#include <stdint.h>

#define KIB UINT64_C(1024)
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

#define RAM_BASE (1 * GIB)

/* The interrupt controller: what there is of it depends on its version. */
#define GIC_DISTRIBUTOR_BASE     UINT64_C(0x08000000)
#define GIC_CPU_INTERFACE_BASE   UINT64_C(0x08010000) /* version 2 */
#define GIC_V2M_BASE             UINT64_C(0x08020000) /* version 2 */
#define GIC_V2M_BYTES            UINT64_C(0x1000)
#define GIC_V2_DISTRIBUTOR_BYTES UINT64_C(0x1000)
#define GIC_V3_DISTRIBUTOR_BYTES (64 * KIB)
#define GIC_CPU_INTERFACE_BYTES  UINT64_C(0x2000)
#define GIC_ITS_BYTES            (128 * KIB)
#define GIC_REDISTRIBUTOR_BYTES  (128 * KIB)
#define GIC_ITS_BASE             UINT64_C(0x08040000) /* version 3 */
#define GIC_REDISTRIBUTORS_BASE  UINT64_C(0x0a000000) /* version 3; to PCI_WINDOW32_BASE */

#define UART_BASE          UINT64_C(0x09000000)
#define RTC_BASE           UINT64_C(0x09010000)
#define PVPANIC_BASE       UINT64_C(0x09020000)
#define DEBUG_EXIT_BASE    UINT64_C(0x09030000)
#define GPIO_BASE          UINT64_C(0x09040000)
#define STOLEN_TIME_BASE   UINT64_C(0x09050000) /* memory: a record for each vCPU */
#define STOLEN_TIME_BYTES  (64 * KIB)           /* a page, of any size there is */
#define VIRTIO_MMIO_BASE   UINT64_C(0x09100000)
#define VIRTIO_MMIO_STRIDE UINT64_C(0x1000)
#define VIRTIO_MMIO_BYTES  UINT64_C(0x200)
#define VIRTIO_MMIO_MAX    32

#define PCI_WINDOW32_BASE  UINT64_C(0x10000000)
#define PCI_WINDOW32_END   UINT64_C(0x30000000)
#define PCI_ECAM_BASE      UINT64_C(0x30000000)
#define PCI_ECAM_BUSES     16
#define PCI_WINDOW64_BYTES (16 * GIB)

/* Lines. The messages of version 2 have those behind the board's own. */
#define GSI_UART        1
#define GSI_RTC         2
#define GSI_GPIO        3
#define GSI_PCI_A       4 /* INTA..INTD on 4 to 7 */
#define GSI_VIRTIO_MMIO 16
#define GSI_LINES       64
#define GSI_V2M         GSI_LINES
#define GSI_V2M_COUNT   896

#define SPI_FIRST 32 /* the interrupt number of line 0 */

/* Private interrupts (PPI), as numbers of a CPU's own 16. */
#define PPI_TIMER_SECURE     13
#define PPI_TIMER_PHYSICAL   14
#define PPI_TIMER_VIRTUAL    11
#define PPI_TIMER_HYPERVISOR 10
#define PPI_PMU              7
#define PPI_FIRST            16 /* the interrupt number of PPI 0 */
