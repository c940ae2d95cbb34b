/*
 * Scripts for the registers of virtio transports. A step is an opcode and its operands; what is
 * missing at the end reads as zero. Besides accesses there are the steps that take a device to
 * where accesses matter: a whole driver's set-up, buffers used, the device breaking.
 */
#pragma once

#include "bus.h"
#include "fake_virtio.h"
#include "fuzz.h"
#include "irq.h"

struct script {
	const uint8_t *data;
	size_t left;
};

static inline uint64_t script_take(struct script *script, unsigned int bytes)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < bytes && script->left; i++, script->left--)
		value |= (uint64_t)*script->data++ << (8 * i);
	return value;
}

/* An access that bus and PCI host would let through to a range. */
static inline void script_access(
	struct script *script, const struct bus_ops *ops, void *owner, uint64_t range_bytes)
{
	uint64_t offset = script_take(script, 2) % range_bytes;
	unsigned int flags = (unsigned int)script_take(script, 1), size = 1U << (flags & 3);
	uint64_t value = script_take(script, size);

	if (size > range_bytes - offset)
		return;
	if (flags & 0x80)
		ops->write(owner, offset, size, value);
	else
		value = ops->read(owner, offset, size);
	fuzz_require(size == 8 || value >> (8 * size) == 0);
}

static inline void script_use_buffers(void)
{
	for (unsigned int i = 0; i < FAKE_QUEUES; i++) {
		if (!fake_device.device.queues[i].run->running)
			continue;
		fake_device.device.queues[i].run->pushed = true;
		virtio_device_flush_queue(&fake_device.device, i);
	}
}

/* The steps that every transport has: 0 to 4. False: the opcode is one of the transport's own.
 * drive: a whole driver's set-up of the queues in a mask. */
static inline bool script_common_step(unsigned int opcode, void (*drive)(unsigned int queues))
{
	switch (opcode % 16) {
	case 0:
		drive(opcode >> 4);
		return true;
	case 1:
		script_use_buffers();
		return true;
	case 2:
		(void)fake_io_run();
		return true;
	case 3:
		fake_change_config();
		return true;
	case 4:
		virtio_device_break(&fake_device.device, 0, "asked for");
		return true;
	default:
		return false;
	}
}

/* What no script may bring about. */
static inline void require_sane(void)
{
	static const uint8_t statuses[] = {0, 1, 3, 11, 15, 128, 129, 131, 139, 143};
	uint8_t status = virtio_device_status(&fake_device.device);
	bool is_known = false;

	for (size_t i = 0; i < array_size(statuses); i++)
		is_known |= (status & 0xbf) == statuses[i];
	fuzz_require(is_known);
	for (unsigned int i = 0; i < FAKE_QUEUES; i++) {
		struct virtq_config config = virtio_device_queue(&fake_device.device, i);
		const struct virtq *run = fake_device.device.queues[i].run;

		fuzz_require(!run->running || (config.enabled && (status & 0xbf) == 15));
		if (run->running)
			fuzz_require(fake_config_is(&config, &run->config));
		fuzz_require(config.size_max == FAKE_QUEUE_SIZE);
	}
}

struct fuzz_line {
	bool level;
};

static inline void fuzz_line_set_level(void *controller, unsigned int line, bool level)
{
	(void)line;
	((struct fuzz_line *)controller)->level = level;
}

static const struct irq_ops fuzz_line_ops = {fuzz_line_set_level};
