/* ARM DDI 0190 chapter 3. See pl061.h. */
#include "pl061.h"

#include "clock.h"
#include "primecell.h"

/* All below it is the data register: bits 9 to 2 of the address say which lines are meant. */
#define DATA_BYTES 0x400

#define PART 0x061

enum {
	REG_DIRECTION = 0x400,
	REG_SENSE = 0x404,
	REG_BOTH_EDGES = 0x408,
	REG_EVENT = 0x40c,
	REG_ENABLE = 0x410,
	REG_RAW_STATUS = 0x414,
	REG_MASKED_STATUS = 0x418,
	REG_CLEAR = 0x41c,
	REG_FUNCTION = 0x420,
};

/* Longer than drivers wait for a key to stop bouncing. */
#define PRESS_NS (NANOSECONDS_PER_SECOND / 5)

static uint8_t key_bit(const struct pl061 *gpio)
{
	return (uint8_t)(1u << gpio->options.key_line);
}

static uint8_t levels(const struct pl061 *gpio)
{
	return (uint8_t)((gpio->outputs & gpio->directions) | (gpio->inputs & ~gpio->directions));
}

static uint8_t raw_status(const struct pl061 *gpio)
{
	const unsigned int active = levels(gpio) ^ ~(unsigned int)gpio->on_rising;

	return (uint8_t)((active & gpio->is_level) | (gpio->edges & ~gpio->is_level));
}

/* After a change of the lines that were as given. */
static void note_edges(struct pl061 *gpio, uint8_t before)
{
	const unsigned int now = levels(gpio), changed = now ^ before;
	const unsigned int wanted = gpio->on_both_edges | (now ^ ~(unsigned int)gpio->on_rising);

	gpio->edges = (uint8_t)(gpio->edges | (changed & wanted & ~(unsigned int)gpio->is_level));
}

static void settle(struct pl061 *gpio)
{
	const bool level = raw_status(gpio) & gpio->enabled;

	if (level == gpio->irq_level)
		return;
	gpio->irq_level = level;
	irq_set_level(&gpio->options.irq, level);
}

static uint8_t *find_register(struct pl061 *gpio, uint64_t offset)
{
	switch (offset) {
	case REG_DIRECTION:
		return &gpio->directions;
	case REG_SENSE:
		return &gpio->is_level;
	case REG_BOTH_EDGES:
		return &gpio->on_both_edges;
	case REG_EVENT:
		return &gpio->on_rising;
	case REG_ENABLE:
		return &gpio->enabled;
	case REG_FUNCTION:
		return &gpio->functions;
	default:
		return NULL;
	}
}

static uint8_t read_register(struct pl061 *gpio, uint64_t offset)
{
	const uint8_t *plain = find_register(gpio, offset);

	if (plain)
		return *plain;
	if (offset < DATA_BYTES)
		return (uint8_t)(levels(gpio) & offset >> 2);
	if (offset == REG_RAW_STATUS)
		return raw_status(gpio);
	if (offset == REG_MASKED_STATUS)
		return raw_status(gpio) & gpio->enabled;
	if (offset >= PRIMECELL_IDENTITY && offset < PRIMECELL_BYTES)
		return primecell_identity(PART, offset);
	return 0;
}

static void write_register(struct pl061 *gpio, uint64_t offset, uint8_t value)
{
	const uint8_t before = levels(gpio), lines = (uint8_t)(offset >> 2);
	uint8_t *plain = find_register(gpio, offset);

	if (plain)
		*plain = value;
	else if (offset < DATA_BYTES)
		gpio->outputs = (uint8_t)((gpio->outputs & ~lines) | (value & lines));
	else if (offset == REG_CLEAR)
		gpio->edges &= (uint8_t)~value;
	note_edges(gpio, before);
	settle(gpio);
}

static uint64_t pl061_read(void *device, uint64_t offset, unsigned int size)
{
	struct pl061 *gpio = device;
	uint8_t value;

	if (size > 4 || offset % 4)
		return 0;
	(void)pthread_mutex_lock(&gpio->lock);
	value = read_register(gpio, offset);
	(void)pthread_mutex_unlock(&gpio->lock);
	return value;
}

static void pl061_write(void *device, uint64_t offset, unsigned int size, uint64_t value)
{
	struct pl061 *gpio = device;

	if (size > 4 || offset % 4)
		return;
	(void)pthread_mutex_lock(&gpio->lock);
	write_register(gpio, offset, (uint8_t)value);
	(void)pthread_mutex_unlock(&gpio->lock);
}

const struct bus_ops pl061_bus_ops = {pl061_read, pl061_write};

void pl061_init(struct pl061 *gpio, const struct pl061_options *options)
{
	*gpio = (struct pl061){.options = *options};
	(void)pthread_mutex_init(&gpio->lock, NULL); /* cannot fail without attributes */
}

void pl061_fini(struct pl061 *gpio)
{
	(void)pthread_mutex_destroy(&gpio->lock);
}

void pl061_reset(struct pl061 *gpio)
{
	(void)pthread_mutex_lock(&gpio->lock);
	gpio->inputs = gpio->outputs = gpio->directions = 0;
	gpio->is_level = gpio->on_both_edges = gpio->on_rising = 0;
	gpio->enabled = gpio->edges = gpio->functions = 0;
	timer_arm(&gpio->options.timer, 0);
	settle(gpio);
	(void)pthread_mutex_unlock(&gpio->lock);
}

bool pl061_power_key_is_enabled(struct pl061 *gpio)
{
	bool is_enabled;

	(void)pthread_mutex_lock(&gpio->lock);
	is_enabled = gpio->enabled & ~gpio->directions & key_bit(gpio);
	(void)pthread_mutex_unlock(&gpio->lock);
	return is_enabled;
}

static void move_key(struct pl061 *gpio, bool down, uint64_t deadline_ns)
{
	uint8_t before;

	(void)pthread_mutex_lock(&gpio->lock);
	before = levels(gpio);
	gpio->inputs = down ? key_bit(gpio) : 0;
	note_edges(gpio, before);
	settle(gpio);
	timer_arm(&gpio->options.timer, deadline_ns);
	(void)pthread_mutex_unlock(&gpio->lock);
}

void pl061_press_power_key(struct pl061 *gpio)
{
	move_key(gpio, true, gpio->options.read_clock(CLOCK_MONOTONIC) + PRESS_NS);
}

void pl061_tick(struct pl061 *gpio)
{
	move_key(gpio, false, 0);
}
