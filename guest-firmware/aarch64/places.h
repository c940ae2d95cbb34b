/*
 * What of this board's map a guest is not told, or does not ask for: where BARs may go, where
 * virtio-mmio devices are looked for, the console and the debug-exit device.
 */
#pragma once

#define PLACE_PCI_WINDOW_BASE    UINT64_C(0x10000000)
#define PLACE_PCI_WINDOW_END     UINT64_C(0x30000000)
#define PLACE_VIRTIO_MMIO_BASE   UINT64_C(0x09100000)
#define PLACE_VIRTIO_MMIO_STRIDE UINT64_C(0x1000)
#define PLACE_VIRTIO_MMIO_SLOTS  32

#define PLACE_UART       UINT64_C(0x09000000)
#define PLACE_DEBUG_EXIT UINT64_C(0x09030000)
