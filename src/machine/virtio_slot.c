/* See virtio_slot.h. */
#include "virtio_slot.h"

#include "fd.h"
#include "machine_internal.h"

#include <errno.h>
#include <stdlib.h>

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

int virtio_slot_place(struct virtio_slot *slot, struct err *err)
{
	if (slot->virtio->machine->config->transport == CONFIG_TRANSPORT_PCI)
		return put_on_pci(slot, err);
	return put_in_memory(slot, err);
}

void virtio_slot_displace(struct virtio_slot *slot)
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
}
