/*
 * What the registers in the BAR (pci_common.c) and the PCI function around them (pci_transport.c)
 * know of each other.
 */
#pragma once

#include "virtio_pci.h"

#define VIRTIO_PCI_COMMON_BYTES 60 /* VIRTIO 1.2 4.1.4.3, up to queue_reset */
#define VIRTIO_PCI_NO_VECTOR    0xffff

/* The common configuration structure. Accesses that are not exactly a field read zero and write
 * nothing; the 64-bit fields also take their halves, or one access of 8 bytes. */
uint64_t virtio_pci_common_read(struct virtio_pci *pci, uint64_t offset, unsigned int size);
void virtio_pci_common_write(
	struct virtio_pci *pci, uint64_t offset, unsigned int size, uint64_t value);

/* Selectors, vectors and ISR to their state after a device reset, which has been. */
void virtio_pci_reset_registers(struct virtio_pci *pci);
