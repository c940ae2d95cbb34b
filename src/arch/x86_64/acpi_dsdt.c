/*
 * See acpi_dsdt.h. Implements ACPI 6.5 chapters 6, 8.4 and 20 and PCI Firmware 3.3 4.1.2, 4.5.
 *
 * Processors are devices ACPI0007 without methods: 30 bytes each, so 1024 of them fit with the MADT
 * into the 64 KiB that the layout has for tables. The guest ties each to its MADT entry by _UID.
 */
#include "acpi_dsdt.h"

#include "aml.h"
#include "compiler.h"
#include "layout.h"

#include <stdio.h>

#define STATUS_ENABLED_HIDDEN 0x0b /* _STA: present, enabled, functioning, not shown to users */

#define PCI_SLOTS    32
#define PCI_PINS     4
#define PCI_ANY_FUNC 0xffff /* the low half of an _ADR: all functions of the device */

/* _OSC (PCI Firmware 3.3 4.5.1). There are no hot-plug slots and no error reporting behind this
 * bridge, so neither is handed over; the rest is the guest's. */
#define OSC_FAILURE_UUID     0x04
#define OSC_FAILURE_REVISION 0x08
#define OSC_MASKED           0x10
#define OSC_CONTROL_PME      0x04
#define OSC_CONTROL_PCIE     0x10
#define OSC_CONTROL_GRANTED  (OSC_CONTROL_PME | OSC_CONTROL_PCIE)

struct unit_name {
	char text[5];
};

static struct unit_name unit_name(char letter, unsigned int number)
{
	struct unit_name name;

	(void)snprintf(name.text, sizeof(name.text), "%c%03X", letter, number & 0xfff);
	return name;
}

static void add_sleep_states(struct blob *aml)
{
	size_t package;

	aml_name(aml, "\\_S5");
	package = aml_package_begin(aml, 4);
	aml_integer(aml, SLEEP_TYPE_S5); /* for PM1a_CNT */
	aml_integer(aml, SLEEP_TYPE_S5); /* for PM1b_CNT, which does not exist */
	aml_integer(aml, 0);
	aml_integer(aml, 0);
	aml_end(aml, package);
}

static void add_processors(struct blob *aml, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		size_t device = aml_device_begin(aml, unit_name('C', i).text);

		aml_name_hardware_id(aml, "_HID", "ACPI0007");
		aml_name_integer(aml, "_UID", i);
		aml_end(aml, device);
	}
}

/* Kinds that are a range of ports or memory and perhaps an interrupt; the others need no object. */
static const struct port_device {
	const char *hardware_id;
	char letter;
	bool interrupt;
	bool hidden;
	bool memory; /* not ports; its interrupt is level-triggered */
} port_devices[] = {
	[BOARD_UART_16550] = {"PNP0501", 'U', true, false, false},
	[BOARD_RTC_CMOS] = {"PNP0B00", 'R', true, false, false},
	[BOARD_PVPANIC] = {"QEMU0001", 'P', false, true, false},
	[BOARD_VIRTIO_MMIO] = {"LNRO0005", 'V', true, false, true},
};

static void add_port_device(struct blob *aml, const struct board_device *device,
	const struct port_device *kind, unsigned int unit)
{
	size_t object = aml_device_begin(aml, unit_name(kind->letter, unit).text);
	size_t resources;

	aml_name_hardware_id(aml, "_HID", kind->hardware_id);
	aml_name_integer(aml, "_UID", unit);
	if (kind->hidden)
		aml_name_integer(aml, "_STA", STATUS_ENABLED_HIDDEN);
	aml_name(aml, "_CRS");
	resources = aml_resources_begin(aml);
	if (kind->memory)
		aml_resource_memory32(aml, (uint32_t)device->base, (uint32_t)device->size);
	else
		aml_resource_io(aml, (uint16_t)device->base, (uint8_t)device->size);
	if (kind->interrupt)
		aml_resource_interrupt(aml, device->irq, kind->memory);
	aml_resources_end(aml, resources);
	aml_end(aml, object);
}

static void add_port_devices(struct blob *aml, const struct board *board)
{
	unsigned int units[array_size(port_devices)] = {0};

	for (unsigned int i = 0; i < board->device_count; i++) {
		const struct board_device *device = &board->devices[i];

		if (device->kind >= array_size(port_devices) ||
			!port_devices[device->kind].hardware_id)
			continue;
		add_port_device(aml, device, &port_devices[device->kind], units[device->kind]++);
	}
}

/* Without this reservation operating systems do not believe the MCFG (PCI Firmware 3.3 4.1.2). */
static void add_ecam_reservation(struct blob *aml, const struct board_pci *pci)
{
	uint64_t size = pci->bus_count * PCI_ECAM_BUS_BYTES;
	size_t device = aml_device_begin(aml, "MBRD");
	size_t resources;

	aml_name_hardware_id(aml, "_HID", "PNP0C02");
	aml_name_integer(aml, "_UID", 0);
	aml_name(aml, "_CRS");
	resources = aml_resources_begin(aml);
	if (pci->ecam_base + size <= 4 * GIB)
		aml_resource_memory32(aml, (uint32_t)pci->ecam_base, (uint32_t)size);
	else
		aml_resource_memory64(aml, pci->ecam_base, size);
	aml_resources_end(aml, resources);
	aml_end(aml, device);
}

static void add_bridge_windows(struct blob *aml, const struct board_pci *pci)
{
	size_t resources;

	aml_name(aml, "_CRS");
	resources = aml_resources_begin(aml);
	aml_resource_bus_numbers(aml, 0, (uint16_t)pci->bus_count);
	if (pci->window32_size)
		aml_resource_window32(
			aml, (uint32_t)pci->window32_base, (uint32_t)pci->window32_size);
	if (pci->window64_size)
		aml_resource_window64(aml, pci->window64_base, pci->window64_size);
	aml_resources_end(aml, resources);
}

/* _PRT (ACPI 6.5 6.2.13): a GSI for each pin of each slot, without link devices. */
static void add_interrupt_routes(struct blob *aml, const unsigned int intx_irqs[PCI_PINS])
{
	size_t routes;

	aml_name(aml, "_PRT");
	routes = aml_package_begin(aml, PCI_SLOTS * PCI_PINS);
	for (unsigned int slot = 0; slot < PCI_SLOTS; slot++) {
		for (unsigned int pin = 0; pin < PCI_PINS; pin++) {
			size_t route = aml_package_begin(aml, 4);

			aml_integer(aml, slot << 16 | PCI_ANY_FUNC);
			aml_integer(aml, pin);
			aml_integer(aml, 0); /* source: none, the next is a GSI */
			aml_integer(aml, intx_irqs[(slot + pin) % PCI_PINS]);
			aml_end(aml, route);
		}
	}
	aml_end(aml, routes);
}

/* CDW1 |= bits: the status word of _OSC. */
static void add_osc_status(struct blob *aml, uint8_t bits)
{
	aml_op(aml, AML_OR);
	aml_path(aml, "CDW1");
	aml_integer(aml, bits);
	aml_path(aml, "CDW1");
}

/* Arg3's dword at offset by a name. */
static void add_osc_field(struct blob *aml, uint8_t offset, const char *name)
{
	aml_op(aml, AML_CREATE_DWORD_FIELD);
	aml_argument(aml, 3);
	aml_integer(aml, offset);
	aml_path(aml, name);
}

/* The branch for the UUID of PCI host bridges: clear what is not granted and say so. */
static void add_osc_negotiation(struct blob *aml)
{
	size_t block;

	add_osc_field(aml, 8, "CDW3");
	block = aml_if_begin(aml);
	aml_op(aml, AML_LNOT);
	aml_op(aml, AML_LEQUAL);
	aml_argument(aml, 1);
	aml_integer(aml, 1);
	add_osc_status(aml, OSC_FAILURE_REVISION);
	aml_end(aml, block);

	aml_op(aml, AML_AND);
	aml_path(aml, "CDW3");
	aml_integer(aml, OSC_CONTROL_GRANTED);
	aml_local(aml, 0);
	block = aml_if_begin(aml);
	aml_op(aml, AML_LNOT);
	aml_op(aml, AML_LEQUAL);
	aml_local(aml, 0);
	aml_path(aml, "CDW3");
	add_osc_status(aml, OSC_MASKED);
	aml_end(aml, block);
	aml_op(aml, AML_STORE);
	aml_local(aml, 0);
	aml_path(aml, "CDW3");
}

static void add_osc(struct blob *aml)
{
	/* 33db4d5b-1ff7-401c-9657-7441c03dd766 in the byte order of ToUUID (ACPI 6.5 19.6.142). */
	static const uint8_t host_bridge_uuid[16] = {0x5b, 0x4d, 0xdb, 0x33, 0xf7, 0x1f, 0x1c, 0x40,
		0x96, 0x57, 0x74, 0x41, 0xc0, 0x3d, 0xd7, 0x66};
	size_t method = aml_method_begin(aml, "_OSC", 4);
	size_t block;

	add_osc_field(aml, 0, "CDW1");
	block = aml_if_begin(aml);
	aml_op(aml, AML_LEQUAL);
	aml_argument(aml, 0);
	aml_buffer(aml, host_bridge_uuid, sizeof(host_bridge_uuid));
	add_osc_negotiation(aml);
	aml_end(aml, block);
	block = aml_else_begin(aml);
	add_osc_status(aml, OSC_FAILURE_UUID);
	aml_end(aml, block);
	aml_op(aml, AML_RETURN);
	aml_argument(aml, 3);
	aml_end(aml, method);
}

static void add_host_bridge(struct blob *aml, const struct board_pci *pci)
{
	size_t bridge = aml_device_begin(aml, "PCI0");

	aml_name_hardware_id(aml, "_HID", "PNP0A08");
	aml_name_hardware_id(aml, "_CID", "PNP0A03");
	aml_name_integer(aml, "_SEG", 0);
	aml_name_integer(aml, "_BBN", 0);
	aml_name_integer(aml, "_UID", 0);
	add_bridge_windows(aml, pci);
	add_interrupt_routes(aml, pci->intx_irqs);
	add_osc(aml);
	aml_end(aml, bridge);
}

void acpi_dsdt_body(struct blob *aml, const struct board *board)
{
	size_t scope;

	add_sleep_states(aml);
	scope = aml_scope_begin(aml, "\\_SB");
	add_processors(aml, board->cpu_count);
	add_port_devices(aml, board);
	if (board->pci.present) {
		add_ecam_reservation(aml, &board->pci);
		add_host_bridge(aml, &board->pci);
	}
	aml_end(aml, scope);
}
