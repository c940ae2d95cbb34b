/*
 * PCI: MSI-X out of range, masked and misdirected, BARs that move, the window in configuration
 * space (VIRTIO 1.2 4.1.4.9, 4.1.5.1.2; PCI 3.0 6.2.5, 6.8.2). Each case puts back what it moved.
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
#define STRAY_VECTOR  0x36 /* board_message(2): some hosts deliver whatever the address */

static uint64_t config(const struct scene *scene)
{
	return scene->device->function.config;
}

static uint64_t entry(const struct scene *scene, unsigned int index)
{
	return scene->device->msix_table + index * UINT64_C(MSIX_ENTRY_BYTES);
}

static void msix_control(const struct scene *scene, uint16_t flags)
{
	mmio_write16(config(scene) + scene->device->msix_capability + MSIX_CONTROL, flags);
}

static void write_entry(const struct scene *scene, unsigned int index, struct board_message message,
	uint32_t control)
{
	mmio_write32(entry(scene, index), (uint32_t)message.address);
	mmio_write32(entry(scene, index) + 4, (uint32_t)(message.address >> 32));
	mmio_write32(entry(scene, index) + MSIX_ENTRY_DATA, message.data);
	mmio_write32(entry(scene, index) + MSIX_ENTRY_CONTROL, control);
}

/* Queue 0 interrupts by entry 1, configuration changes by entry 0. */
static bool up_with_msix(struct scene *scene, uint32_t control)
{
	if (!scene_negotiate(scene))
		return false;
	msix_control(scene, MSIX_CONTROL_ENABLE);
	write_entry(scene, 0, board_message(0), 0);
	write_entry(scene, 1, board_message(1), control);
	mmio_write16(scene->device->common + COMMON_CONFIG_MSIX_VECTOR, 0);
	vring_configure(&scene->ring, scene->device);
	mmio_write16(scene->device->common + COMMON_QUEUE_MSIX_VECTOR, 1);
	report_expect(scene->report,
		mmio_read16(scene->device->common + COMMON_QUEUE_MSIX_VECTOR) == 1 &&
			mmio_read16(scene->device->common + COMMON_CONFIG_MSIX_VECTOR) == 0,
		"vectors are not kept");
	scene->transport->enable(scene->device, 1);
	virtio_driver_ok(scene->device);
	return true;
}

static bool wait_message(unsigned int index, unsigned int before)
{
	uint64_t start = board_clock();

	while (board_message_count(index) == before) {
		board_take_interrupts();
		if (virtio_is_late(start))
			return false;
	}
	return true;
}

static void take_all(void)
{
	for (unsigned int i = 0; i < 20; i++)
		board_take_interrupts();
}

/* PCI 3.0 6.8.2.9: a pending bit a vector. */
static bool is_pending(const struct scene *scene, unsigned int index)
{
	return mmio_read32(scene->device->msix_pba) >> index & 1;
}

static void run_msix(struct scene *scene, const struct hostile_case *self)
{
	unsigned int before = board_message_count(1);

	(void)self;
	if (up_with_msix(scene, 0) && scene_expect_good(scene))
		report_expect(scene->report, wait_message(1, before), "no interrupt came");
	msix_control(scene, 0);
}

static void run_msix_configuration(struct scene *scene, const struct hostile_case *self)
{
	unsigned int before = board_message_count(0);

	(void)self;
	if (up_with_msix(scene, 0)) {
		vring_publish(&scene->ring, 0xffff);
		virtio_notify(scene->device, 0);
		report_expect(scene->report, wait_message(0, before),
			"no configuration interrupt with NEEDS_RESET");
	}
	msix_control(scene, 0);
}

/* Masked by entry (a = 0) or as a whole (a = 1): pending, and delivered when unmasked. */
static void run_msix_masked(struct scene *scene, const struct hostile_case *self)
{
	unsigned int before = board_message_count(1);
	uint64_t start;

	if (!up_with_msix(scene, self->a ? 0 : MSIX_ENTRY_MASKED))
		return;
	if (self->a)
		msix_control(scene, MSIX_CONTROL_ENABLE | MSIX_CONTROL_MASK);
	if (scene_expect_good(scene)) {
		start = board_clock();
		while (!is_pending(scene, 1) && !virtio_is_late(start))
			board_take_interrupts();
		report_expect(scene->report, is_pending(scene, 1), "not pending");
		report_expect(
			scene->report, board_message_count(1) == before, "came though masked");
		if (self->a)
			msix_control(scene, MSIX_CONTROL_ENABLE);
		else
			mmio_write32(entry(scene, 1) + MSIX_ENTRY_CONTROL, 0);
		report_expect(scene->report, wait_message(1, before), "did not come when unmasked");
		report_expect(scene->report, !is_pending(scene, 1), "still pending");
	}
	msix_control(scene, 0);
}

/* 4.1.5.1.2.1: a vector that cannot be mapped reads as NO_VECTOR. */
static void run_msix_range(struct scene *scene, const struct hostile_case *self)
{
	uint64_t common = scene->device->common;
	uint16_t vector = (uint16_t)(self->a ? self->a : scene->device->msix_entries);

	if (!up_with_msix(scene, 0))
		return;
	mmio_write16(common + COMMON_CONFIG_MSIX_VECTOR, vector);
	report_expect(scene->report,
		mmio_read16(common + COMMON_CONFIG_MSIX_VECTOR) == MSIX_NO_VECTOR,
		"configuration vector reads %u", mmio_read16(common + COMMON_CONFIG_MSIX_VECTOR));
	mmio_write16(common + COMMON_QUEUE_SELECT, 0);
	mmio_write16(common + COMMON_QUEUE_MSIX_VECTOR, vector);
	report_expect(scene->report,
		mmio_read16(common + COMMON_QUEUE_MSIX_VECTOR) == MSIX_NO_VECTOR,
		"queue vector reads %u", mmio_read16(common + COMMON_QUEUE_MSIX_VECTOR));
	(void)scene_expect_good(scene);
	msix_control(scene, 0);
}

/* NO_VECTOR: works, silently. */
static void run_msix_none(struct scene *scene, const struct hostile_case *self)
{
	unsigned int before;

	(void)self;
	if (!up_with_msix(scene, 0))
		return;
	mmio_write16(scene->device->common + COMMON_QUEUE_SELECT, 0);
	mmio_write16(scene->device->common + COMMON_QUEUE_MSIX_VECTOR, MSIX_NO_VECTOR);
	before = board_message_count(1);
	if (scene_expect_good(scene)) {
		take_all();
		report_expect(scene->report, board_message_count(1) == before, "it interrupted");
	}
	msix_control(scene, 0);
}

/* An interrupt message to address a with data b goes nowhere that matters. */
static void run_msix_message(struct scene *scene, const struct hostile_case *self)
{
	const struct board_message message = {self->a, (uint32_t)self->b};

	if (!up_with_msix(scene, MSIX_ENTRY_MASKED))
		return;
	write_entry(scene, 1, message, 0);
	(void)scene_expect_good(scene);
	write_entry(scene, 1, board_message(1), 0);
	(void)scene_expect_good(scene);
	msix_control(scene, 0);
	take_all();
}

/* Switched on and off between requests. */
static void run_msix_toggle(struct scene *scene, const struct hostile_case *self)
{
	if (!up_with_msix(scene, 0))
		return;
	for (uint64_t i = 0; i < self->a && scene_expect_good(scene); i++) {
		msix_control(scene, (uint16_t)(i & 1 ? MSIX_CONTROL_ENABLE : 0));
		mmio_write32(entry(scene, 1) + MSIX_ENTRY_CONTROL, i >> 1 & 1);
		take_all();
	}
	msix_control(scene, 0);
}

/* Pending bits are the device's. */
static void run_pba_write(struct scene *scene, const struct hostile_case *self)
{
	unsigned int before = board_message_count(1);

	(void)self;
	if (!up_with_msix(scene, 0))
		return;
	mmio_write32(scene->device->msix_pba, 0xffffffff);
	take_all();
	report_expect(scene->report, !is_pending(scene, 1), "a pending bit was set by writing");
	report_expect(scene->report, board_message_count(1) == before, "it interrupted");
	(void)scene_expect_good(scene);
	msix_control(scene, 0);
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
#define MSIX(name, function, a, b)                               \
	{                                                        \
		"msix-" name, NEED_MSIX, function, NULL, a, b, 0 \
	}
#define WINDOW(name, bar, offset, length)                                               \
	{                                                                               \
		"window-" name, NEED_WINDOW, run_window_wild, NULL, bar, offset, length \
	}

static const struct hostile_case cases[] = {
	MSIX("interrupts", run_msix, 0, 0),
	MSIX("interrupts-on-needs-reset", run_msix_configuration, 0, 0),
	MSIX("entry-masked", run_msix_masked, 0, 0),
	MSIX("function-masked", run_msix_masked, 1, 0),
	MSIX("vector-table-size", run_msix_range, 0, 0),
	MSIX("vector-0x800", run_msix_range, 0x800, 0),
	MSIX("vector-0xfffe", run_msix_range, 0xfffe, 0),
	MSIX("no-vector", run_msix_none, 0, 0),
	MSIX("message-to-ram", run_msix_message, 0x1000, STRAY_VECTOR),
	MSIX("message-to-hole", run_msix_message, 0xd8000000, STRAY_VECTOR),
	MSIX("message-to-top", run_msix_message, UINT64_MAX - 3, STRAY_VECTOR),
	MSIX("message-to-absent-cpu", run_msix_message, 0xfee7f000, 0x34),
	MSIX("message-vector-0", run_msix_message, 0xfee7f000, 0),
	MSIX("message-smi", run_msix_message, 0xfee7f000, 0x200),
	MSIX("message-data-wild", run_msix_message, 0xfee7f000, 0xffffffff),
	MSIX("toggle", run_msix_toggle, 8, 0),
	MSIX("pending-written", run_pba_write, 0, 0),
	PCI("bar-moves", run_bar_move, 0, 0, 0),
	PCI("bar-moves-and-works", run_bar_move_notify, 0, 0, 0),
	PCI("bar-over-ram", run_bar_over, 0, AT_DATA, 0),
	PCI("bar-over-lapic", run_bar_over, 0, AT_LAPIC, 0),
	PCI("bar-over-ioapic", run_bar_over, 0, AT_IOAPIC, 0),
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
