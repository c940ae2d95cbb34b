/* See tree.h. Addresses and sizes are two cells each; the names of bindings stand by their nodes.
 */
#include "tree.h"

#include "compiler.h"
#include "layout.h"
#include "tree_caches.h"
#include "tree_writer.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/input-event-codes.h>
#include <stdio.h>
#include <string.h>

/* A node that others refer to. */
enum { HANDLE_GIC = 1, HANDLE_MSI, HANDLE_CLOCK, HANDLE_GPIO, HANDLE_END };

_Static_assert((int)HANDLE_END <= TREE_CACHE_HANDLE, "caches have others");

/* arm,gic.yaml, arm,gic-v3.yaml: the three cells of an interrupt. */
#define INTERRUPT_SHARED     0
#define INTERRUPT_PRIVATE    1
#define INTERRUPT_LEVEL_HIGH 4

#define MPIDR_AFFINITY UINT64_C(0xff00ffffff)

/* pci-bus: the first of an address's three cells. */
#define PCI_SPACE_MEMORY32 0x02000000
#define PCI_SPACE_MEMORY64 0x43000000 /* prefetchable, as all large BARs are */
#define PCI_PINS           4
#define PCI_PIN_MASK       7
#define PCI_DEVICE_SHIFT   11
#define PCI_REQUESTERS     0x10000

#define UART_CLOCK_HZ 1843200
#define APB_CLOCK_HZ  24000000

static void add_interrupt(
	struct tree_cells *cells, uint32_t type, uint32_t number, uint32_t trigger)
{
	tree_cells_add(cells, type);
	tree_cells_add(cells, number);
	tree_cells_add(cells, trigger);
}

static void put_region(struct tree_writer *writer, uint64_t base, uint64_t bytes)
{
	struct tree_cells cells = {0};

	tree_cells_add64(&cells, base);
	tree_cells_add64(&cells, bytes);
	tree_list(writer, "reg", &cells);
}

static void put_line(struct tree_writer *writer, unsigned int gsi)
{
	struct tree_cells cells = {0};

	add_interrupt(&cells, INTERRUPT_SHARED, gsi, INTERRUPT_LEVEL_HIGH);
	tree_list(writer, "interrupts", &cells);
}

/* Two strings, the first more special than the second. */
static void put_two_strings(
	struct tree_writer *writer, const char *name, const char *first, const char *second)
{
	char both[64];
	const size_t length = strlen(first) + 1;

	memcpy(both, first, length);
	memcpy(both + length, second, strlen(second) + 1);
	tree_bytes(writer, name, both, length + strlen(second) + 1);
}

static const struct board_device *find_device(
	const struct board *board, enum board_device_kind kind)
{
	for (unsigned int i = 0; i < board->device_count; i++)
		if (board->devices[i].kind == kind)
			return &board->devices[i];
	return NULL;
}

static void put_chosen(struct tree_writer *writer, const struct tree_request *request)
{
	const struct board_device *uart = find_device(request->board, BOARD_UART_16550);

	tree_node(writer, "chosen");
	tree_string(writer, "bootargs", request->command_line);
	if (uart) {
		char path[32];

		(void)snprintf(path, sizeof(path), "/serial@%" PRIx64, uart->base);
		tree_string(writer, "stdout-path", path);
	}
	if (request->initrd_end > request->initrd_start) {
		tree_u64(writer, "linux,initrd-start", request->initrd_start);
		tree_u64(writer, "linux,initrd-end", request->initrd_end);
	}
	tree_u64(writer, "kaslr-seed", request->kaslr_seed);
	tree_bytes(writer, "rng-seed", request->rng_seed, sizeof(request->rng_seed));
	tree_node_end(writer);
}

static void put_memory(struct tree_writer *writer, const struct tree_request *request)
{
	tree_node_at(writer, "memory", request->memory_base);
	tree_string(writer, "device_type", "memory");
	put_region(writer, request->memory_base, request->memory_bytes);
	tree_node_end(writer);
}

/* arm/cpus.yaml */
static void put_cpus(struct tree_writer *writer, const struct tree_request *request)
{
	tree_node(writer, "cpus");
	tree_u32(writer, "#address-cells", 2);
	tree_u32(writer, "#size-cells", 0);
	for (unsigned int i = 0; i < request->board->cpu_count; i++) {
		const uint64_t address = request->mpidrs[i] & MPIDR_AFFINITY;

		tree_node_at(writer, "cpu", address);
		tree_string(writer, "device_type", "cpu");
		tree_string(writer, "compatible", "arm,armv8");
		tree_string(writer, "enable-method", "psci");
		tree_u64(writer, "reg", address);
		tree_caches_put_own(writer, request->clidr, i);
		tree_node_end(writer);
	}
	tree_caches_put_shared(writer, request->clidr);
	tree_node_end(writer);
}

/* arm/psci.yaml; KVM takes the calls. */
static void put_psci(struct tree_writer *writer)
{
	tree_node(writer, "psci");
	put_two_strings(writer, "compatible", "arm,psci-1.0", "arm,psci-0.2");
	tree_string(writer, "method", "hvc");
	tree_node_end(writer);
}

/* Version 2, of at most eight CPUs, wants a mask of them with a private interrupt. */
static uint32_t private_trigger(const struct tree_request *request)
{
	if (request->gic_version != 2)
		return INTERRUPT_LEVEL_HIGH;
	return INTERRUPT_LEVEL_HIGH | ((1u << request->board->cpu_count) - 1) << 8;
}

/* timer/arm,arch_timer.yaml */
static void put_timer(struct tree_writer *writer, const struct tree_request *request)
{
	static const uint32_t numbers[] = {
		PPI_TIMER_SECURE, PPI_TIMER_PHYSICAL, PPI_TIMER_VIRTUAL, PPI_TIMER_HYPERVISOR};
	struct tree_cells cells = {0};

	for (size_t i = 0; i < array_size(numbers); i++)
		add_interrupt(&cells, INTERRUPT_PRIVATE, numbers[i], private_trigger(request));
	tree_node(writer, "timer");
	tree_string(writer, "compatible", "arm,armv8-timer");
	tree_empty(writer, "always-on");
	tree_list(writer, "interrupts", &cells);
	tree_node_end(writer);
}

/* arm/pmu.yaml */
static void put_pmu(struct tree_writer *writer, const struct tree_request *request)
{
	struct tree_cells cells = {0};

	if (!request->has_pmu)
		return;
	add_interrupt(&cells, INTERRUPT_PRIVATE, PPI_PMU, private_trigger(request));
	tree_node(writer, "pmu");
	tree_string(writer, "compatible", "arm,armv8-pmuv3");
	tree_list(writer, "interrupts", &cells);
	tree_node_end(writer);
}

/* The child of the interrupt controller that takes messages. */
static void put_msi_controller(struct tree_writer *writer, const struct tree_request *request)
{
	if (request->gic_version == 2) {
		tree_node_at(writer, "v2m", GIC_V2M_BASE);
		tree_string(writer, "compatible", "arm,gic-v2m-frame");
		put_region(writer, GIC_V2M_BASE, GIC_V2M_BYTES);
		tree_u32(writer, "arm,msi-base-spi", SPI_FIRST + GSI_V2M);
		tree_u32(writer, "arm,msi-num-spis", GSI_V2M_COUNT);
	} else if (request->has_its) {
		tree_node_at(writer, "msi-controller", GIC_ITS_BASE);
		tree_string(writer, "compatible", "arm,gic-v3-its");
		put_region(writer, GIC_ITS_BASE, GIC_ITS_BYTES);
		tree_u32(writer, "#msi-cells", 1);
	} else {
		return;
	}
	tree_empty(writer, "msi-controller");
	tree_u32(writer, "phandle", HANDLE_MSI);
	tree_node_end(writer);
}

/* interrupt-controller/arm,gic.yaml and arm,gic-v3.yaml */
static void put_gic(struct tree_writer *writer, const struct tree_request *request)
{
	struct tree_cells cells = {0};

	tree_cells_add64(&cells, GIC_DISTRIBUTOR_BASE);
	if (request->gic_version == 2) {
		tree_cells_add64(&cells, GIC_V2_DISTRIBUTOR_BYTES);
		tree_cells_add64(&cells, GIC_CPU_INTERFACE_BASE);
		tree_cells_add64(&cells, GIC_CPU_INTERFACE_BYTES);
	} else {
		tree_cells_add64(&cells, GIC_V3_DISTRIBUTOR_BYTES);
		tree_cells_add64(&cells, GIC_REDISTRIBUTORS_BASE);
		tree_cells_add64(&cells, request->board->cpu_count * GIC_REDISTRIBUTOR_BYTES);
	}
	tree_node_at(writer, "interrupt-controller", GIC_DISTRIBUTOR_BASE);
	tree_string(writer, "compatible",
		request->gic_version == 2 ? "arm,cortex-a15-gic" : "arm,gic-v3");
	tree_list(writer, "reg", &cells);
	tree_empty(writer, "interrupt-controller");
	tree_u32(writer, "#interrupt-cells", 3);
	tree_u32(writer, "#address-cells", 2);
	tree_u32(writer, "#size-cells", 2);
	tree_empty(writer, "ranges");
	tree_u32(writer, "phandle", HANDLE_GIC);
	put_msi_controller(writer, request);
	tree_node_end(writer);
}

/* clock/fixed-clock.yaml: what bindings of ARM's peripherals ask for; nothing depends on it. */
static void put_clock(struct tree_writer *writer)
{
	tree_node(writer, "apb-pclk");
	tree_string(writer, "compatible", "fixed-clock");
	tree_u32(writer, "#clock-cells", 0);
	tree_u32(writer, "clock-frequency", APB_CLOCK_HZ);
	tree_string(writer, "clock-output-names", "apb-pclk");
	tree_u32(writer, "phandle", HANDLE_CLOCK);
	tree_node_end(writer);
}

/* serial/8250.yaml */
static void put_uart(struct tree_writer *writer, const struct board_device *device)
{
	tree_node_at(writer, "serial", device->base);
	tree_string(writer, "compatible", "ns16550a");
	put_region(writer, device->base, device->size);
	put_line(writer, device->irq);
	tree_u32(writer, "clock-frequency", UART_CLOCK_HZ);
	tree_u32(writer, "reg-shift", 0);
	tree_u32(writer, "reg-io-width", 1);
	tree_node_end(writer);
}

/* rtc/arm,pl031.yaml */
static void put_rtc(struct tree_writer *writer, const struct board_device *device)
{
	tree_node_at(writer, "rtc", device->base);
	put_two_strings(writer, "compatible", "arm,pl031", "arm,primecell");
	put_region(writer, device->base, device->size);
	put_line(writer, device->irq);
	tree_u32(writer, "clocks", HANDLE_CLOCK);
	tree_string(writer, "clock-names", "apb_pclk");
	tree_node_end(writer);
}

/* gpio/pl061-gpio.yaml, input/gpio-keys.yaml */
static void put_gpio(struct tree_writer *writer, const struct board_device *device)
{
	struct tree_cells key = {0};

	tree_node_at(writer, "gpio", device->base);
	put_two_strings(writer, "compatible", "arm,pl061", "arm,primecell");
	put_region(writer, device->base, device->size);
	put_line(writer, device->irq);
	tree_u32(writer, "clocks", HANDLE_CLOCK);
	tree_string(writer, "clock-names", "apb_pclk");
	tree_empty(writer, "gpio-controller");
	tree_u32(writer, "#gpio-cells", 2);
	tree_empty(writer, "interrupt-controller");
	tree_u32(writer, "#interrupt-cells", 2);
	tree_u32(writer, "#address-cells", 0); /* not the binding's: dtc wants it */
	tree_u32(writer, "phandle", HANDLE_GPIO);
	tree_node_end(writer);
	tree_node(writer, "gpio-keys");
	tree_string(writer, "compatible", "gpio-keys");
	tree_node(writer, "key-power");
	tree_string(writer, "label", "Power");
	tree_u32(writer, "linux,code", KEY_POWER);
	tree_cells_add(&key, HANDLE_GPIO);
	tree_cells_add(&key, BOARD_POWER_KEY_LINE);
	tree_cells_add(&key, 0); /* active high */
	tree_list(writer, "gpios", &key);
	tree_node_end(writer);
	tree_node_end(writer);
}

/* misc/pvpanic-mmio.txt */
static void put_pvpanic(struct tree_writer *writer, const struct board_device *device)
{
	tree_node_at(writer, "pvpanic", device->base);
	tree_string(writer, "compatible", "qemu,pvpanic-mmio");
	put_region(writer, device->base, device->size);
	tree_node_end(writer);
}

/* virtio/mmio.yaml */
static void put_virtio(struct tree_writer *writer, const struct board_device *device)
{
	tree_node_at(writer, "virtio_mmio", device->base);
	tree_string(writer, "compatible", "virtio,mmio");
	put_region(writer, device->base, device->size);
	put_line(writer, device->irq);
	tree_empty(writer, "dma-coherent");
	tree_node_end(writer);
}

static void put_devices(struct tree_writer *writer, const struct board *board)
{
	static const struct {
		enum board_device_kind kind;
		void (*put)(struct tree_writer *writer, const struct board_device *device);
	} kinds[] = {
		{BOARD_UART_16550, put_uart},
		{BOARD_RTC_PL031, put_rtc},
		{BOARD_GPIO_PL061, put_gpio},
		{BOARD_PVPANIC, put_pvpanic},
		{BOARD_VIRTIO_MMIO, put_virtio},
	};

	for (unsigned int i = 0; i < board->device_count; i++)
		for (size_t k = 0; k < array_size(kinds); k++)
			if (board->devices[i].kind == kinds[k].kind)
				kinds[k].put(writer, &board->devices[i]);
}

static void add_window(struct tree_cells *cells, uint32_t space, uint64_t base, uint64_t bytes)
{
	if (!bytes)
		return;
	tree_cells_add(cells, space);
	tree_cells_add64(cells, base); /* on the bus */
	tree_cells_add64(cells, base); /* and in memory */
	tree_cells_add64(cells, bytes);
}

/* Device number and pin select one of four lines, in turn. */
static void put_pci_lines(struct tree_writer *writer, const struct board_pci *pci)
{
	struct tree_cells map = {0}, mask = {0};

	tree_cells_add(&mask, (PCI_PINS - 1) << PCI_DEVICE_SHIFT);
	tree_cells_add64(&mask, 0);
	tree_cells_add(&mask, PCI_PIN_MASK);
	tree_list(writer, "interrupt-map-mask", &mask);
	for (uint32_t device = 0; device < PCI_PINS; device++) {
		for (uint32_t pin = 0; pin < PCI_PINS; pin++) {
			tree_cells_add(&map, device << PCI_DEVICE_SHIFT);
			tree_cells_add64(&map, 0);
			tree_cells_add(&map, pin + 1);
			tree_cells_add(&map, HANDLE_GIC);
			tree_cells_add64(&map, 0);
			add_interrupt(&map, INTERRUPT_SHARED,
				pci->intx_irqs[(device + pin) % PCI_PINS], INTERRUPT_LEVEL_HIGH);
		}
	}
	tree_list(writer, "interrupt-map", &map);
}

/* Who sends a message shows by the requester id, as it is. */
static void put_pci_messages(struct tree_writer *writer, const struct tree_request *request)
{
	struct tree_cells cells = {0};

	if (request->gic_version == 2) {
		tree_u32(writer, "msi-parent", HANDLE_MSI);
		return;
	}
	if (!request->has_its)
		return;
	tree_cells_add(&cells, 0);
	tree_cells_add(&cells, HANDLE_MSI);
	tree_cells_add(&cells, 0);
	tree_cells_add(&cells, PCI_REQUESTERS);
	tree_list(writer, "msi-map", &cells);
}

/* pci/host-generic-pci.yaml */
static void put_pci(struct tree_writer *writer, const struct tree_request *request)
{
	const struct board_pci *pci = &request->board->pci;
	struct tree_cells buses = {0}, windows = {0};

	if (!pci->present)
		return;
	tree_cells_add(&buses, 0);
	tree_cells_add(&buses, pci->bus_count - 1);
	add_window(&windows, PCI_SPACE_MEMORY32, pci->window32_base, pci->window32_size);
	add_window(&windows, PCI_SPACE_MEMORY64, pci->window64_base, pci->window64_size);
	tree_node_at(writer, "pcie", pci->ecam_base);
	tree_string(writer, "compatible", "pci-host-ecam-generic");
	tree_string(writer, "device_type", "pci");
	put_region(writer, pci->ecam_base, pci->bus_count * MIB);
	tree_list(writer, "bus-range", &buses);
	tree_u32(writer, "linux,pci-domain", 0);
	tree_u32(writer, "#address-cells", 3);
	tree_u32(writer, "#size-cells", 2);
	tree_u32(writer, "#interrupt-cells", 1);
	tree_list(writer, "ranges", &windows);
	put_pci_lines(writer, pci);
	put_pci_messages(writer, request);
	tree_empty(writer, "dma-coherent");
	tree_node_end(writer);
}

static void put_root(struct tree_writer *writer, const struct tree_request *request)
{
	tree_node(writer, "");
	tree_string(writer, "compatible", "linux,dummy-virt");
	tree_string(writer, "model", "Hull");
	tree_u32(writer, "#address-cells", 2);
	tree_u32(writer, "#size-cells", 2);
	tree_u32(writer, "interrupt-parent", HANDLE_GIC);
	put_chosen(writer, request);
	put_memory(writer, request);
	put_cpus(writer, request);
	put_psci(writer);
	put_timer(writer, request);
	put_pmu(writer, request);
	put_gic(writer, request);
	put_clock(writer);
	put_devices(writer, request->board);
	put_pci(writer, request);
	tree_node_end(writer);
}

int tree_build(const struct tree_request *request, void *buffer, size_t capacity,
	size_t *ret_length, struct err *err)
{
	struct tree_writer writer;
	int length;

	tree_writer_begin(&writer, buffer, capacity);
	put_root(&writer, request);
	length = tree_writer_end(&writer);
	if (length < 0)
		return err_set(err, E2BIG, "the device tree does not fit into %zu bytes", capacity);
	*ret_length = (size_t)length;
	return 0;
}
