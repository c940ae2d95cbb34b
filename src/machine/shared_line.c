/* See shared_line.h. */
#include "shared_line.h"

static void hold(void *controller, unsigned int device, bool level)
{
	struct shared_line *line = controller;
	uint64_t bit = UINT64_C(1) << device, before;

	(void)pthread_mutex_lock(&line->lock);
	before = line->holders;
	line->holders = level ? before | bit : before & ~bit;
	if (!before != !line->holders)
		irq_set_level(&line->irq, line->holders != 0);
	(void)pthread_mutex_unlock(&line->lock);
}

void shared_line_init(struct shared_line *line, const struct irq *irq)
{
	*line = (struct shared_line){.irq = *irq};
	(void)pthread_mutex_init(&line->lock, NULL);
}

void shared_line_fini(struct shared_line *line)
{
	(void)pthread_mutex_destroy(&line->lock);
}

struct irq shared_line_of(struct shared_line *line, unsigned int device)
{
	static const struct irq_ops ops = {.set_level = hold};

	return (struct irq){.ops = &ops, .controller = line, .line = device};
}
