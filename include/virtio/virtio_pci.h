/*
 * virtio-pci, modern only: VIRTIO 1.2 4.1. A PCI function in front of a virtio_device: common
 * configuration, notifications, ISR status and device configuration in one 64-bit memory BAR,
 * MSI-X table and pending bits in another, the same registers through a window in configuration
 * space, INTx as long as MSI-X is off.
 *
 * Knows neither KVM nor where BARs are mapped: messages leave through a msi_sink, and moving BARs
 * are told to the machine, which puts the bus ops below there, and for each queue an ioeventfd
 * (any length, any value) with the queue's notify_fd at virtio_pci_notify_offset.
 *
 * Order of locks: host bridge (configuration space, the window, bar_changed), device, MSI-X table.
 * Accesses to BARs start without the host bridge's and never take it.
 */
#pragma once

#include "bus.h"
#include "err.h"
#include "irq.h"
#include "msix.h"
#include "pci.h"
#include "virtio_device.h"
#include "virtio_isr.h"

#include <stdatomic.h>

/* Which BARs, and how many bytes they are. */
#define VIRTIO_PCI_BAR            0
#define VIRTIO_PCI_BAR_BYTES      0x4000
#define VIRTIO_PCI_MSIX_BAR       2
#define VIRTIO_PCI_MSIX_BAR_BYTES 0x1000

struct virtio_pci;

struct virtio_pci_wiring {
	struct irq irq; /* INTA, level-triggered; without one there is no INTx */
	struct msi_sink msi;
	unsigned int vectors_max; /* 0: one for each queue, and one more */
	/* pci->pci.bars[index] has moved. With the host bridge's lock held. May be NULL. */
	void (*bar_changed)(void *owner, struct virtio_pci *pci, unsigned int index);
	void *owner;
};

struct virtio_pci {
	struct pci_device pci;           /* for pci_host_attach */
	struct virtio_device *device;    /* [const] borrowed */
	struct virtio_pci_wiring wiring; /* [const] */
	struct msix msix;
	struct virtio_isr isr;
	unsigned int window; /* [const] where the capability of the window is */
	/* [atomic] selectors, relaxed: see struct virtio_mmio */
	_Atomic uint32_t device_feature_select, driver_feature_select;
	_Atomic uint32_t queue_select;
	_Atomic uint16_t config_vector;                    /* [atomic] */
	_Atomic uint16_t queue_vectors[VIRTIO_QUEUES_MAX]; /* [atomic] */
};

/* Becomes the device's transport; before the guest runs. The device's data are set. */
must_check int virtio_pci_init(struct virtio_pci *pci, struct virtio_device *device,
	const struct virtio_pci_wiring *wiring, struct err *err);
void virtio_pci_fini(struct virtio_pci *pci);

/* Of the queue's notification address in VIRTIO_PCI_BAR. */
uint32_t virtio_pci_notify_offset(unsigned int queue);

/* For ranges of a whole BAR with the struct virtio_pci as their device. */
extern const struct bus_ops virtio_pci_bar_bus_ops;
extern const struct bus_ops virtio_pci_msix_bus_ops;
