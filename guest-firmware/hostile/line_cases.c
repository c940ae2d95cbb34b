/*
 * Interrupt lines (PCI 3.0 6.2.2, 2.2.6; VIRTIO 1.2 4.1.4.5, 4.2.2): they rise with a request and
 * fall when the interrupt status is read; PCI's stay down where they are disabled.
 */
#include "cases.h"

#include "board.h"
#include "devices.h"
#include "mmio.h"

#define WINDOWS 20

static volatile unsigned int line_count;

/* Whoever it was: lines are shared. */
static void on_line(void)
{
	line_count++;
	for (unsigned int i = 0; i < devices_count(); i++) {
		const struct virtio *device = devices_get(i);

		(void)device->transport->interrupt_status(device);
	}
}

static void set_disabled(const struct scene *scene, bool disabled)
{
	const uint64_t command = scene->device->function.config + PCI_COMMAND;
	const uint16_t others = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;

	if (virtio_is_pci(scene->device))
		mmio_write16(command, (uint16_t)(others | (disabled ? PCI_COMMAND_NO_INTX : 0)));
}

/* a: requests; c: the line is disabled. */
static void run_line(struct scene *scene, const struct hostile_case *self)
{
	uint64_t start;

	if (!scene_up(scene) || !scene_expect_good(scene))
		return;
	set_disabled(scene, self->c);
	if (!report_expect(scene->report, board_watch_lines(on_line), "no lines to watch"))
		return;
	for (unsigned int i = 0; i < WINDOWS; i++)
		board_take_interrupts(); /* what was pending */
	line_count = 0;
	for (uint64_t i = 0; i < self->a && scene_expect_good(scene); i++) {
		const unsigned int before = line_count;

		start = board_clock();
		do
			board_take_interrupts();
		while (!self->c && line_count == before && !virtio_is_late(start));
	}
	board_watch_lines(NULL);
	set_disabled(scene, true);
	report_note(scene->report, "%u interrupts", line_count);
	if (self->c)
		report_expect(scene->report, line_count == 0, "of a line that is disabled");
	else
		report_expect(scene->report, line_count >= self->a, "not as many as requests");
}

static const struct hostile_case cases[] = {
	{"line-interrupts", 0, run_line, NULL, 8, 0, false},
	{"line-disabled", NEED_PCI, run_line, NULL, 8, 0, true},
};

GROUP(line_group, cases);
