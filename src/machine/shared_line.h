/*
 * A level-triggered interrupt line that several devices share: high while any of them holds it.
 * PCI Local Bus 3.0 2.2.6.
 *
 * set_level from any thread.
 */
#pragma once

#include "irq.h"

#include <pthread.h>
#include <stdint.h>

#define SHARED_LINE_DEVICES 64

struct shared_line {
	struct irq irq; /* [const] */
	pthread_mutex_t lock;
	uint64_t holders; /* [lock] a bit for each device */
};

void shared_line_init(struct shared_line *line, const struct irq *irq);
void shared_line_fini(struct shared_line *line);

/* The line as one of its devices, 0 to SHARED_LINE_DEVICES - 1, sees it. */
struct irq shared_line_of(struct shared_line *line, unsigned int device);
