/*
 * What of this board's map a guest is not told, or does not ask for: where BARs may go, where
 * virtio-mmio devices are looked for, which interrupts are lines of PCI and virtio-mmio, the
 * console and the debug-exit device.
 */
#pragma once

#define PLACE_PCI_WINDOW_BASE    UINT64_C(0x10000000)
#define PLACE_PCI_WINDOW_END     UINT64_C(0x30000000)
#define PLACE_VIRTIO_MMIO_BASE   UINT64_C(0x09100000)
#define PLACE_VIRTIO_MMIO_STRIDE UINT64_C(0x1000)
#define PLACE_VIRTIO_MMIO_SLOTS  32

#define PLACE_LINE_FIRST 36
#define PLACE_LINE_END   96

/* The devices' GiB is mapped twice: here as if it were memory, where accesses need not be aligned.
 * Everything below is at its own address. */
#define PLACE_UNALIGNED UINT64_C(0x7fc0000000)

#define PLACE_UART       UINT64_C(0x09000000)
#define PLACE_DEBUG_EXIT UINT64_C(0x09030000)

/* Interrupt controllers: a processor's own part, in version 3, and what is there for all. */
#define PLACE_OWN_INTERRUPTS    UINT64_C(0x0a000000)
#define PLACE_SHARED_INTERRUPTS UINT64_C(0x08000000)
