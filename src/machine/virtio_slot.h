/*
 * A virtio device of a machine: the device itself, the transport in front of it, and what connects
 * both to KVM. For machine_virtio.c and virtio_slot.c.
 *
 * Main thread; calls from the transports come from vCPU threads, under the locks that virtio_pci.h
 * names.
 */
#pragma once

#include "board.h"
#include "config.h"
#include "log.h"
#include "machine_io.h"
#include "msi.h"
#include "shared_line.h"
#include "size_watch.h"
#include "virtio_mmio.h"
#include "virtio_pci.h"

#define PCI_PINS               4
#define VIRTIO_SLOT_NAME_BYTES 64
#define PCI_FREE_SLOTS         (PCI_SLOTS - 1) /* slot 0 is the host bridge */
#define PCI_DEVICES_MAX        (PCI_FREE_SLOTS * PCI_FUNCTIONS)

_Static_assert(PCI_SLOTS / PCI_PINS * PCI_FUNCTIONS <= SHARED_LINE_DEVICES,
	"a line has room for every function of the slots that it serves");
_Static_assert(CONFIG_DISKS_MAX + CONFIG_NETS_MAX + CONFIG_SHARES_MAX + 4 <= PCI_DEVICES_MAX,
	"all that can be configured fits");

struct machine_virtio;

struct virtio_slot {
	struct machine_virtio *virtio;
	unsigned int index;
	char name[VIRTIO_SLOT_NAME_BYTES];
	struct machine_disk *disk;    /* owned; NULL: not a disk */
	struct machine_ports *ports;  /* owned; NULL: not a console */
	struct machine_net *net;      /* owned; NULL: not a NIC */
	struct machine_share *share;  /* owned; NULL: not a shared directory */
	struct machine_vsock *vsock;  /* owned; NULL: not a socket device */
	struct virtio_device *device; /* owned by one of those, else by the slot */
	bool has_transport;
	struct virtio_pci pci;
	struct virtio_mmio mmio;
	struct board_device place; /* of mmio */
	struct msi_vector *vectors;
	unsigned int vector_count;
	struct {
		bool mapped;
		uint64_t base;
	} bars[PCI_BARS]; /* [host bridge's lock] */
	struct log_limiter broken_limiter;
};

struct machine_virtio {
	struct machine *machine;
	struct machine_io io;
	struct msi_table messages;
	struct shared_line lines[PCI_PINS];
	bool has_lines;
	struct virtio_slot **slots; /* owned, each at a fixed place */
	unsigned int slot_count, slots_max;
	unsigned int vectors_used;   /* by drivers that have a queue for each CPU at most */
	struct machine_ports *ports; /* of one of the slots, or NULL */
	struct size_watch sizes;
};

/* On PCI or in memory, as the config has it. */
must_check int virtio_slot_place(struct virtio_slot *slot, struct err *err);
/* What is in flight ends, the transport goes; the device is left. */
void virtio_slot_displace(struct virtio_slot *slot);
