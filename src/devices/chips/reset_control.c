/*
 * RST_CNT as in the Intel I/O Controller Hub 9 datasheet, 13.7.5. See reset_control.h.
 *
 * The reset starts when RST_CPU goes from 0 to 1, and it clears RST_CPU: the bit never reads 1, so
 * every write that has it set is such an edge. SYS_RST and FULL_RST choose how much is reset; all
 * kinds are the same to a virtual machine.
 */
#include "reset_control.h"

#include <stdatomic.h>

#define RST_CNT_SYS_RST  0x02
#define RST_CNT_RST_CPU  0x04
#define RST_CNT_FULL_RST 0x08

static uint64_t reset_control_read(void *device, uint64_t offset, unsigned int size)
{
	struct reset_control *control = device;

	(void)offset;
	(void)size;
	return atomic_load_explicit(&control->value, memory_order_relaxed);
}

static void reset_control_write(void *device, uint64_t offset, unsigned int size, uint64_t value)
{
	struct reset_control *control = device;

	(void)offset;
	(void)size;
	atomic_store_explicit(&control->value,
		(uint8_t)(value & (RST_CNT_SYS_RST | RST_CNT_FULL_RST)), memory_order_relaxed);
	if (value & RST_CNT_RST_CPU)
		guest_end_report(&control->end, GUEST_END_RESET, 0);
}

const struct bus_ops reset_control_bus_ops = {reset_control_read, reset_control_write};

void reset_control_init(struct reset_control *control, const struct guest_end_sink *end)
{
	*control = (struct reset_control){.end = *end};
}

void reset_control_reset(struct reset_control *control)
{
	atomic_store_explicit(&control->value, 0, memory_order_relaxed);
}
