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

void bus_init(struct bus *bus, const char *name)
{
	*bus = (struct bus){.name = name};
	(void)pthread_rwlock_init(&bus->lock, NULL); /* cannot fail with default attributes */
}

void bus_fini(struct bus *bus)
{
	if (bus->name)
		(void)pthread_rwlock_destroy(&bus->lock);
	bus->name = NULL;
}

/* Write lock held. */
static int insert(struct bus *bus, const struct bus_range *range, struct err *err)
{
	unsigned int at = ranges_up_to(bus, range->base);
	const struct bus_range *below = at ? &bus->ranges[at - 1] : NULL;
	const struct bus_range *above = at < bus->range_count ? &bus->ranges[at] : NULL;

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

int bus_attach(struct bus *bus, const struct bus_range *range, struct err *err)
{
	int r;

	if (!range->size || range->size - 1 > UINT64_MAX - range->base)
		return err_set(
			err, EINVAL, "%s bus: the range of %s wraps", bus->name, range->name);
	(void)pthread_rwlock_wrlock(&bus->lock);
	r = insert(bus, range, err);
	(void)pthread_rwlock_unlock(&bus->lock);
	return r;
}

void bus_detach(struct bus *bus, uint64_t base, const void *device)
{
	unsigned int at;

	(void)pthread_rwlock_wrlock(&bus->lock);
	at = ranges_up_to(bus, base);
	if (at && bus->ranges[at - 1].base == base && bus->ranges[at - 1].device == device) {
		memmove(&bus->ranges[at - 1], &bus->ranges[at],
			(bus->range_count - at) * sizeof(bus->ranges[0]));
		bus->range_count--;
	}
	(void)pthread_rwlock_unlock(&bus->lock);
}

/* A copy of the range that holds the whole access; false: nobody's. */
static bool claim(struct bus *bus, uint64_t address, unsigned int size, struct bus_range *ret_range)
{
	const struct bus_range *range;
	unsigned int at;
	bool found = false;

	(void)pthread_rwlock_rdlock(&bus->lock);
	at = ranges_up_to(bus, address);
	range = at ? &bus->ranges[at - 1] : NULL;
	if (range && address - range->base < range->size &&
		size <= range->size - (address - range->base)) {
		*ret_range = *range;
		found = true;
	}
	(void)pthread_rwlock_unlock(&bus->lock);
	return found;
}

bool bus_read(struct bus *bus, uint64_t address, unsigned int size, uint64_t *ret_value)
{
	struct bus_range range;

	*ret_value = size >= 8 ? UINT64_MAX : (UINT64_C(1) << (8 * size)) - 1;
	if (!claim(bus, address, size, &range))
		return false;
	*ret_value &= range.ops->read(range.device, address - range.base, size);
	return true;
}

bool bus_write(struct bus *bus, uint64_t address, unsigned int size, uint64_t value)
{
	struct bus_range range;

	if (!claim(bus, address, size, &range))
		return false;
	range.ops->write(range.device, address - range.base, size, value);
	return true;
}
