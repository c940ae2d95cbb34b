/*
 * KVM's interval timer (8254), created when the guest first uses it.
 *
 * Kernels with a paravirtual clock and a deadline timer never do, and creating one costs a VM 0.1
 * ms at its start and, while KVM waits for its interrupt notifiers, some 10 ms at its end. Until
 * then the ports are here; afterwards KVM answers them and this file is asked no more, but for
 * accesses that were under way.
 *
 * Ports from any vCPU thread.
 */
#pragma once

#include "bus.h"
#include "err.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define PIT_PORTS        4
#define PIT_SPEAKER_PORT 0x61
#define PIT_CHANNELS     3

struct pit {
	const int *vm_fd; /* [const] borrowed: the current VM's */
	pthread_mutex_t lock;
	bool created;                  /* [lock] */
	uint8_t control[PIT_CHANNELS]; /* [lock] control words that came before; 0: none */
};

void pit_init(struct pit *pit, const int *vm_fd);
void pit_fini(struct pit *pit);
void pit_reset(struct pit *pit); /* the VM is about to be remade */

extern const struct bus_ops pit_bus_ops;         /* PIT_PORTS at PIO_PIT */
extern const struct bus_ops pit_speaker_bus_ops; /* one port */
