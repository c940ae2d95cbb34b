/* See machine_virtio.h. Each device has a slot, see virtio_slot.h. */
#include "machine_virtio.h"

#include "fd.h"
#include "machine_disk.h"
#include "machine_internal.h"
#include "machine_net.h"
#include "machine_ports.h"
#include "machine_share.h"
#include "machine_vsock.h"
#include "virtio_rng.h"
#include "virtio_slot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static void device_broken(
	void *owner, const struct virtio_device *device, unsigned int queue, const char *why)
{
	struct virtio_slot *slot = owner;

	(void)device;
	log_limited(&slot->broken_limiter, LOG_LEVEL_WARNING,
		"%s needs a reset: its driver broke the rules on queue %u: %s", slot->name, queue,
		why);
}

static void destroy_slot(struct virtio_slot *slot)
{
	virtio_slot_displace(slot);
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
	return virtio_slot_place(slot, err);
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
	return virtio_slot_place(slot, err);
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
	return r < 0 ? r : virtio_slot_place(slot, err);
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
	return virtio_slot_place(slot, err);
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
	return virtio_slot_place(slot, err);
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
	return virtio_slot_place(slot, err);
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

struct machine_vsock *machine_virtio_vsock(struct machine_virtio *virtio)
{
	for (unsigned int i = 0; virtio && i < virtio->slot_count; i++)
		if (virtio->slots[i]->vsock)
			return virtio->slots[i]->vsock;
	return NULL;
}

int machine_virtio_connect_vsock(struct machine_virtio *virtio, uint32_t guest_port, int fd)
{
	struct machine_vsock *vsock = machine_virtio_vsock(virtio);

	if (vsock)
		return machine_vsock_connect(vsock, guest_port, fd);
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
