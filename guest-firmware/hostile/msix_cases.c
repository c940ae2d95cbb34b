/*
 * MSI-X out of range, masked and misdirected (VIRTIO 1.2 4.1.5.1.2; PCI 3.0 6.8.2). Each case
 * switches it off again.
 */
#include "msix.h"

#include "cases.h"
#include "mmio.h"

#define STRAY_VECTOR 0x36 /* of message 2: some hosts deliver whatever the address */

static uint64_t config(const struct scene *scene)
{
	return scene->device->function.config;
}

struct board_message msix_message(const struct scene *scene, unsigned int index)
{
	const struct pci_function *function = &scene->device->function;

	return board_message((uint16_t)(function->slot << 3 | function->number), index);
}

static uint64_t entry(const struct scene *scene, unsigned int index)
{
	return scene->device->msix_table + index * UINT64_C(MSIX_ENTRY_BYTES);
}

void msix_control(const struct scene *scene, uint16_t flags)
{
	mmio_write16(config(scene) + scene->device->msix_capability + MSIX_CONTROL, flags);
}

void msix_write_entry(const struct scene *scene, unsigned int index, struct board_message message,
	uint32_t control)
{
	mmio_write32(entry(scene, index), (uint32_t)message.address);
	mmio_write32(entry(scene, index) + 4, (uint32_t)(message.address >> 32));
	mmio_write32(entry(scene, index) + MSIX_ENTRY_DATA, message.data);
	mmio_write32(entry(scene, index) + MSIX_ENTRY_CONTROL, control);
}

bool msix_up(struct scene *scene, uint32_t control)
{
	if (!scene_negotiate(scene))
		return false;
	msix_control(scene, MSIX_CONTROL_ENABLE);
	msix_write_entry(scene, 0, msix_message(scene, 0), 0);
	msix_write_entry(scene, 1, msix_message(scene, 1), control);
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

void msix_take_all(void)
{
	for (unsigned int i = 0; i < 20; i++)
		board_take_interrupts();
}

/* PCI 3.0 6.8.2.9: a pending bit a vector. */
static bool is_pending(const struct scene *scene, unsigned int index)
{
	return mmio_read32(scene->device->msix_pba) >> index & 1;
}

void msix_expect_interrupt(struct scene *scene)
{
	unsigned int before = board_message_count(1);

	if (msix_up(scene, 0) && scene_expect_good(scene))
		report_expect(scene->report, wait_message(1, before), "no interrupt came");
	msix_control(scene, 0);
}

static void run_msix(struct scene *scene, const struct hostile_case *self)
{
	(void)self;
	msix_expect_interrupt(scene);
}

static void run_msix_configuration(struct scene *scene, const struct hostile_case *self)
{
	unsigned int before = board_message_count(0);

	(void)self;
	if (msix_up(scene, 0)) {
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

	if (!msix_up(scene, self->a ? 0 : MSIX_ENTRY_MASKED))
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

	if (!msix_up(scene, 0))
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
	if (!msix_up(scene, 0))
		return;
	mmio_write16(scene->device->common + COMMON_QUEUE_SELECT, 0);
	mmio_write16(scene->device->common + COMMON_QUEUE_MSIX_VECTOR, MSIX_NO_VECTOR);
	before = board_message_count(1);
	if (scene_expect_good(scene)) {
		msix_take_all();
		report_expect(scene->report, board_message_count(1) == before, "it interrupted");
	}
	msix_control(scene, 0);
}

/* An interrupt message to address a with data b goes nowhere that matters. */
static void run_msix_message(struct scene *scene, const struct hostile_case *self)
{
	const struct board_message message = {self->a, (uint32_t)self->b};

	if (!msix_up(scene, MSIX_ENTRY_MASKED))
		return;
	msix_write_entry(scene, 1, message, 0);
	(void)scene_expect_good(scene);
	msix_write_entry(scene, 1, msix_message(scene, 1), 0);
	(void)scene_expect_good(scene);
	msix_control(scene, 0);
	msix_take_all();
}

/* Switched on and off between requests. */
static void run_msix_toggle(struct scene *scene, const struct hostile_case *self)
{
	if (!msix_up(scene, 0))
		return;
	for (uint64_t i = 0; i < self->a && scene_expect_good(scene); i++) {
		msix_control(scene, (uint16_t)(i & 1 ? MSIX_CONTROL_ENABLE : 0));
		mmio_write32(entry(scene, 1) + MSIX_ENTRY_CONTROL, i >> 1 & 1);
		msix_take_all();
	}
	msix_control(scene, 0);
}

/* Pending bits are the device's. */
static void run_pba_write(struct scene *scene, const struct hostile_case *self)
{
	unsigned int before = board_message_count(1);

	(void)self;
	if (!msix_up(scene, 0))
		return;
	mmio_write32(scene->device->msix_pba, 0xffffffff);
	msix_take_all();
	report_expect(scene->report, !is_pending(scene, 1), "a pending bit was set by writing");
	report_expect(scene->report, board_message_count(1) == before, "it interrupted");
	(void)scene_expect_good(scene);
	msix_control(scene, 0);
}

#define MSIX(name, function, a, b)                               \
	{                                                        \
		"msix-" name, NEED_MSIX, function, NULL, a, b, 0 \
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
};

GROUP(msix_group, cases);
