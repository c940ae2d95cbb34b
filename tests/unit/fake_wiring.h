/*
 * What a chip is wired to, recorded: interrupt line, timer, guest end, clocks; and a PIO bus with
 * the instructions of the PC, so that driver sequences read like the driver.
 */
#pragma once

#include "bus.h"
#include "cmocka_all.h"
#include "guest_end.h"
#include "irq.h"
#include "timer.h"

#include <time.h>

struct fake_irq {
	bool level;
	unsigned int rises;
};

static inline void fake_irq_set_level(void *controller, unsigned int line, bool level)
{
	struct fake_irq *irq = controller;

	(void)line;
	irq->rises += level && !irq->level;
	irq->level = level;
}

static const struct irq_ops fake_irq_ops = {fake_irq_set_level};

static inline struct irq fake_irq_line(struct fake_irq *irq)
{
	return (struct irq){.ops = &fake_irq_ops, .controller = irq, .line = 7};
}

struct fake_timer {
	uint64_t deadline_ns;
	unsigned int arms;
};

static inline void fake_timer_arm(void *host, uint64_t deadline_ns)
{
	struct fake_timer *timer = host;

	timer->deadline_ns = deadline_ns;
	timer->arms++;
}

static inline struct timer fake_timer_host(struct fake_timer *timer)
{
	return (struct timer){.arm = fake_timer_arm, .host = timer};
}

struct fake_end {
	unsigned int reports;
	enum guest_end end;
	uint32_t value;
};

static inline void fake_end_report(void *owner, enum guest_end end, uint32_t value)
{
	struct fake_end *fake = owner;

	fake->reports++;
	fake->end = end;
	fake->value = value;
}

static inline struct guest_end_sink fake_end_sink(struct fake_end *fake)
{
	return (struct guest_end_sink){.report = fake_end_report, .owner = fake};
}

static uint64_t fake_monotonic_ns;
static uint64_t fake_realtime_ns;

static inline uint64_t fake_read_clock(clockid_t clock)
{
	return clock == CLOCK_REALTIME ? fake_realtime_ns : fake_monotonic_ns;
}

static inline void fake_sleep_ns(uint64_t ns)
{
	fake_monotonic_ns += ns;
	fake_realtime_ns += ns;
}

/* Sleeps until the one-shot timer fires; the test then calls the chip's tick. */
static inline void fake_timer_wait(struct fake_timer *timer)
{
	assert_int_not_equal(timer->deadline_ns, 0);
	if (timer->deadline_ns > fake_monotonic_ns)
		fake_sleep_ns(timer->deadline_ns - fake_monotonic_ns);
	timer->deadline_ns = 0;
}

static struct bus fake_ports;

static inline void fake_ports_attach(
	uint64_t base, uint64_t size, const struct bus_ops *ops, void *device)
{
	struct bus_range range = {
		.base = base, .size = size, .ops = ops, .device = device, .name = "chip"};

	assert_int_equal(bus_attach(&fake_ports, &range, NULL), 0);
}

static inline uint64_t fake_in(uint64_t port, unsigned int size)
{
	uint64_t value;

	(void)bus_read(&fake_ports, port, size, &value);
	return value;
}

static inline uint8_t inb(uint64_t port)
{
	return (uint8_t)fake_in(port, 1);
}

static inline uint16_t inw(uint64_t port)
{
	return (uint16_t)fake_in(port, 2);
}

static inline uint32_t inl(uint64_t port)
{
	return (uint32_t)fake_in(port, 4);
}

static inline void outb(uint8_t value, uint64_t port)
{
	(void)bus_write(&fake_ports, port, 1, value);
}

static inline void outw(uint16_t value, uint64_t port)
{
	(void)bus_write(&fake_ports, port, 2, value);
}

static inline void outl(uint32_t value, uint64_t port)
{
	(void)bus_write(&fake_ports, port, 4, value);
}

/* Numbers that are the same in every run (xorshift). */
static inline uint64_t fake_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Every offset with every size and odd values, then a long random sequence; reads must not be wider
 * than asked for. Sanitizers judge the rest. */
static inline void hostile_access(
	const struct bus_ops *ops, void *device, uint64_t offset, unsigned int size, uint64_t value)
{
	uint64_t read = ops->read(device, offset, size);

	if (size < 8)
		assert_int_equal(read >> (8 * size), 0);
	ops->write(
		device, offset, size, size < 8 ? value & ((UINT64_C(1) << (8 * size)) - 1) : value);
}

static inline void hostile_accesses(
	const struct bus_ops *ops, void *device, uint64_t range_size, unsigned int max_size)
{
	static const uint64_t values[] = {0, UINT64_MAX, UINT64_C(0x5555555555555555),
		UINT64_C(0xaaaaaaaaaaaaaaaa), UINT64_C(0x8000000080000000), 1, 0x80, 0x99,
		0x3f3f3f3f};
	uint64_t random = 42;

	for (uint64_t offset = 0; offset < range_size && offset < 4096; offset++)
		for (unsigned int size = 1; size <= max_size && size <= range_size - offset;
			size *= 2)
			for (size_t i = 0; i < array_size(values); i++)
				hostile_access(ops, device, offset, size, values[i]);
	for (unsigned int i = 0; i < 50000; i++) {
		unsigned int size = 1U << fake_random(&random) % 4;
		uint64_t offset = fake_random(&random) % range_size;
		uint64_t value = fake_random(&random);

		fake_sleep_ns(fake_random(&random) % 2000000000);
		if (size <= max_size && size <= range_size - offset)
			hostile_access(ops, device, offset, size, value);
	}
}
