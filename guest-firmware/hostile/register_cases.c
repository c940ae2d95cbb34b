/*
 * Registers at every offset with every size, aligned or not, and those that a driver must not be
 * able to change: VIRTIO 1.2 4.1.4, 4.2.2.
 */
#include "cases.h"

#include "mmio.h"

enum window { COMMON, NOTIFY, ISR, CONFIG, TABLE, PENDING, FUNCTION, WHOLE_MMIO };

#define SWEEP_BYTES_MAX 0x200
#define NOTIFY_SWEEP    16

struct range {
	uint64_t address;
	uint64_t bytes;
};

static struct range window_range(const struct virtio *device, enum window window)
{
	uint64_t config = device->config_bytes < 128 ? device->config_bytes : 128;

	switch (window) {
	case COMMON:
		return (struct range){device->common, COMMON_BYTES + 8};
	case NOTIFY:
		return (struct range){device->notify,
			device->notify_bytes < NOTIFY_SWEEP ? device->notify_bytes : NOTIFY_SWEEP};
	case ISR:
		return (struct range){device->isr, 4};
	case CONFIG:
		return (struct range){device->config, config};
	case TABLE:
		return (struct range){device->msix_table, device->msix_entries * UINT64_C(16)};
	case PENDING:
		return (struct range){device->msix_pba, 8};
	case FUNCTION:
		return (struct range){device->function.config, SWEEP_BYTES_MAX};
	case WHOLE_MMIO:
		break;
	}
	return (struct range){device->base, SWEEP_BYTES_MAX};
}

/* a: window, b: width; c: 0 reads, else writes ~c first and then c. */
static void run_sweep(struct scene *scene, const struct hostile_case *self)
{
	struct range range = window_range(scene->device, (enum window)self->a);
	unsigned int width = (unsigned int)self->b;
	uint64_t sum = 0;

	if (!scene_up(scene))
		return;
	if (range.bytes > SWEEP_BYTES_MAX)
		range.bytes = SWEEP_BYTES_MAX;
	for (uint64_t offset = 0; offset + width <= range.bytes; offset++) {
		if (self->c)
			mmio_write(range.address + offset, width, self->c);
		else
			sum ^= mmio_read(range.address + offset, width);
	}
	report_note(scene->report, "%lu bytes, 0x%lx", range.bytes, sum);
}

/* a: offset in the window of b, c: width; all-ones and zero change nothing. */
static void run_read_only(struct scene *scene, const struct hostile_case *self)
{
	struct range range = window_range(scene->device, (enum window)self->b);
	unsigned int width = (unsigned int)self->c;
	uint64_t address = range.address + self->a;
	uint64_t before;

	if (!scene_up(scene))
		return;
	before = mmio_read(address, width);
	mmio_write(address, width, UINT64_MAX);
	report_expect(scene->report, mmio_read(address, width) == before, "0x%lx after all-ones",
		mmio_read(address, width));
	mmio_write(address, width, 0);
	report_expect(scene->report, mmio_read(address, width) == before, "0x%lx after zero",
		mmio_read(address, width));
	report_note(scene->report, "0x%lx", before);
	(void)scene_expect_good(scene);
}

/* Registers that hold what they are given, until reset. */
static void run_select(struct scene *scene, const struct hostile_case *self)
{
	if (!scene_up(scene))
		return;
	mmio_write16(scene->device->common + COMMON_QUEUE_SELECT, (uint16_t)self->a);
	report_expect(scene->report,
		mmio_read16(scene->device->common + COMMON_QUEUE_SELECT) == (uint16_t)self->a,
		"reads %u", mmio_read16(scene->device->common + COMMON_QUEUE_SELECT));
	(void)mmio_read16(scene->device->common + COMMON_QUEUE_NOTIFY_OFF);
	mmio_write16(scene->device->common + COMMON_QUEUE_MSIX_VECTOR, 0);
	(void)scene_expect_good(scene);
}

/* Interrupt bits that were never raised are acknowledged. */
static void run_acknowledge(struct scene *scene, const struct hostile_case *self)
{
	if (!scene_up(scene))
		return;
	mmio_write32(scene->device->base + MMIO_INTERRUPT_ACK, (uint32_t)self->a);
	if (!scene_expect_good(scene))
		return;
	report_expect(scene->report,
		mmio_read32(scene->device->base + MMIO_INTERRUPT_STATUS) & ISR_QUEUE,
		"a used buffer left no interrupt status");
	mmio_write32(scene->device->base + MMIO_INTERRUPT_ACK, ISR_QUEUE);
	report_expect(scene->report, mmio_read32(scene->device->base + MMIO_INTERRUPT_STATUS) == 0,
		"it stays");
}

/* 4.1.4.5.1: reading clears. */
static void run_isr(struct scene *scene, const struct hostile_case *self)
{
	uint8_t first, second;

	(void)self;
	if (!scene_up(scene) || !scene_expect_good(scene))
		return;
	first = mmio_read8(scene->device->isr);
	second = mmio_read8(scene->device->isr);
	report_expect(scene->report, first & ISR_QUEUE, "no queue bit: 0x%x", first);
	report_expect(scene->report, second == 0, "0x%x after reading", second);
}

#define SWEEP(name, need, window, width)                                                \
	{name "-read-" #width, need, run_sweep, NULL, window, width, 0},                \
	{                                                                               \
		name "-write-" #width, need, run_sweep, NULL, window, width, UINT64_MAX \
	}
#define SWEEPS(name, need, window)                                                                \
	SWEEP(name, need, window, 1), SWEEP(name, need, window, 2), SWEEP(name, need, window, 4), \
		SWEEP(name, need, window, 8)
#define SAME(name, need, window, offset, width)                                \
	{                                                                      \
		"same-" name, need, run_read_only, NULL, offset, window, width \
	}

static const struct hostile_case cases[] = {
	SWEEPS("common", NEED_PCI, COMMON),
	SWEEPS("notify-window", NEED_PCI, NOTIFY),
	SWEEPS("isr-window", NEED_PCI, ISR),
	SWEEPS("config", 0, CONFIG),
	SWEEPS("msix-table", NEED_MSIX, TABLE),
	SWEEPS("msix-pending", NEED_MSIX, PENDING),
	SWEEPS("mmio", NEED_MMIO, WHOLE_MMIO),
	{"function-read-1", NEED_PCI, run_sweep, NULL, FUNCTION, 1, 0},
	{"function-read-2", NEED_PCI, run_sweep, NULL, FUNCTION, 2, 0},
	{"function-read-4", NEED_PCI, run_sweep, NULL, FUNCTION, 4, 0},
	{"function-read-8", NEED_PCI, run_sweep, NULL, FUNCTION, 8, 0},
	{"common-write-zero-4", NEED_PCI, run_sweep, NULL, COMMON, 4, UINT64_C(1) << 63},
	{"mmio-write-high-4", NEED_MMIO, run_sweep, NULL, WHOLE_MMIO, 4, 0x7fffffff},

	SAME("device-features", NEED_PCI, COMMON, COMMON_DEVICE_FEATURE, 4),
	SAME("num-queues", NEED_PCI, COMMON, COMMON_NUM_QUEUES, 2),
	SAME("generation", NEED_PCI, COMMON, COMMON_CONFIG_GENERATION, 1),
	SAME("notify-offset", NEED_PCI, COMMON, COMMON_QUEUE_NOTIFY_OFF, 2),
	SAME("vendor", NEED_PCI, FUNCTION, PCI_VENDOR_ID, 2),
	SAME("device", NEED_PCI, FUNCTION, PCI_DEVICE_ID, 2),
	SAME("revision-and-class", NEED_PCI, FUNCTION, 8, 4),
	SAME("header-type", NEED_PCI, FUNCTION, PCI_HEADER_TYPE, 1),
	SAME("subsystem", NEED_PCI, FUNCTION, 0x2c, 4),
	SAME("capability-pointer", NEED_PCI, FUNCTION, PCI_CAPABILITIES, 1),
	SAME("interrupt-pin", NEED_PCI, FUNCTION, 0x3d, 1),
	SAME("magic", NEED_MMIO, WHOLE_MMIO, MMIO_MAGIC, 4),
	SAME("version", NEED_MMIO, WHOLE_MMIO, MMIO_VERSION, 4),
	SAME("device-id", NEED_MMIO, WHOLE_MMIO, MMIO_DEVICE_ID, 4),
	SAME("vendor-id", NEED_MMIO, WHOLE_MMIO, MMIO_VENDOR_ID, 4),
	SAME("device-features-mmio", NEED_MMIO, WHOLE_MMIO, MMIO_DEVICE_FEATURES, 4),
	SAME("queue-size-max", NEED_MMIO, WHOLE_MMIO, MMIO_QUEUE_SIZE_MAX, 4),
	SAME("interrupt-status", NEED_MMIO, WHOLE_MMIO, MMIO_INTERRUPT_STATUS, 4),
	SAME("generation-mmio", NEED_MMIO, WHOLE_MMIO, MMIO_CONFIG_GENERATION, 4),
	/* Registers of the legacy interface: page size, alignment, page number. */
	SAME("legacy-page-size", NEED_MMIO, WHOLE_MMIO, 0x028, 4),
	SAME("legacy-queue-align", NEED_MMIO, WHOLE_MMIO, 0x03c, 4),
	SAME("legacy-queue-page", NEED_MMIO, WHOLE_MMIO, 0x040, 4),
	SAME("capacity", 0, CONFIG, BLK_CONFIG_CAPACITY, 4),
	SAME("capacity-high", 0, CONFIG, BLK_CONFIG_CAPACITY + 4, 4),
	SAME("seg-max", 0, CONFIG, BLK_CONFIG_SEG_MAX, 4),
	SAME("block-size", 0, CONFIG, BLK_CONFIG_BLK_SIZE, 4),
	SAME("disk-queues", 0, CONFIG, BLK_CONFIG_NUM_QUEUES, 2),

	{"select-queue-64", NEED_PCI, run_select, NULL, 64, 0, 0},
	{"select-queue-0xffff", NEED_PCI, run_select, NULL, 0xffff, 0, 0},
	{"acknowledge-nothing", NEED_MMIO, run_acknowledge, NULL, 0, 0, 0},
	{"acknowledge-all", NEED_MMIO, run_acknowledge, NULL, 0xffffffff, 0, 0},
	{"isr-clears", NEED_PCI, run_isr, NULL, 0, 0, 0},
};

GROUP(register_group, cases);
