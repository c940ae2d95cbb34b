/*
 * The PCI function of a modern virtio device: identity, capabilities, BARs, interrupts and the
 * access window in configuration space (VIRTIO 1.2 4.1.2 to 4.1.5). See virtio_pci.h.
 *
 * Each structure has a page of the BAR to itself: none can be reached past the end of another.
 */
#include "pci_private.h"

#include <errno.h>

#define VENDOR_ID        0x1af4
#define DEVICE_ID_BASE   0x1040 /* 4.1.2 */
#define SUBSYSTEM_BASE   0x0040 /* 4.1.2.1: modern devices: 0x40 or higher */
#define REVISION         1
#define CLASS_OTHER      0xff0000
#define REG_COMMAND      0x04
#define REG_STATUS       0x06
#define COMMAND_INTX_OFF 0x0400U
#define STATUS_INTERRUPT 0x0008U

#define PAGE_BYTES    0x1000
#define COMMON_OFFSET 0x0000
#define ISR_OFFSET    0x1000
#define DEVICE_OFFSET 0x2000
#define NOTIFY_OFFSET 0x3000

#define NOTIFY_MULTIPLIER 4

/* 4.1.4 */
#define CAPABILITY_VENDOR 0x09
#define CAPABILITY_BYTES  16
#define CFG_COMMON        1
#define CFG_NOTIFY        2
#define CFG_ISR           3
#define CFG_DEVICE        4
#define CFG_PCI           5

/* Offsets in a vendor capability. */
#define CAP_LENGTH_OF_IT 2
#define CAP_TYPE         3
#define CAP_BAR          4
#define CAP_OFFSET       8
#define CAP_LENGTH       12
#define CAP_MORE         16 /* the notification's multiplier, or the window's data */

/* --- The BARs. --- */

static uint64_t read_isr(struct virtio_pci *pci, uint64_t offset, unsigned int size)
{
	/* 4.1.4.5: a single byte; reading it resets it and takes the interrupt back. */
	return offset == 0 && size == 1 ? virtio_isr_clear(&pci->isr, UINT32_MAX) : 0;
}

static uint64_t virtio_pci_bar_read(void *owner, uint64_t offset, unsigned int size)
{
	struct virtio_pci *pci = owner;
	uint64_t in_page = offset % PAGE_BYTES, value = 0;

	switch (offset - in_page) {
	case COMMON_OFFSET:
		return virtio_pci_common_read(pci, in_page, size);
	case ISR_OFFSET:
		return read_isr(pci, in_page, size);
	case DEVICE_OFFSET:
		virtio_device_read_config(pci->device, (uint32_t)in_page, &value, size);
		return value;
	default:
		return 0;
	}
}

/* 4.1.5.2: two bytes, or four with NOTIFICATION_DATA. The address says which queue it is; where its
 * indices are the I/O thread sees in the ring. */
static void write_notify(struct virtio_pci *pci, uint64_t offset, unsigned int size)
{
	if (offset % NOTIFY_MULTIPLIER == 0 && (size == 2 || size == 4))
		virtio_device_notify(pci->device, (unsigned int)(offset / NOTIFY_MULTIPLIER));
}

static void virtio_pci_bar_write(void *owner, uint64_t offset, unsigned int size, uint64_t value)
{
	struct virtio_pci *pci = owner;
	uint64_t in_page = offset % PAGE_BYTES;

	switch (offset - in_page) {
	case COMMON_OFFSET:
		virtio_pci_common_write(pci, in_page, size, value);
		break;
	case DEVICE_OFFSET:
		virtio_device_write_config(pci->device, (uint32_t)in_page, &value, size);
		break;
	case NOTIFY_OFFSET:
		write_notify(pci, in_page, size);
		break;
	default:
		break;
	}
}

const struct bus_ops virtio_pci_bar_bus_ops = {virtio_pci_bar_read, virtio_pci_bar_write};

#define PENDING_OFFSET 0x800 /* behind the largest table there can be */

_Static_assert(MSIX_ENTRY_BYTES *(VIRTIO_QUEUES_MAX + 1) <= PENDING_OFFSET, "table fits");
_Static_assert(VIRTIO_QUEUES_MAX + 1 <= MSIX_VECTORS_MAX, "a vector for each queue");
_Static_assert(NOTIFY_MULTIPLIER *VIRTIO_QUEUES_MAX <= PAGE_BYTES, "notifications fit");

static uint64_t virtio_pci_msix_read(void *owner, uint64_t offset, unsigned int size)
{
	struct virtio_pci *pci = owner;

	if (offset >= PENDING_OFFSET)
		return msix_pending_read(&pci->msix, offset - PENDING_OFFSET, size);
	return msix_table_read(&pci->msix, offset, size);
}

static void virtio_pci_msix_write(void *owner, uint64_t offset, unsigned int size, uint64_t value)
{
	struct virtio_pci *pci = owner;

	if (offset < PENDING_OFFSET)
		msix_table_write(&pci->msix, offset, size, value);
}

const struct bus_ops virtio_pci_msix_bus_ops = {virtio_pci_msix_read, virtio_pci_msix_write};

uint32_t virtio_pci_notify_offset(unsigned int queue)
{
	return NOTIFY_OFFSET + NOTIFY_MULTIPLIER * queue;
}

/* --- Configuration space, with the host bridge's lock held. --- */

static bool overlaps(unsigned int reg, unsigned int size, unsigned int start, unsigned int length)
{
	return reg < start + length && start < reg + size;
}

/* VIRTIO 1.2 4.1.4.9: an access of 1, 2 or 4 aligned bytes inside the BAR of our structures; the
 * driver may ask for anything else, which is then not done. */
static bool window_is_valid(
	const struct virtio_pci *pci, uint32_t *ret_offset, unsigned int *ret_size)
{
	uint32_t bar = pci_device_load(&pci->pci, pci->window + CAP_BAR, 1);
	uint32_t offset = pci_device_load(&pci->pci, pci->window + CAP_OFFSET, 4);
	uint32_t size = pci_device_load(&pci->pci, pci->window + CAP_LENGTH, 4);

	if (bar != VIRTIO_PCI_BAR || (size != 1 && size != 2 && size != 4) || offset % size ||
		offset >= VIRTIO_PCI_BAR_BYTES)
		return false;
	*ret_offset = offset;
	*ret_size = size;
	return true;
}

static uint32_t pci_read_config(struct pci_device *device, unsigned int reg, unsigned int size)
{
	struct virtio_pci *pci = container_of(device, struct virtio_pci, pci);
	unsigned int data = pci->window + CAP_MORE, length;
	uint32_t value, offset;

	if (overlaps(reg, size, data, 4) && window_is_valid(pci, &offset, &length)) {
		value = (uint32_t)virtio_pci_bar_read(pci, offset, length);
		pci_device_store(device, data, length, value);
	}
	/* PCI 3.0 6.2.3: the state of the interrupt, whether or not INTx may be asserted. */
	if (overlaps(reg, size, REG_STATUS, 2)) {
		value = pci_device_load(device, REG_STATUS, 2) & ~STATUS_INTERRUPT;
		if (pci->wiring.irq.ops && !msix_is_enabled(&pci->msix) &&
			virtio_isr_bits(&pci->isr))
			value |= STATUS_INTERRUPT;
		pci_device_store(device, REG_STATUS, 2, value);
	}
	return pci_device_load(device, reg, size);
}

static void update_intx(struct virtio_pci *pci)
{
	uint32_t command = pci_device_load(&pci->pci, REG_COMMAND, 2);

	virtio_isr_gate(
		&pci->isr, msix_is_enabled(&pci->msix) || (command & COMMAND_INTX_OFF) != 0);
}

static void pci_write_config(
	struct pci_device *device, unsigned int reg, unsigned int size, uint32_t value)
{
	struct virtio_pci *pci = container_of(device, struct virtio_pci, pci);
	unsigned int data = pci->window + CAP_MORE, length;
	uint32_t offset;
	bool was_enabled;

	was_enabled = msix_is_enabled(&pci->msix);
	pci_device_store_guest(device, reg, size, value);
	msix_config_written(&pci->msix, reg, size);
	update_intx(pci);
	if (msix_is_enabled(&pci->msix) != was_enabled)
		virtio_device_notifier_changed(pci->device);
	if (overlaps(reg, size, data, 4) && window_is_valid(pci, &offset, &length))
		virtio_pci_bar_write(pci, offset, length, pci_device_load(device, data, length));
}

static void pci_bar_changed(struct pci_device *device, unsigned int index)
{
	struct virtio_pci *pci = container_of(device, struct virtio_pci, pci);

	if (pci->wiring.bar_changed)
		pci->wiring.bar_changed(pci->wiring.owner, pci, index);
}

static void pci_reset(struct pci_device *device)
{
	struct virtio_pci *pci = container_of(device, struct virtio_pci, pci);

	virtio_device_reset(pci->device);
	virtio_pci_reset_registers(pci);
	msix_reset(&pci->msix);
	update_intx(pci);
}

static const struct pci_device_ops virtio_pci_ops = {
	.read_config = pci_read_config,
	.write_config = pci_write_config,
	.bar_changed = pci_bar_changed,
	.reset = pci_reset,
};

/* --- The device's way to the driver; any thread. --- */

static void pci_used_buffer(void *transport, unsigned int queue)
{
	struct virtio_pci *pci = transport;

	if (msix_is_enabled(&pci->msix))
		msix_fire(&pci->msix, atomic_load(&pci->queue_vectors[queue]));
	else
		virtio_isr_raise(&pci->isr, VIRTIO_ISR_QUEUE);
}

static int pci_used_buffer_fd(void *transport, unsigned int queue)
{
	const struct virtio_pci *pci = transport;

	return msix_is_enabled(&pci->msix)
	               ? msix_descriptor(&pci->msix, atomic_load(&pci->queue_vectors[queue]))
	               : -1;
}

static void pci_configuration_changed(void *transport)
{
	struct virtio_pci *pci = transport;

	/* 4.1.4.5.1: this bit is set with MSI-X, too. */
	virtio_isr_raise(&pci->isr, VIRTIO_ISR_CONFIGURATION);
	if (msix_is_enabled(&pci->msix))
		msix_fire(&pci->msix, atomic_load(&pci->config_vector));
}

/* --- Putting it together. --- */

/* PCI Code and ID Assignment 1.11, as far as there is a class for what the device does. */
static uint32_t class_of(uint32_t device_id)
{
	static const struct {
		uint32_t device_id, class_code;
	} classes[] = {
		{VIRTIO_ID_BLOCK, 0x018000},   /* mass storage, other */
		{VIRTIO_ID_CONSOLE, 0x078000}, /* communication, other */
		{VIRTIO_ID_ENTROPY, 0x108000}, /* encryption, other */
	};

	for (size_t i = 0; i < array_size(classes); i++)
		if (classes[i].device_id == device_id)
			return classes[i].class_code;
	return CLASS_OTHER;
}

static int add_structure(struct virtio_pci *pci, unsigned int type, unsigned int more_bytes,
	uint32_t offset, uint32_t length, unsigned int *ret_capability)
{
	unsigned int size = CAPABILITY_BYTES + more_bytes, capability;
	int r = pci_device_add_capability(&pci->pci, CAPABILITY_VENDOR, size, &capability);

	if (r < 0)
		return r;
	pci_device_store(&pci->pci, capability + CAP_LENGTH_OF_IT, 1, size);
	pci_device_store(&pci->pci, capability + CAP_TYPE, 1, type);
	pci_device_store(&pci->pci, capability + CAP_BAR, 1, VIRTIO_PCI_BAR);
	pci_device_store(&pci->pci, capability + CAP_OFFSET, 4, offset);
	pci_device_store(&pci->pci, capability + CAP_LENGTH, 4, length);
	*ret_capability = capability;
	return 0;
}

static int add_window(struct virtio_pci *pci)
{
	int r = add_structure(pci, CFG_PCI, 4, 0, 0, &pci->window);

	if (r < 0)
		return r;
	pci_device_set_writable(&pci->pci, pci->window + CAP_BAR, 1, UINT8_MAX);
	pci_device_set_writable(&pci->pci, pci->window + CAP_OFFSET, 4, UINT32_MAX);
	pci_device_set_writable(&pci->pci, pci->window + CAP_LENGTH, 4, UINT32_MAX);
	pci_device_set_writable(&pci->pci, pci->window + CAP_MORE, 4, UINT32_MAX);
	return 0;
}

static int add_structures(struct virtio_pci *pci)
{
	const struct virtio_device *device = pci->device;
	uint32_t notify_bytes = NOTIFY_MULTIPLIER * device->queue_count;
	unsigned int capability;
	int r;

	r = add_structure(pci, CFG_COMMON, 0, COMMON_OFFSET, VIRTIO_PCI_COMMON_BYTES, &capability);
	if (r == 0)
		r = add_structure(pci, CFG_ISR, 0, ISR_OFFSET, 1, &capability);
	/* 4.1.4.6.1: only for devices that have such a structure. */
	if (r == 0 && device->config_bytes)
		r = add_structure(
			pci, CFG_DEVICE, 0, DEVICE_OFFSET, device->config_bytes, &capability);
	if (r == 0)
		r = add_structure(pci, CFG_NOTIFY, 4, NOTIFY_OFFSET, notify_bytes, &capability);
	if (r < 0)
		return r;
	pci_device_store(&pci->pci, capability + CAP_MORE, 4, NOTIFY_MULTIPLIER);
	return add_window(pci);
}

static int add_bars(struct virtio_pci *pci)
{
	int r = pci_device_add_bar(
		&pci->pci, VIRTIO_PCI_BAR, PCI_BAR_MEMORY64, false, VIRTIO_PCI_BAR_BYTES);

	if (r < 0)
		return r;
	return pci_device_add_bar(
		&pci->pci, VIRTIO_PCI_MSIX_BAR, PCI_BAR_MEMORY64, false, VIRTIO_PCI_MSIX_BAR_BYTES);
}

static int add_parts(struct virtio_pci *pci)
{
	const unsigned int wanted = pci->device->queue_count + 1, most = pci->wiring.vectors_max;
	struct msix_layout layout = {
		.vector_count = most && most < wanted ? most : wanted,
		.table_bar = VIRTIO_PCI_MSIX_BAR,
		.pending_bar = VIRTIO_PCI_MSIX_BAR,
		.pending_offset = PENDING_OFFSET,
	};
	int r = add_bars(pci);

	if (r == 0)
		r = add_structures(pci);
	return r < 0 ? r : msix_init(&pci->msix, &pci->pci, &layout, &pci->wiring.msi);
}

int virtio_pci_init(struct virtio_pci *pci, struct virtio_device *device,
	const struct virtio_pci_wiring *wiring, struct err *err)
{
	struct pci_identity identity = {
		.vendor_id = VENDOR_ID,
		.device_id = (uint16_t)(DEVICE_ID_BASE + device->device_id),
		.subsystem_vendor_id = VENDOR_ID,
		.subsystem_id = (uint16_t)(SUBSYSTEM_BASE + device->device_id),
		.class_code = class_of(device->device_id),
		.revision = REVISION,
		.interrupt_pin = wiring->irq.ops ? 1 : 0,
	};
	int r;

	if (device->config_bytes > PAGE_BYTES || device->queue_count > VIRTIO_QUEUES_MAX)
		return err_set(err, EINVAL, "%s: too large for virtio-pci", device->name);
	*pci = (struct virtio_pci){.device = device, .wiring = *wiring};
	pci_device_init(&pci->pci, &virtio_pci_ops, &identity);
	r = add_parts(pci);
	if (r < 0)
		return err_set_errno(
			err, -r, "%s: no room in PCI configuration space", device->name);
	virtio_isr_init(&pci->isr, &wiring->irq, false);
	virtio_pci_reset_registers(pci);
	/* The queue is in the address, so a notification may carry more than its index. */
	device->transport_features = UINT64_C(1) << VIRTIO_F_NOTIFICATION_DATA;
	device->notifier = (struct virtio_notifier){
		.used_buffer = pci_used_buffer,
		.configuration_changed = pci_configuration_changed,
		.used_buffer_fd = pci_used_buffer_fd,
		.transport = pci,
	};
	return 0;
}

void virtio_pci_fini(struct virtio_pci *pci)
{
	virtio_isr_fini(&pci->isr);
	msix_fini(&pci->msix);
}
