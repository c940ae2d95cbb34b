/*
 * A virtio driver for both transports, written from VIRTIO 1.2 alone: nothing here comes from the
 * VMM's headers, so that the two sides cannot share a mistake.
 *
 * Polls; interrupts are up to the guest.
 */
#pragma once

#include "pci.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 5 */
#define VIRTIO_NETWORK     1
#define VIRTIO_SOCKET      19
#define VIRTIO_BLOCK       2
#define VIRTIO_CONSOLE     3
#define VIRTIO_ENTROPY     4
#define VIRTIO_FILE_SYSTEM 26

/* 2.1 */
#define STATUS_ACKNOWLEDGE 0x01
#define STATUS_DRIVER      0x02
#define STATUS_DRIVER_OK   0x04
#define STATUS_FEATURES_OK 0x08
#define STATUS_NEEDS_RESET 0x40
#define STATUS_FAILED      0x80

/* 6 */
#define FEATURE(bit)              (UINT64_C(1) << (bit))
#define FEATURE_INDIRECT          FEATURE(28)
#define FEATURE_EVENT_INDEX       FEATURE(29)
#define FEATURE_VERSION_1         FEATURE(32)
#define FEATURE_ACCESS_PLATFORM   FEATURE(33)
#define FEATURE_PACKED            FEATURE(34)
#define FEATURE_IN_ORDER          FEATURE(35)
#define FEATURE_NOTIFICATION_DATA FEATURE(38)
#define FEATURE_RING_RESET        FEATURE(40)

/* 4.1.4.3, the common configuration structure. */
#define COMMON_DEVICE_FEATURE_SELECT 0
#define COMMON_DEVICE_FEATURE        4
#define COMMON_DRIVER_FEATURE_SELECT 8
#define COMMON_DRIVER_FEATURE        12
#define COMMON_CONFIG_MSIX_VECTOR    16
#define COMMON_NUM_QUEUES            18
#define COMMON_DEVICE_STATUS         20
#define COMMON_CONFIG_GENERATION     21
#define COMMON_QUEUE_SELECT          22
#define COMMON_QUEUE_SIZE            24
#define COMMON_QUEUE_MSIX_VECTOR     26
#define COMMON_QUEUE_ENABLE          28
#define COMMON_QUEUE_NOTIFY_OFF      30
#define COMMON_QUEUE_DESC            32
#define COMMON_QUEUE_DRIVER          40
#define COMMON_QUEUE_DEVICE          48
#define COMMON_QUEUE_NOTIFY_DATA     56
#define COMMON_QUEUE_RESET           58
#define COMMON_BYTES                 56 /* what every device has */
#define MSIX_NO_VECTOR               0xffff

/* 4.2.2, the registers of virtio-mmio. */
#define MMIO_MAGIC               0x000
#define MMIO_VERSION             0x004
#define MMIO_DEVICE_ID           0x008
#define MMIO_VENDOR_ID           0x00c
#define MMIO_DEVICE_FEATURES     0x010
#define MMIO_DEVICE_FEATURES_SEL 0x014
#define MMIO_DRIVER_FEATURES     0x020
#define MMIO_DRIVER_FEATURES_SEL 0x024
#define MMIO_QUEUE_SEL           0x030
#define MMIO_QUEUE_SIZE_MAX      0x034
#define MMIO_QUEUE_SIZE          0x038
#define MMIO_QUEUE_READY         0x044
#define MMIO_QUEUE_NOTIFY        0x050
#define MMIO_INTERRUPT_STATUS    0x060
#define MMIO_INTERRUPT_ACK       0x064
#define MMIO_STATUS              0x070
#define MMIO_QUEUE_DESC          0x080
#define MMIO_QUEUE_DRIVER        0x090
#define MMIO_QUEUE_DEVICE        0x0a0
#define MMIO_QUEUE_RESET         0x0c0
#define MMIO_CONFIG_GENERATION   0x0fc
#define MMIO_CONFIG              0x100
#define MMIO_MAGIC_VALUE         0x74726976

/* Bits of the ISR status (4.1.4.5) and of InterruptStatus (4.2.2). */
#define ISR_QUEUE         1
#define ISR_CONFIGURATION 2

enum virtio_area { AREA_DESCRIPTOR, AREA_DRIVER, AREA_DEVICE };

struct virtio;

struct virtio_transport {
	const char *name;
	uint8_t (*status)(const struct virtio *device);
	void (*set_status)(const struct virtio *device, uint8_t status);
	uint32_t (*offered)(const struct virtio *device, uint32_t word);
	void (*accept)(const struct virtio *device, uint32_t word, uint32_t value);
	void (*select_queue)(const struct virtio *device, uint16_t queue);
	/* Of the selected queue: */
	uint16_t (*queue_size)(const struct virtio *device); /* PCI: max, until changed */
	void (*set_queue_size)(const struct virtio *device, uint32_t size);
	void (*set_area)(const struct virtio *device, enum virtio_area area, uint64_t address);
	void (*enable)(const struct virtio *device, uint32_t value);
	bool (*enabled)(const struct virtio *device);
	void (*reset_queue)(const struct virtio *device);
	/* Where to write the queue's number for a notification; 0: no such queue. */
	uint64_t (*notify_address)(const struct virtio *device, uint16_t queue);
	/* Reads the interrupt status and clears it. */
	uint32_t (*interrupt_status)(const struct virtio *device);
	uint8_t (*generation)(const struct virtio *device);
};

struct virtio {
	const struct virtio_transport *transport;
	uint32_t device_id;
	uint64_t config; /* address of the device's own configuration space */
	uint64_t accepted;

	/* virtio-mmio */
	uint64_t base;

	/* virtio-pci: addresses inside BARs */
	struct pci_function function;
	struct pci_bar bars[PCI_BARS];
	uint64_t common, notify, isr;
	uint32_t config_bytes, notify_bytes, notify_multiplier;
	uint8_t window_capability; /* 4.1.4.9; 0: none */
	uint8_t msix_capability;   /* 0: none */
	uint16_t msix_entries;
	uint64_t msix_table, msix_pba;
};

extern const struct virtio_transport virtio_pci_transport;
extern const struct virtio_transport virtio_mmio_transport;

/* Adds the machine's devices to the table; returns how many it has then. */
unsigned int virtio_pci_scan(struct virtio *devices, unsigned int count, unsigned int max);
unsigned int virtio_mmio_scan(uint64_t base, uint64_t stride, unsigned int slots,
	struct virtio *devices, unsigned int count, unsigned int max);

static inline bool virtio_is_pci(const struct virtio *device)
{
	return device->transport == &virtio_pci_transport;
}

uint64_t virtio_offered(const struct virtio *device);

/* 3.1.1 as far as FEATURES_OK, with those of wanted that are offered and VERSION_1. False when the
 * device did not come out of reset or did not keep FEATURES_OK. */
bool virtio_negotiate(struct virtio *device, uint64_t wanted);
void virtio_driver_ok(const struct virtio *device);

/* Writes 0 and waits until 0 is read; false when it never was. */
bool virtio_reset(const struct virtio *device);

/* Waits until the status has the bit; false when patience ended. */
bool virtio_wait_status(const struct virtio *device, uint8_t bit);

/* The largest size of a queue of a device just reset; 0: no such queue. */
uint16_t virtio_queue_size_max(const struct virtio *device, uint16_t queue);
void virtio_notify(const struct virtio *device, uint16_t queue);
void virtio_add_status(const struct virtio *device, uint8_t bits);

/* How long anything may take that must come: ten seconds unless told otherwise. */
bool virtio_is_late(uint64_t start);
void virtio_set_patience(uint64_t seconds);
