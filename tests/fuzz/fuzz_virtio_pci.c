/* Any sequence of accesses to a virtio-pci function: configuration space with the window, common
 * configuration and the rest of its BAR, MSI-X table and pending bits. */
#include "fake_msi.h"
#include "fuzz_virtio.h"
#include "virtio_pci.h"

#define SLOT 4

static struct virtio_pci pci;
static struct pci_host host;
static struct fuzz_line line;
static struct fake_msi msi;

/* The function's own part of ECAM; most of what matters is in its first 256 bytes. */
static uint64_t slot_read(void *owner, uint64_t offset, unsigned int size)
{
	return pci_host_ecam_bus_ops.read(owner, SLOT << 15 | offset, size);
}

static void slot_write(void *owner, uint64_t offset, unsigned int size, uint64_t value)
{
	pci_host_ecam_bus_ops.write(owner, SLOT << 15 | offset, size, value);
}

static const struct bus_ops slot_ops = {slot_read, slot_write};

static void write_common(uint64_t offset, unsigned int size, uint64_t value)
{
	virtio_pci_bar_bus_ops.write(&pci, offset, size, value);
}

/* VIRTIO 1.2 4.1.4.3: 8 and 12: features; 20: status; 22: select; 26: vector; 28: enable; 32: areas
 */
static void drive(unsigned int queues)
{
	write_common(20, 1, 0);
	write_common(20, 1, 3);
	write_common(8, 4, 1);
	write_common(12, 4, 0x141); /* VERSION_1, NOTIFICATION_DATA, RING_RESET */
	write_common(20, 1, 11);
	write_common(16, 2, 0);
	for (unsigned int i = 0; i < FAKE_QUEUES; i++) {
		if (!(queues >> i & 1))
			continue;
		write_common(22, 2, i);
		write_common(26, 2, i + 1);
		for (uint32_t area = 0; area < 3; area++)
			write_common(32 + 8 * area, 8, fake_area(i, (enum virtio_queue_area)area));
		write_common(28, 2, 1);
	}
}

/* Messages leave unmasked vectors only, and nothing stays pending there. */
static void require_sane_vectors(void)
{
	uint64_t pending = virtio_pci_msix_bus_ops.read(&pci, 0x800, 8);

	for (unsigned int i = 0; i <= FAKE_QUEUES; i++) {
		bool masked = virtio_pci_msix_bus_ops.read(&pci, 16 * i + 12, 4) & 1;

		fuzz_require(!(msi.vectors[i].unmasked && (masked || !msix_is_enabled(&pci.msix))));
		fuzz_require(!(msi.vectors[i].unmasked && (pending >> i & 1)));
	}
	fuzz_require(!line.level || !msix_is_enabled(&pci.msix));
}

static void step_of_transport(struct script *script, unsigned int opcode)
{
	switch (opcode % 16) {
	case 5:
		pci_host_reset(&host);
		break;
	case 6:
	case 7:
	case 8:
		script_access(script, &virtio_pci_msix_bus_ops, &pci, VIRTIO_PCI_MSIX_BAR_BYTES);
		break;
	case 9:
	case 10:
		script_access(script, &slot_ops, &host, opcode & 0x80 ? 0x1000 : 0x100);
		break;
	case 11:
	case 12:
		script_access(script, &virtio_pci_bar_bus_ops, &pci, 64);
		break;
	default:
		script_access(script, &virtio_pci_bar_bus_ops, &pci, VIRTIO_PCI_BAR_BYTES);
		break;
	}
}

static void step(struct script *script)
{
	const unsigned int opcode = (unsigned int)script_take(script, 1);

	if (!script_common_step(opcode, drive))
		step_of_transport(script, opcode);
	require_sane();
	require_sane_vectors();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script script = {data, size};
	struct virtio_pci_wiring wiring = {
		.irq = {.ops = &fuzz_line_ops, .controller = &line}, .msi = fake_msi_sink(&msi)};

	line.level = false;
	memset(&msi, 0, sizeof(msi));
	fake_device_init();
	fuzz_require(virtio_pci_init(&pci, &fake_device.device, &wiring, NULL) == 0);
	pci_host_init(&host, NULL, NULL);
	fuzz_require(pci_host_attach(&host, SLOT, 0, &pci.pci, NULL) == 0);
	while (script.left)
		step(&script);
	virtio_device_fini(&fake_device.device);
	virtio_pci_fini(&pci);
	pci_host_fini(&host);
	fuzz_require(fake_io_attached() == 0);
	return 0;
}
