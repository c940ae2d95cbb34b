/*
 * An interrupt line as a device sees it: something to raise and lower. What is behind it (a GSI of
 * the in-kernel irqchip, a counter in a test) is the machine's business.
 *
 * May be called from any thread; does not block.
 */
#pragma once

#include <stdbool.h>

struct irq_ops {
	void (*set_level)(void *controller, unsigned int line, bool level);
};

struct irq {
	const struct irq_ops *ops; /* NULL: not connected */
	void *controller;
	unsigned int line;
};

static inline void irq_set_level(const struct irq *irq, bool level)
{
	if (irq->ops)
		irq->ops->set_level(irq->controller, irq->line, level);
}
