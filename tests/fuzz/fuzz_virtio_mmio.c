/* Any sequence of accesses to the registers and the configuration space of virtio-mmio. */
#include "fuzz_virtio.h"
#include "virtio_mmio.h"

static struct virtio_mmio mmio;
static struct fuzz_line line;

static void write_register(uint64_t offset, uint32_t value)
{
	virtio_mmio_bus_ops.write(&mmio, offset, 4, value);
}

/* 0x30: QueueSel; 0x38: QueueSize; 0x44: QueueReady; 0x70: Status; 0x80 and on: areas. */
static void drive(unsigned int queues)
{
	write_register(0x70, 0);
	write_register(0x70, 3);
	write_register(0x24, 1);
	write_register(0x20, 0x101); /* VERSION_1, RING_RESET */
	write_register(0x70, 11);
	for (unsigned int i = 0; i < FAKE_QUEUES; i++) {
		if (!(queues >> i & 1))
			continue;
		write_register(0x30, i);
		for (uint32_t area = 0; area < 3; area++)
			write_register(0x80 + 0x10 * area,
				(uint32_t)fake_area(i, (enum virtio_queue_area)area));
		write_register(0x44, 1);
	}
}

static void step_of_transport(struct script *script, unsigned int opcode)
{
	switch (opcode % 16) {
	case 5:
		virtio_mmio_reset(&mmio);
		break;
	default:
		script_access(script, &virtio_mmio_bus_ops, &mmio, VIRTIO_MMIO_BYTES);
		break;
	}
}

static void step(struct script *script)
{
	const unsigned int opcode = (unsigned int)script_take(script, 1);

	if (!script_common_step(opcode, drive))
		step_of_transport(script, opcode);
	require_sane();
	fuzz_require(line.level == (virtio_mmio_bus_ops.read(&mmio, 0x60, 4) != 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script script = {data, size};
	struct irq irq = {.ops = &fuzz_line_ops, .controller = &line};

	line.level = false;
	fake_device_init();
	virtio_mmio_init(&mmio, &fake_device.device, &irq, false);
	while (script.left)
		step(&script);
	virtio_device_fini(&fake_device.device);
	virtio_mmio_fini(&mmio);
	fuzz_require(fake_io_attached() == 0);
	return 0;
}
