/*
 * What of this board's map no table tells a guest without firmware: where BARs may go, where
 * virtio-mmio devices are looked for, and the console's port.
 */
#pragma once

#define PLACE_PCI_WINDOW_BASE    UINT64_C(0xc0000000)
#define PLACE_PCI_WINDOW_END     UINT64_C(0xe0000000)
#define PLACE_VIRTIO_MMIO_BASE   UINT64_C(0xf0000000)
#define PLACE_VIRTIO_MMIO_STRIDE UINT64_C(0x1000)
#define PLACE_VIRTIO_MMIO_SLOTS  32

#define PLACE_UART 0x3f8

/* Interrupt controllers: a processor's own, and the one that is there for all. */
#define PLACE_OWN_INTERRUPTS    UINT64_C(0xfee00000)
#define PLACE_SHARED_INTERRUPTS UINT64_C(0xfec00000)
