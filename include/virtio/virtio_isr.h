/*
 * Why a virtio device interrupts, as a few bits, and the interrupt line that follows them: the
 * InterruptStatus of virtio-mmio (VIRTIO 1.2 4.2.2) and the ISR status of virtio-pci (4.1.4.5).
 *
 * Bits are set by any thread, cleared by vCPU threads. Setting one that is set already takes no
 * lock; otherwise a leaf lock makes the line follow the bits, or a late raise would leave it up
 * behind an acknowledgement that has cleared them.
 */
#pragma once

#include "irq.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define VIRTIO_ISR_QUEUE         1U
#define VIRTIO_ISR_CONFIGURATION 2U

struct virtio_isr {
	struct irq irq;        /* [const] */
	bool edge_triggered;   /* [const] a pulse for every bit that becomes set, no level */
	_Atomic uint32_t bits; /* [atomic] */
	pthread_mutex_t lock;
	bool gated; /* [lock] bits are kept, the line is not driven */
	bool level; /* [lock] of the line */
};

void virtio_isr_init(struct virtio_isr *isr, const struct irq *irq, bool edge_triggered);
void virtio_isr_fini(struct virtio_isr *isr);

/* Any thread. */
void virtio_isr_raise(struct virtio_isr *isr, uint32_t bits);
uint32_t virtio_isr_bits(const struct virtio_isr *isr);

/* vCPU threads. Gives what was set before. */
uint32_t virtio_isr_clear(struct virtio_isr *isr, uint32_t bits);
void virtio_isr_gate(struct virtio_isr *isr, bool gated);
