/*
 * PCI: BARs that move, the window in configuration space (VIRTIO 1.2 4.1.4.9; PCI 3.0 6.2.5). Each
 * case puts back what it moved.
 */
#include "cases.h"

#include "board.h"
#include "mmio.h"
#include "places.h"

#define WINDOW_BAR    4
#define WINDOW_OFFSET 8
#define WINDOW_LENGTH 12
#define WINDOW_DATA   16
#define NEW_PLACE     (PLACE_PCI_WINDOW_END - (UINT64_C(16) << 20))

static uint64_t config(const struct scene *scene)
{
	return scene->device->function.config;
}

static unsigned int common_bar(const struct virtio *device)
{
	for (unsigned int i = 0; i < PCI_BARS; i++) {
		const struct pci_bar *bar = &device->bars[i];

		if (bar->address && device->common >= bar->address &&
			device->common < bar->address + bar->bytes)
			return i;
	}
	return 0;
}

/* The device's registers at another place, while it works; a: 0 to move, else decoding off. */
static void run_bar_move(struct scene *scene, const struct hostile_case *self)
{
	unsigned int index = common_bar(scene->device);
	const struct pci_bar *bar = &scene->device->bars[index];
	uint64_t there = NEW_PLACE + (scene->device->common - bar->address);

	(void)self;
	if (!board_map(NEW_PLACE, bar->bytes) || !scene_up(scene) || !scene_expect_good(scene))
		return;
	pci_bar_move(&scene->device->function, index, bar->wide, NEW_PLACE);
	report_expect(scene->report, mmio_read8(there + COMMON_DEVICE_STATUS) & STATUS_DRIVER_OK,
		"not at its new place");
	report_expect(scene->report, mmio_read32(scene->device->common) == 0xffffffff,
		"still at its old place");
	pci_bar_move(&scene->device->function, index, bar->wide, bar->address);
	(void)scene_expect_good(scene);
}

/* Requests sent at the new place. */
static void run_bar_move_notify(struct scene *scene, const struct hostile_case *self)
{
	unsigned int index = common_bar(scene->device);
	const struct pci_bar *bar = &scene->device->bars[index];
	struct virtio moved = *scene->device;
	struct virtio *original = scene->device;

	(void)self;
	if (!board_map(NEW_PLACE, bar->bytes) || !scene_up(scene))
		return;
	moved.common += NEW_PLACE - bar->address;
	moved.notify += NEW_PLACE - bar->address;
	moved.isr += NEW_PLACE - bar->address;
	pci_bar_move(&original->function, index, bar->wide, NEW_PLACE);
	scene->device = &moved;
	if (moved.notify >= NEW_PLACE && moved.notify < NEW_PLACE + bar->bytes)
		(void)scene_expect_good(scene);
	scene->device = original;
	pci_bar_move(&original->function, index, bar->wide, bar->address);
	(void)scene_expect_good(scene);
}

static void run_decoding_off(struct scene *scene, const struct hostile_case *self)
{
	uint16_t command = mmio_read16(config(scene) + PCI_COMMAND);

	(void)self;
	if (!scene_up(scene))
		return;
	mmio_write16(config(scene) + PCI_COMMAND, (uint16_t)(command & ~PCI_COMMAND_MEMORY));
	report_expect(scene->report, mmio_read32(scene->device->common) == 0xffffffff,
		"registers answer with decoding off");
	mmio_write8(scene->device->common + COMMON_DEVICE_STATUS, 0);
	mmio_write16(config(scene) + PCI_COMMAND, command);
	(void)scene_expect_good(scene);
}

/* A BAR on top of what is already there (a: address, or a place when b): that stays. */
static void run_bar_over(struct scene *scene, const struct hostile_case *self)
{
	unsigned int index = common_bar(scene->device);
	const struct pci_bar *bar = &scene->device->bars[index];
	uint64_t address = self->b ? scene_place(scene, (enum place)self->b) : self->a;
	volatile uint64_t *word = (volatile uint64_t *)(uintptr_t)stage.data;
	bool over_ram = self->b == AT_DATA;

	if (!scene_up(scene))
		return;
	address &= ~(bar->bytes - 1);
	*word = UINT64_C(0x0123456789abcdef);
	pci_bar_move(&scene->device->function, index, bar->wide, address);
	if (over_ram)
		report_expect(scene->report, *word == UINT64_C(0x0123456789abcdef),
			"RAM is gone: 0x%lx", *word);
	pci_bar_move(&scene->device->function, index, bar->wide, bar->address);
	report_expect(scene->report, *word == UINT64_C(0x0123456789abcdef), "RAM has changed");
	(void)scene_expect_good(scene);
}

/* Sized with decoding on, as some firmware does. */
static void run_bar_sizing(struct scene *scene, const struct hostile_case *self)
{
	const struct pci_function *function = &scene->device->function;

	(void)self;
	if (!scene_up(scene))
		return;
	for (unsigned int i = 0; i < PCI_BARS; i++) {
		uint64_t reg = function->config + PCI_BAR0 + i * UINT64_C(4);
		uint32_t before = mmio_read32(reg);

		mmio_write32(reg, 0xffffffff);
		(void)mmio_read32(reg);
		mmio_write32(reg, before);
		report_expect(scene->report, mmio_read32(reg) == before, "BAR %u is now 0x%x", i,
			mmio_read32(reg));
	}
	(void)scene_expect_good(scene);
}

/* Without bus mastering a device neither reads nor writes memory; on again, it works. */
static void run_no_master(struct scene *scene, const struct hostile_case *self)
{
	uint16_t command = mmio_read16(config(scene) + PCI_COMMAND);

	(void)self;
	mmio_write16(config(scene) + PCI_COMMAND, (uint16_t)(command & ~PCI_COMMAND_MASTER));
	if (scene_up(scene))
		virtio_notify(scene->device, 0);
	mmio_write16(config(scene) + PCI_COMMAND, command);
}

static void window_set(const struct scene *scene, uint8_t bar, uint32_t offset, uint32_t length)
{
	uint64_t window = config(scene) + scene->device->window_capability;

	mmio_write8(window + WINDOW_BAR, bar);
	mmio_write32(window + WINDOW_OFFSET, offset);
	mmio_write32(window + WINDOW_LENGTH, length);
}

/* 4.1.4.9: the status through the window is the status. */
static void run_window(struct scene *scene, const struct hostile_case *self)
{
	uint64_t window = config(scene) + scene->device->window_capability;
	unsigned int index = common_bar(scene->device);
	uint32_t offset = (uint32_t)(scene->device->common - scene->device->bars[index].address);
	uint8_t status;

	(void)self;
	if (!scene_up(scene))
		return;
	window_set(scene, (uint8_t)index, offset + COMMON_DEVICE_STATUS, 1);
	status = mmio_read8(window + WINDOW_DATA);
	report_expect(scene->report, status == scene->transport->status(scene->device),
		"reads 0x%x", status);
	window_set(scene, (uint8_t)index, offset + COMMON_NUM_QUEUES, 2);
	report_expect(scene->report,
		mmio_read16(window + WINDOW_DATA) ==
			mmio_read16(scene->device->common + COMMON_NUM_QUEUES),
		"num_queues reads %u", mmio_read16(window + WINDOW_DATA));
}

/* a: BAR, b: offset, c: length; none of it makes sense. */
static void run_window_wild(struct scene *scene, const struct hostile_case *self)
{
	uint64_t window = config(scene) + scene->device->window_capability;
	uint8_t bar = self->a == PCI_BARS ? (uint8_t)common_bar(scene->device) : (uint8_t)self->a;

	if (!scene_up(scene))
		return;
	window_set(scene, bar, (uint32_t)self->b, (uint32_t)self->c);
	for (unsigned int width = 1; width <= 4; width *= 2) {
		(void)mmio_read(window + WINDOW_DATA, width);
		mmio_write(window + WINDOW_DATA, width, 0xffffffff);
	}
	(void)mmio_read32(window + WINDOW_DATA + 2);
	(void)scene_expect_good(scene);
}

/* Functions that are not there. */
static void run_absent(struct scene *scene, const struct hostile_case *self)
{
	struct pci_function function;
	unsigned int position = 0, expected = 0;
	uint64_t absent = 0;

	(void)self;
	while (pci_next(&position, &function))
		expected++;
	for (uint64_t i = 0; i < 256; i++) {
		uint64_t address = pci_ecam() + i * 4096;

		if (mmio_read32(address) != 0xffffffff)
			continue;
		mmio_write32(address + PCI_COMMAND, 0xffffffff);
		mmio_write32(address + PCI_BAR0, 0);
		absent += mmio_read32(address + PCI_BAR0) == 0xffffffff;
	}
	report_note(scene->report, "%u there, %lu absent", expected, absent);
	report_expect(scene->report, expected && absent + expected >= 200, "too few are absent");
	if (scene_up(scene))
		(void)scene_expect_good(scene);
}

/* All capabilities are read-only but for the bits that are not. */
static void run_capabilities(struct scene *scene, const struct hostile_case *self)
{
	uint8_t at = 0;

	(void)self;
	if (!scene_up(scene))
		return;
	while ((at = pci_find_capability(&scene->device->function, PCI_CAPABILITY_VENDOR, at))) {
		uint64_t capability = config(scene) + at;
		uint32_t before = mmio_read32(capability);

		if (at == scene->device->window_capability)
			continue;
		for (unsigned int offset = 0; offset < 16; offset += 4) {
			uint32_t value = mmio_read32(capability + offset);

			mmio_write32(capability + offset, ~value);
			report_expect(scene->report, mmio_read32(capability + offset) == value,
				"0x%x + %u changed", at, offset);
		}
		if (mmio_read32(capability) != before)
			return;
	}
	(void)scene_expect_good(scene);
}

#define PCI(name, function, a, b, c)                    \
	{                                               \
		name, NEED_PCI, function, NULL, a, b, c \
	}
#define WINDOW(name, bar, offset, length)                                               \
	{                                                                               \
		"window-" name, NEED_WINDOW, run_window_wild, NULL, bar, offset, length \
	}

static const struct hostile_case cases[] = {
	PCI("bar-moves", run_bar_move, 0, 0, 0),
	PCI("bar-moves-and-works", run_bar_move_notify, 0, 0, 0),
	PCI("bar-over-ram", run_bar_over, 0, AT_DATA, 0),
	PCI("bar-over-own-interrupts", run_bar_over, 0, AT_OWN_INTERRUPTS, 0),
	PCI("bar-over-shared-interrupts", run_bar_over, 0, AT_SHARED_INTERRUPTS, 0),
	PCI("bar-at-0", run_bar_over, 0, 0, 0),
	PCI("bar-at-top", run_bar_over, 0xfffff000, 0, 0),
	PCI("bar-at-2-to-40", run_bar_over, UINT64_C(1) << 40, 0, 0),
	PCI("bar-sizing", run_bar_sizing, 0, 0, 0),
	PCI("decoding-off", run_decoding_off, 0, 0, 0),
	PCI("no-bus-master", run_no_master, 0, 0, 0),
	PCI("absent-functions", run_absent, 0, 0, 0),
	PCI("capabilities-read-only", run_capabilities, 0, 0, 0),
	{"window-status", NEED_WINDOW, run_window, NULL, 0, 0, 0},
	WINDOW("bar-6", 6 + 1, 0, 4),
	WINDOW("bar-255", 255, 0, 4),
	WINDOW("offset-all-ones", PCI_BARS, 0xffffffff, 4),
	WINDOW("offset-wraps", PCI_BARS, 0xfffffffe, 4),
	WINDOW("offset-unaligned", PCI_BARS, 1, 4),
	WINDOW("length-0", PCI_BARS, 0, 0),
	WINDOW("length-3", PCI_BARS, 0, 3),
	WINDOW("length-8", PCI_BARS, 0, 8),
	WINDOW("length-all-ones", PCI_BARS, 0, 0xffffffff),
};

GROUP(pci_group, cases);
