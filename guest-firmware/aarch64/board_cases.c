/*
 * Hostile: what a guest can do on this board beside its devices, to interrupt controllers, to the
 * firmware that KVM plays (PSCI), to chips and timers. Other processors go last: nothing brings one
 * back that runs where there is no memory.
 */
#include "board_cases.h"

#include "clock.h"
#include "cpu.h"
#include "gic.h"
#include "interrupts.h"
#include "its.h"
#include "mmio.h"
#include "msix.h"
#include "places.h"
#include "psci.h"
#include "tree.h"

#define GIC2_DISTRIBUTOR_BYTES 0x1000
#define GIC2_INTERFACE_BYTES   0x2000
#define GIC3_DISTRIBUTOR_BYTES 0x10000
#define GIC3_OWN_BYTES         0x20000
#define CHIP_BYTES             0x1000
#define CHIP_STEP              3
#define RTC_MASK               0x10
#define RTC_CLEAR              0x1c

#define UART_ENABLE         1
#define UART_MODEM          4
#define UART_TRANSMIT_EMPTY 0x02
#define UART_OUT2           0x08
#define STORM_INTERRUPTS    1000
#define VIRTUAL_TIMER       2 /* of the node's interrupts */
#define SOFTWARE_INTERRUPT  5

#define FUNCTIONS         0x100
#define FUNCTION_MASK     0x3f
#define SLEEPS_PER_SECOND 100
#define AFFINITY_BITS     40
#define NOT_MEMORY        UINT64_C(0xd8000000)
#define ENTRIES_OUTSIDE   4

static volatile unsigned int storm_count;
static void (*storm_quiet)(void);

void board_recover(struct scene *scene)
{
	interrupts_set_handler(NULL);
	gic_silence();
	interrupts_open();
	if (scene->device->msix_entries)
		msix_expect_interrupt(scene);
	else if (scene_up(scene))
		(void)scene_expect_good(scene);
}

void board_sweep(uint64_t base, uint64_t bytes, uint64_t step)
{
	for (uint64_t offset = 0; offset + 8 <= bytes; offset += step) {
		for (unsigned int width = 1; width <= 8; width *= 2) {
			const uint64_t at = PLACE_UNALIGNED + base + offset;
			const uint64_t found = mmio_read(at, width);

			mmio_write(at, width, UINT64_MAX);
			mmio_write(at, width, ~found);
			mmio_write(at, width, 0);
			(void)mmio_read(at, width);
		}
	}
}

/* a: 0 for the distributor, 1 for what a processor has of its own, 2 for the ITS. */
static void run_gic(struct scene *scene, const struct hostile_case *self)
{
	const uint64_t second = tree_cells("interrupt-controller", "reg", 4);
	const bool is_new = gic_version() == 3;

	if (self->a == 0)
		board_sweep(gic_distributor(),
			is_new ? GIC3_DISTRIBUTOR_BYTES : GIC2_DISTRIBUTOR_BYTES, self->b);
	else if (self->a == 1)
		board_sweep(second, is_new ? GIC3_OWN_BYTES : GIC2_INTERFACE_BYTES, self->b);
	else
		board_sweep(its_base(), ITS_BYTES, self->b);
	board_recover(scene);
}

/* Registers of chips, whatever they mean; the port is only read. */
static void run_chips(struct scene *scene, const struct hostile_case *self)
{
	const uint64_t rtc = tree_cells("rtc", "reg", 0);
	const uint64_t gpio = tree_cells("gpio", "reg", 0);

	(void)self;
	board_sweep(rtc, CHIP_BYTES, CHIP_STEP);
	board_sweep(gpio, CHIP_BYTES, CHIP_STEP);
	for (uint64_t at = PLACE_UART; at < PLACE_DEBUG_EXIT + CHIP_BYTES; at += 0x7ff)
		for (unsigned int width = 1; width <= 8; width *= 2)
			(void)mmio_read(PLACE_UNALIGNED + at, width);
	mmio_write32(rtc + RTC_MASK, 0);
	mmio_write32(rtc + RTC_CLEAR, 1);
	board_recover(scene);
}

static void on_storm(uint32_t interrupt)
{
	(void)interrupt;
	if (++storm_count >= STORM_INTERRUPTS)
		storm_quiet();
}

static void wait_storm(struct scene *scene, void (*quiet)(void))
{
	const uint64_t start = board_clock();

	while (storm_count < STORM_INTERRUPTS && !virtio_is_late(start))
		board_take_interrupts();
	quiet();
	report_expect(scene->report, storm_count >= STORM_INTERRUPTS, "%u interrupts", storm_count);
}

static void start_storm(void (*quiet)(void), uint32_t interrupt)
{
	storm_count = 0;
	storm_quiet = quiet;
	interrupts_set_handler(on_storm);
	gic_enable(interrupt);
}

static void quiet_timer(void)
{
	clock_timer_stop();
}

/* It has run out and nobody sets it again. */
static void run_timer_storm(struct scene *scene, const struct hostile_case *self)
{
	(void)self;
	start_storm(quiet_timer, gic_number("timer", VIRTUAL_TIMER));
	clock_timer_start(0);
	wait_storm(scene, quiet_timer);
	board_recover(scene);
}

static void quiet_uart(void)
{
	mmio_write8(PLACE_UART + UART_ENABLE, 0);
}

/* The port wants something and is not looked at. */
static void run_line_storm(struct scene *scene, const struct hostile_case *self)
{
	(void)self;
	start_storm(quiet_uart, gic_number("serial", 0));
	mmio_write8(PLACE_UART + UART_MODEM, UART_OUT2);
	mmio_write8(PLACE_UART + UART_ENABLE, UART_TRANSMIT_EMPTY);
	wait_storm(scene, quiet_uart);
	mmio_write8(PLACE_UART + UART_MODEM, 0);
	board_recover(scene);
}

static void send_again(void)
{
}

static void run_software_storm(struct scene *scene, const struct hostile_case *self)
{
	(void)self;
	start_storm(send_again, SOFTWARE_INTERRUPT);
	for (unsigned int i = 0; i < STORM_INTERRUPTS && storm_count < STORM_INTERRUPTS; i++) {
		gic_send(gic_self(), SOFTWARE_INTERRUPT);
		board_take_interrupts();
	}
	report_expect(scene->report, storm_count == STORM_INTERRUPTS, "%u came", storm_count);
	board_recover(scene);
}

/* Those that end something or wait, whatever the arguments: CPU_SUSPEND, CPU_OFF, SYSTEM_OFF,
 * SYSTEM_RESET, SYSTEM_SUSPEND, SYSTEM_RESET2, SYSTEM_OFF2. */
static bool is_end(uint32_t function)
{
	static const uint8_t ends[] = {0x01, 0x02, 0x08, 0x09, 0x0e, 0x12, 0x15};

	for (unsigned int i = 0; i < sizeof(ends); i++)
		if (ends[i] == function)
			return true;
	return false;
}

/* Functions from a on that do not exist, or are given b for everything. */
static void run_calls(struct scene *scene, const struct hostile_case *self)
{
	unsigned int answered = 0;

	for (uint32_t function = 0; function < FUNCTIONS; function++) {
		if (is_end(function & FUNCTION_MASK))
			continue;
		answered += psci_call((uint32_t)self->a + function, self->b, self->b, self->b) !=
		            PSCI_NOT_SUPPORTED;
	}
	report_note(scene->report, "%u are known", answered);
	report_expect(scene->report,
		psci_call(PSCI_AFFINITY_INFO, cpu_affinity(), 0, 0) == PSCI_AFFINITY_ON,
		"this processor is not on");
	board_recover(scene);
}

/* To states that do not exist, to wake up where there is no memory: it returns, as from a sleep of
 * any kind that ends at once. */
static void run_suspend(struct scene *scene, const struct hostile_case *self)
{
	gic_enable(gic_number("timer", VIRTUAL_TIMER));
	for (unsigned int bit = 0; bit < 32; bit++) {
		clock_timer_start(clock_hz() / SLEEPS_PER_SECOND);
		(void)psci_call(PSCI_CPU_SUSPEND, UINT64_C(1) << bit, self->a, self->b);
		clock_timer_stop();
	}
	board_recover(scene);
}

/* Kinds of a warm reset that do not exist (Arm DEN 0022 5.1.19). */
static void run_reset_kind(struct scene *scene, const struct hostile_case *self)
{
	report_expect(
		scene->report, psci_call(PSCI_SYSTEM_RESET2, self->a, 0, 0) < 0, "it went on");
	board_recover(scene);
}

/* Nobody there, at every affinity of one bit; itself, with an entry that is none. */
static void run_cpu_on(struct scene *scene, const struct hostile_case *self)
{
	for (unsigned int bit = 3; bit < AFFINITY_BITS; bit++)
		report_expect(scene->report,
			psci_call(PSCI_CPU_ON, UINT64_C(1) << bit, self->a, 0) ==
				PSCI_INVALID_PARAMETERS,
			"bit %u", bit);
	report_expect(scene->report,
		psci_call(PSCI_CPU_ON, cpu_affinity(), self->a, 0) == PSCI_ALREADY_ON, "itself");
	report_expect(scene->report,
		psci_call(PSCI_CPU_ON & ~(1u << 30), UINT64_MAX, self->a, 0) < 0, "all ones");
	board_recover(scene);
}

static uint64_t other_cpu(unsigned int index)
{
	uint32_t length = 0;
	const uint8_t *reg = tree_property_next("cpu", "reg", index, &length);

	return reg && length == 8 ? (uint64_t)tree_big(reg) << 32 | tree_big(reg + 4) : UINT64_MAX;
}

/* All others run where there is no memory, at a device and in the device tree. */
static void run_start_outside(struct scene *scene, const struct hostile_case *self)
{
	static const uint64_t entries[ENTRIES_OUTSIDE] = {
		NOT_MEMORY, PLACE_UART, PLACE_SHARED_INTERRUPTS, UINT64_MAX - 3};
	unsigned int index = 1;

	(void)self;
	while (other_cpu(index) != UINT64_MAX) {
		(void)psci_call(PSCI_CPU_ON, other_cpu(index),
			entries[(index - 1) % ENTRIES_OUTSIDE], UINT64_MAX);
		index++;
	}
	report_note(scene->report, "%u others", index - 1);
	board_recover(scene);
}

const char *board_part_missing(const struct hostile_case *hostile_case)
{
	switch ((enum board_part)hostile_case->c) {
	case PART_NONE:
		break;
	case PART_GIC3:
		return gic_version() == 3 ? NULL : "GIC of version 3";
	case PART_GIC2:
		return gic_version() == 2 ? NULL : "GIC of version 2";
	case PART_ITS:
		return its_base() ? NULL : "ITS";
	case PART_FRAME:
		return tree_cells("v2m", "reg", 0) ? NULL : "GICv2m frame";
	case PART_CPUS:
		return other_cpu(1) != UINT64_MAX ? NULL : "second processor";
	}
	return NULL;
}

#define BOARD(name, function, a, b, part)                         \
	{                                                         \
		name, NEED_BOARD_PART, function, NULL, a, b, part \
	}
#define MESSAGE(name, function, a, b, part)                                              \
	{                                                                                \
		"message-" name, NEED_BOARD_PART | NEED_MSIX, function, NULL, a, b, part \
	}
#define DEVICE_PLACE UINT64_C(0x09000000)
#define HIGH_PLACE   (UINT64_C(1) << 47)
#define TOP_PLACE    UINT64_C(0xffffffff0000)
#define ALL_PAGES    UINT64_C(0xff)

static const struct hostile_case cases[] = {
	BOARD("gic3-distributor-wild", run_gic, 0, 61, PART_GIC3),
	BOARD("gic3-redistributor-wild", run_gic, 1, 251, PART_GIC3),
	BOARD("gic2-distributor-wild", run_gic, 0, 7, PART_GIC2),
	BOARD("gic2-interface-wild", run_gic, 1, 61, PART_GIC2),
	BOARD("its-wild", run_gic, 2, 251, PART_ITS),
	BOARD("its-tables-in-hole", board_its_tables, NOT_MEMORY, ALL_PAGES, PART_ITS),
	BOARD("its-tables-in-registers", board_its_tables, DEVICE_PLACE, 0, PART_ITS),
	BOARD("its-tables-high", board_its_tables, HIGH_PLACE, ALL_PAGES, PART_ITS),
	BOARD("its-tables-at-top", board_its_tables, TOP_PLACE, ALL_PAGES, PART_ITS),
	BOARD("its-tables-at-0", board_its_tables, 0, 0, PART_ITS),
	BOARD("its-queue-in-hole", board_its_queue, NOT_MEMORY, ALL_PAGES, PART_ITS),
	BOARD("its-queue-in-registers", board_its_queue, DEVICE_PLACE, 0, PART_ITS),
	BOARD("its-queue-at-top", board_its_queue, TOP_PLACE, ALL_PAGES, PART_ITS),
	BOARD("its-queue-garbage", board_its_garbage, 1, 0, PART_ITS),
	BOARD("its-queue-more-garbage", board_its_garbage, 77, 0, PART_ITS),
	BOARD("its-commands-of-0", board_its_commands, 0, 0, PART_ITS),
	BOARD("its-commands-of-ones", board_its_commands, UINT64_MAX, UINT64_MAX, PART_ITS),
	BOARD("its-commands-high", board_its_commands, HIGH_PLACE, UINT32_MAX, PART_ITS),
	BOARD("its-commands-odd", board_its_commands, 0x2000, NOT_MEMORY | 31, PART_ITS),
	BOARD("its-properties-in-hole", board_its_properties, NOT_MEMORY, 0, PART_ITS),
	BOARD("its-properties-high", board_its_properties, HIGH_PLACE, 0, PART_ITS),
	BOARD("its-properties-at-0", board_its_properties, 0, 0, PART_ITS),
	MESSAGE("event-unmapped", board_message_data, ITS_EVENTS - 1, 0, PART_ITS),
	MESSAGE("event-too-high", board_message_data, ITS_EVENTS, 0, PART_ITS),
	MESSAGE("event-all-ones", board_message_data, UINT32_MAX, 0, PART_ITS),
	MESSAGE("beside-translater", board_message_data, 1, 4, PART_ITS),
	MESSAGE("before-translater", board_message_data, 1, 0 - UINT64_C(0x40), PART_ITS),
	MESSAGE("its-off", board_message_off, 0, 0, PART_ITS),
	MESSAGE("to-uart-line", board_message_data, 33, 0, PART_FRAME),
	MESSAGE("to-software", board_message_data, 1, 0, PART_FRAME),
	MESSAGE("to-special", board_message_data, 1023, 0, PART_FRAME),
	MESSAGE("to-all-ones", board_message_data, UINT32_MAX, 0, PART_FRAME),
	MESSAGE("beside-frame", board_message_data, 96, 4, PART_FRAME),
	BOARD("chips-wild", run_chips, 0, 0, PART_NONE),
	BOARD("timer-storm", run_timer_storm, 0, 0, PART_NONE),
	BOARD("line-storm", run_line_storm, 0, 0, PART_NONE),
	BOARD("software-storm", run_software_storm, 0, 0, PART_NONE),
	BOARD("psci-functions", run_calls, 0x84000000, UINT64_MAX, PART_NONE),
	BOARD("psci-functions-wide", run_calls, 0xc4000000, UINT64_MAX, PART_NONE),
	BOARD("architecture-calls", run_calls, 0x80000000, UINT64_MAX, PART_NONE),
	BOARD("hypervisor-calls", run_calls, 0xc6000000, NOT_MEMORY, PART_NONE),
	BOARD("calls-from-0", run_calls, 0, 0, PART_NONE),
	BOARD("calls-to-all-ones", run_calls, 0xffffff00, 0, PART_NONE),
	BOARD("psci-suspend-hole", run_suspend, NOT_MEMORY, UINT64_MAX, PART_NONE),
	BOARD("psci-reset-kind-1", run_reset_kind, 1, 0, PART_NONE),
	BOARD("psci-reset-kind-max", run_reset_kind, 0x7fffffff, 0, PART_NONE),
	BOARD("psci-cpu-on-hole", run_cpu_on, NOT_MEMORY, 0, PART_NONE),
	BOARD("psci-cpu-on-odd", run_cpu_on, UINT64_MAX, 0, PART_NONE),
	BOARD("psci-start-outside", run_start_outside, 0, 0, PART_CPUS),
};

GROUP(board_group, cases);
