/* See bus.h. */
#include "bus.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* The number of ranges whose base is at or below address. */
static unsigned int ranges_up_to(const struct bus *bus, uint64_t address)
{
	unsigned int low = 0, high = bus->range_count;

	while (low < high) {
		unsigned int middle = low + (high - low) / 2;

		if (bus->ranges[middle].base <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int bus_attach(struct bus *bus, const struct bus_range *range, struct err *err)
{
	unsigned int at = ranges_up_to(bus, range->base);
	const struct bus_range *below = at ? &bus->ranges[at - 1] : NULL;
	const struct bus_range *above = at < bus->range_count ? &bus->ranges[at] : NULL;

	if (!range->size || range->size - 1 > UINT64_MAX - range->base)
		return err_set(
			err, EINVAL, "%s bus: the range of %s wraps", bus->name, range->name);
	if (bus->range_count == BUS_RANGES_MAX)
		return err_set(err, ENOSPC, "%s bus: no room for %s", bus->name, range->name);
	if (below && range->base - below->base < below->size)
		above = below;
	else if (above && above->base - range->base >= range->size)
		above = NULL;
	if (above)
		return err_set(err, EEXIST, "%s bus: %s at 0x%" PRIx64 " overlaps %s", bus->name,
			range->name, range->base, above->name);
	memmove(&bus->ranges[at + 1], &bus->ranges[at],
		(bus->range_count - at) * sizeof(bus->ranges[0]));
	bus->ranges[at] = *range;
	bus->range_count++;
	return 0;
}

/* The range that holds the whole access, or NULL. */
static const struct bus_range *claim(const struct bus *bus, uint64_t address, unsigned int size)
{
	unsigned int at = ranges_up_to(bus, address);
	const struct bus_range *range = at ? &bus->ranges[at - 1] : NULL;

	if (!range || address - range->base >= range->size)
		return NULL;
	return size <= range->size - (address - range->base) ? range : NULL;
}

bool bus_read(const struct bus *bus, uint64_t address, unsigned int size, uint64_t *ret_value)
{
	const struct bus_range *range = claim(bus, address, size);

	*ret_value = size >= 8 ? UINT64_MAX : (UINT64_C(1) << (8 * size)) - 1;
	if (!range)
		return false;
	*ret_value &= range->ops->read(range->device, address - range->base, size);
	return true;
}

bool bus_write(const struct bus *bus, uint64_t address, unsigned int size, uint64_t value)
{
	const struct bus_range *range = claim(bus, address, size);

	if (!range)
		return false;
	range->ops->write(range->device, address - range->base, size, value);
	return true;
}
