/*
 * See machine_virtio.h. Each device has a slot: the device itself, the transport in front of it,
 * and what connects both to KVM. Calls from the transports come from vCPU threads, under the locks
 * that virtio_pci.h names.
 */
#include "machine_virtio.h"

#include "fd.h"
#include "log.h"
#include "machine_disk.h"
#include "machine_internal.h"
#include "machine_io.h"
#include "machine_net.h"
#include "machine_ports.h"
#include "machine_share.h"
#include "machine_vsock.h"
#include "msi.h"
#include "shared_line.h"
#include "size_watch.h"
#include "virtio_mmio.h"
#include "virtio_pci.h"
#include "virtio_rng.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define PCI_PINS        4
#define NAME_BYTES      64
#define PCI_FREE_SLOTS  (PCI_SLOTS - 1) /* slot 0 is the host bridge */
#define PCI_DEVICES_MAX (PCI_FREE_SLOTS * PCI_FUNCTIONS)

_Static_assert(PCI_SLOTS / PCI_PINS * PCI_FUNCTIONS <= SHARED_LINE_DEVICES,
	"a line has room for every function of the slots that it serves");
_Static_assert(CONFIG_DISKS_MAX + CONFIG_NETS_MAX + CONFIG_SHARES_MAX + 4 <= PCI_DEVICES_MAX,
	"all that can be configured fits");

struct virtio_slot {
	struct machine_virtio *virtio;
	unsigned int index;
	char name[NAME_BYTES];
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

static void device_broken(
	void *owner, const struct virtio_device *device, unsigned int queue, const char *why)
{
	struct virtio_slot *slot = owner;

	(void)device;
	log_limited(&slot->broken_limiter, LOG_LEVEL_WARNING,
		"%s needs a reset: its driver broke the rules on queue %u: %s", slot->name, queue,
		why);
}

static int set_vector(
	void *owner, unsigned int vector, uint64_t address, uint32_t data, bool masked)
{
	struct virtio_slot *slot = owner;

	if (!masked)
		return msi_vector_connect(&slot->vectors[vector], address, data);
	msi_vector_disconnect(&slot->vectors[vector]);
	return 0;
}

static void fire(void *owner, unsigned int vector)
{
	const struct virtio_slot *slot = owner;

	msi_vector_fire(&slot->vectors[vector]);
}

static int vector_descriptor(void *owner, unsigned int vector)
{
	const struct virtio_slot *slot = owner;

	return slot->vectors[vector].fd;
}

static void set_doorbells(struct virtio_slot *slot, uint64_t base, bool connect)
{
	const struct vm *vm = &slot->virtio->machine->vm;

	for (unsigned int queue = 0; queue < slot->device->queue_count; queue++) {
		const struct vm_doorbell doorbell = {
			.address = base + virtio_pci_notify_offset(queue)};
		int fd = slot->device->queues[queue].notify_fd;

		/* Without it the write arrives by an exit: slower, not wrong. */
		if (connect)
			(void)!vm_connect_doorbell(vm, &doorbell, fd);
		else
			vm_disconnect_doorbell(vm, &doorbell, fd);
	}
}

/* The guest has moved a BAR: it answers at its new place, if that is free. */
static void bar_changed(void *owner, struct virtio_pci *pci, unsigned int index)
{
	struct virtio_slot *slot = owner;
	struct bus *mmio = &slot->virtio->machine->mmio;
	const struct pci_bar *bar = &pci->pci.bars[index];
	bool has_doorbells = index == VIRTIO_PCI_BAR;

	if (slot->bars[index].mapped) {
		if (has_doorbells)
			set_doorbells(slot, slot->bars[index].base, false);
		bus_detach(mmio, slot->bars[index].base, pci);
		slot->bars[index].mapped = false;
	}
	if (!bar->enabled || bus_attach(mmio,
				     &(struct bus_range){
					     .base = bar->base,
					     .size = bar->size,
					     .ops = has_doorbells ? &virtio_pci_bar_bus_ops
	                                                          : &virtio_pci_msix_bus_ops,
					     .device = pci,
					     .name = slot->name,
				     },
				     NULL) < 0)
		return;
	slot->bars[index].mapped = true;
	slot->bars[index].base = bar->base;
	if (has_doorbells)
		set_doorbells(slot, bar->base, true);
}

/* A device that a guest has no vectors left for would not work at all; with less in its table than
 * drivers want it has its interrupt line. */
static unsigned int choose_vectors(struct virtio_slot *slot)
{
	struct machine_virtio *virtio = slot->virtio;
	const unsigned int cpus = virtio->machine->config->cpu_count;
	const unsigned int queues = slot->device->queue_count;
	const unsigned int used = (queues < cpus ? queues : cpus) + 1;

	if (virtio->vectors_used + used > arch_msi_vectors(cpus))
		return 1;
	virtio->vectors_used += used;
	return queues + 1;
}

/* One device a slot if there are enough slots, else as many in each as it takes. Guests find them
 * in the order of their places, and name disks after it. */
static int put_on_pci(struct virtio_slot *slot, struct err *err)
{
	struct machine_virtio *virtio = slot->virtio;
	const unsigned int each = (virtio->slots_max + PCI_FREE_SLOTS - 1) / PCI_FREE_SLOTS;
	const unsigned int pci_slot = slot->index / each + 1;
	const unsigned int function = slot->index % each;
	const unsigned int routing_id = pci_slot * PCI_FUNCTIONS + function;
	const unsigned int vectors = choose_vectors(slot);
	const struct virtio_pci_wiring wiring = {
		.irq = shared_line_of(&virtio->lines[pci_slot % PCI_PINS],
			pci_slot / PCI_PINS * PCI_FUNCTIONS + function),
		.msi = {.set_vector = set_vector,
			.fire = fire,
			.descriptor = vector_descriptor,
			.owner = slot},
		.vectors_max = vectors,
		.bar_changed = bar_changed,
		.owner = slot,
	};
	int r = 0;

	slot->vectors = calloc(vectors, sizeof(slot->vectors[0]));
	if (!slot->vectors)
		return err_set_errno(err, ENOMEM, "%s", slot->name);
	for (unsigned int i = 0; r == 0 && i < vectors; i++) {
		r = msi_vector_init(&slot->vectors[i], &virtio->messages, routing_id, err);
		slot->vector_count = i + (r == 0);
	}
	if (r == 0)
		r = virtio_pci_init(&slot->pci, slot->device, &wiring, err);
	if (r < 0)
		return r;
	slot->has_transport = true;
	return pci_host_attach(&virtio->machine->pci, pci_slot, function, &slot->pci.pci, err);
}

static int put_in_memory(struct virtio_slot *slot, struct err *err)
{
	struct machine *machine = slot->virtio->machine;
	const bool by_words = machine->config->transport == CONFIG_TRANSPORT_MMIO_CMDLINE;
	struct irq irq;

	if (arch_board_virtio_mmio(slot->index, by_words, &slot->place) < 0 ||
		machine->board.device_count == BOARD_DEVICES_MAX)
		return err_set(err, ENOSPC,
			"virtio-mmio has no place for device %u (%s): use --transport=pci",
			slot->index + 1, slot->name);
	if (!by_words)
		machine->board.devices[machine->board.device_count++] = slot->place;
	irq = vm_connect_irq(&machine->vm, slot->place.irq);
	virtio_mmio_init(&slot->mmio, slot->device, &irq, by_words);
	slot->has_transport = true;
	return bus_attach(&machine->mmio,
		&(struct bus_range){
			.base = slot->place.base,
			.size = slot->place.size,
			.ops = &virtio_mmio_bus_ops,
			.device = &slot->mmio,
			.name = slot->name,
		},
		err);
}

static void destroy_slot(struct virtio_slot *slot)
{
	/* What is in flight ends while its transport is still there to be told. */
	if (slot->has_transport)
		virtio_device_reset(slot->device);
	if (slot->has_transport && slot->virtio->machine->config->transport == CONFIG_TRANSPORT_PCI)
		virtio_pci_fini(&slot->pci);
	else if (slot->has_transport)
		virtio_mmio_fini(&slot->mmio);
	for (unsigned int i = 0; i < slot->vector_count; i++)
		msi_vector_fini(&slot->vectors[i]);
	free(slot->vectors);
	if (slot->disk)
		machine_disk_destroy(slot->disk);
	else if (slot->ports)
		machine_ports_destroy(slot->ports);
	else if (slot->net)
		machine_net_destroy(slot->net);
	else if (slot->share)
		machine_share_destroy(slot->share);
	else if (slot->vsock)
		machine_vsock_destroy(slot->vsock);
	else if (slot->device)
		slot->device->ops->destroy(slot->device);
	free(slot);
}

/* NULL, and the sentence: no memory for it. */
static struct virtio_slot *add_slot(
	struct machine_virtio *virtio, const char *kind, unsigned int number, struct err *err)
{
	struct virtio_slot *slot = calloc(1, sizeof(*slot));

	if (!slot) {
		(void)err_set_errno(err, ENOMEM, "%s %u", kind, number);
		return NULL;
	}
	slot->virtio = virtio;
	slot->index = virtio->slot_count;
	(void)snprintf(slot->name, sizeof(slot->name), "%s %u", kind, number);
	virtio->slots[virtio->slot_count++] = slot;
	return slot;
}

static int put_in_place(struct virtio_slot *slot, struct err *err)
{
	if (slot->virtio->machine->config->transport == CONFIG_TRANSPORT_PCI)
		return put_on_pci(slot, err);
	return put_in_memory(slot, err);
}

static int add_disk(struct machine_virtio *virtio, unsigned int number, struct err *err)
{
	struct virtio_slot *slot = add_slot(virtio, "disk", number, err);
	struct virtio_fault_sink sink = {.broken = device_broken, .owner = slot};
	int r;

	if (!slot)
		return -ENOMEM;
	r = machine_disk_create(virtio->machine, number, slot->name, &virtio->io, slot->index,
		&sink, &slot->disk, err);
	if (r < 0)
		return r;
	slot->device = machine_disk_device(slot->disk);
	return put_in_place(slot, err);
}

static int add_net(struct machine_virtio *virtio, unsigned int number, struct err *err)
{
	struct virtio_slot *slot = add_slot(virtio, "NIC", number, err);
	struct virtio_fault_sink sink = {.broken = device_broken, .owner = slot};
	int r;

	if (!slot)
		return -ENOMEM;
	r = machine_net_create(virtio->machine, number, slot->name, &virtio->io, slot->index, &sink,
		&slot->net, err);
	if (r < 0)
		return r;
	slot->device = machine_net_device(slot->net);
	return put_in_place(slot, err);
}

static int add_rng(struct machine_virtio *virtio, struct err *err)
{
	struct virtio_rng_options options = {
		.gmem = &virtio->machine->gmem,
		.rate_bytes_per_second = virtio->machine->config->rng_bytes_per_second,
	};
	struct virtio_slot *slot = add_slot(virtio, "entropy device", 0, err);
	int r;

	if (!slot)
		return -ENOMEM;
	options.name = slot->name;
	options.io_thread = machine_io_thread(&virtio->io, slot->index);
	r = virtio_rng_create(&options, &slot->device, err);
	return r < 0 ? r : put_in_place(slot, err);
}

static int add_vsock(struct machine_virtio *virtio, struct err *err)
{
	struct virtio_slot *slot = add_slot(virtio, "socket device", 0, err);
	struct virtio_fault_sink sink = {.broken = device_broken, .owner = slot};
	int r;

	if (!slot)
		return -ENOMEM;
	r = machine_vsock_create(
		virtio->machine, slot->name, virtio->io.sockets, &sink, &slot->vsock, err);
	if (r < 0)
		return r;
	slot->device = machine_vsock_device(slot->vsock);
	return put_in_place(slot, err);
}

static int add_share(struct machine_virtio *virtio, unsigned int number, struct err *err)
{
	struct virtio_slot *slot = add_slot(virtio, "share", number, err);
	struct virtio_fault_sink sink = {.broken = device_broken, .owner = slot};
	int r;

	if (!slot)
		return -ENOMEM;
	r = machine_share_create(
		virtio->machine, number, slot->name, virtio->io.files, &sink, &slot->share, err);
	if (r < 0)
		return r;
	slot->device = machine_share_device(slot->share);
	return put_in_place(slot, err);
}

/* Those of this machine, in the order of their slots. */
static void fence_shares(struct machine_virtio *virtio)
{
	struct machine_share *shares[CONFIG_SHARES_MAX + 1];
	unsigned int count = 0;

	for (unsigned int i = 0; i < virtio->slot_count; i++)
		if (virtio->slots[i]->share)
			shares[count++] = virtio->slots[i]->share;
	if (count)
		machine_share_fence(shares, count, virtio->io.files);
}

static int add_ports(struct machine_virtio *virtio, struct err *err)
{
	struct virtio_slot *slot = add_slot(virtio, "console", 0, err);
	int r;

	if (!slot)
		return -ENOMEM;
	r = machine_ports_create(
		virtio->machine, machine_io_thread(&virtio->io, slot->index), &slot->ports, err);
	if (r < 0)
		return r;
	slot->device = machine_ports_device(slot->ports);
	slot->device->fault_sink = (struct virtio_fault_sink){
		.broken = device_broken, .owner = slot};
	virtio->ports = slot->ports;
	return put_in_place(slot, err);
}

/* Each queue and each vector is a descriptor. The limit that processes start with is low for the
 * sake of select(2), and they may ask for more. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit); /* whatever lacks one then says so */
}

static void create_lines(struct machine_virtio *virtio)
{
	struct machine *machine = virtio->machine;

	for (unsigned int pin = 0; pin < PCI_PINS; pin++) {
		const struct irq irq = vm_connect_irq(
			&machine->vm, machine->board.pci.intx_irqs[pin]);

		shared_line_init(&virtio->lines[pin], &irq);
	}
	virtio->has_lines = true;
}

static int create_all(struct machine_virtio *virtio, unsigned int count, struct err *err)
{
	const struct config *config = virtio->machine->config;
	int r;

	virtio->slots = calloc(count, sizeof(virtio->slots[0]));
	virtio->slots_max = count;
	if (!virtio->slots)
		return err_set_errno(err, ENOMEM, "%u devices", count);
	raise_descriptor_limit();
	create_lines(virtio);
	r = msi_table_create(
		&virtio->messages, &virtio->machine->vm.fd, &virtio->machine->arch, err);
	if (r == 0)
		r = machine_io_init(&virtio->io, config, err);
	for (unsigned int i = 0; r == 0 && i < config->disk_count; i++)
		r = add_disk(virtio, i, err);
	for (unsigned int i = 0; r == 0 && i < config_nic_count(config); i++)
		r = add_net(virtio, i, err);
	if (r == 0 && config->rng)
		r = add_rng(virtio, err);
	if (r == 0 && config_has_vsock(config))
		r = add_vsock(virtio, err);
	for (unsigned int i = 0; r == 0 && i < config->share_count; i++)
		r = add_share(virtio, i, err);
	if (r == 0)
		fence_shares(virtio);
	if (r == 0 && config_has_ports(config))
		r = add_ports(virtio, err);
	return r;
}

int machine_virtio_create(
	struct machine *machine, struct machine_virtio **ret_virtio, struct err *err)
{
	const unsigned int count = config_virtio_count(machine->config);
	struct machine_virtio *virtio;
	int r;

	if (count == 0)
		return 0;
	virtio = calloc(1, sizeof(*virtio));
	if (!virtio)
		return err_set_errno(err, ENOMEM, "virtio devices");
	virtio->machine = machine;
	r = create_all(virtio, count, err);
	if (r < 0) {
		machine_virtio_destroy(virtio);
		return r;
	}
	*ret_virtio = virtio;
	return 0;
}

void machine_virtio_destroy(struct machine_virtio *virtio)
{
	if (!virtio)
		return;
	size_watch_fini(&virtio->sizes);
	for (unsigned int i = virtio->slot_count; i > 0; i--)
		destroy_slot(virtio->slots[i - 1]);
	free(virtio->slots);
	machine_io_fini(&virtio->io);
	msi_table_destroy(&virtio->messages);
	for (unsigned int pin = 0; virtio->has_lines && pin < PCI_PINS; pin++)
		shared_line_fini(&virtio->lines[pin]);
	free(virtio);
}

int machine_virtio_connect(struct machine_virtio *virtio, struct err *err)
{
	if (!virtio || virtio->machine->config->transport == CONFIG_TRANSPORT_PCI)
		return 0; /* PCI's follow their BARs */
	for (unsigned int i = 0; i < virtio->slot_count; i++) {
		const struct virtio_slot *slot = virtio->slots[i];

		for (unsigned int queue = 0; queue < slot->device->queue_count; queue++) {
			const struct vm_doorbell doorbell = {
				.address = slot->place.base + VIRTIO_MMIO_QUEUE_NOTIFY,
				.size = 4,
				.match = true,
				.value = queue,
			};
			int r = vm_connect_doorbell(&virtio->machine->vm, &doorbell,
				slot->device->queues[queue].notify_fd);

			if (r < 0)
				return err_set_errno(
					err, r, "%s: KVM refused a doorbell", slot->name);
		}
	}
	return 0;
}

static bool may_change_size(const struct virtio_slot *slot)
{
	return slot->disk && machine_disk_may_change_size(slot->disk);
}

static int watch_sizes(struct machine_virtio *virtio, struct err *err)
{
	unsigned int count = 0;
	int r;

	for (unsigned int i = 0; i < virtio->slot_count; i++)
		count += may_change_size(virtio->slots[i]);
	if (!count)
		return 0;
	r = size_watch_init(&virtio->sizes, &virtio->machine->loop, count, err);
	for (unsigned int i = 0; r == 0 && i < virtio->slot_count; i++) {
		struct virtio_slot *slot = virtio->slots[i];

		if (may_change_size(slot))
			machine_disk_watch_size(slot->disk, &virtio->sizes);
	}
	return r;
}

int machine_virtio_wait(struct machine_virtio *virtio, struct err *err)
{
	int r = 0;

	for (unsigned int i = 0; virtio && r == 0 && i < virtio->slot_count; i++)
		if (virtio->slots[i]->net)
			r = machine_net_wait(virtio->slots[i]->net, err);
	return r;
}

int machine_virtio_start(struct machine_virtio *virtio, struct err *err)
{
	int r;

	if (!virtio)
		return 0;
	r = watch_sizes(virtio, err);
	return r == 0 && virtio->ports ? machine_ports_start(virtio->ports, err) : r;
}

struct machine_ports *machine_virtio_ports(struct machine_virtio *virtio)
{
	return virtio ? virtio->ports : NULL;
}

int machine_virtio_set_link(struct machine_virtio *virtio, unsigned int number, bool up)
{
	for (unsigned int i = 0; virtio && i < virtio->slot_count; i++) {
		struct machine_net *net = virtio->slots[i]->net;

		if (!net || number--)
			continue;
		machine_net_set_link(net, up);
		return 0;
	}
	return -ENODEV;
}

int machine_virtio_connect_vsock(struct machine_virtio *virtio, uint32_t guest_port, int fd)
{
	for (unsigned int i = 0; virtio && i < virtio->slot_count; i++)
		if (virtio->slots[i]->vsock)
			return machine_vsock_connect(virtio->slots[i]->vsock, guest_port, fd);
	fd_close(&fd);
	return -ENODEV;
}

void machine_virtio_finish(struct machine_virtio *virtio)
{
	for (unsigned int i = 0; virtio && i < virtio->slot_count; i++)
		if (virtio->slots[i]->net)
			machine_net_report(virtio->slots[i]->net);
	if (virtio && virtio->ports)
		machine_ports_finish(virtio->ports);
}

void machine_virtio_reset(struct machine_virtio *virtio)
{
	if (!virtio)
		return;
	for (unsigned int i = 0; i < virtio->slot_count; i++)
		if (virtio->machine->config->transport != CONFIG_TRANSPORT_PCI)
			virtio_mmio_reset(&virtio->slots[i]->mmio);
	msi_table_reset(&virtio->messages);
}
