/*
 * The MSI-X capability of a PCI function: table, pending bits, and the two masks (PCI Local Bus 3.0
 * 6.8.2). Behind it is a sink that can send messages; what that is (a KVM route and an irqfd, a
 * counter in a test) is the machine's business.
 *
 * Table and message control are changed by vCPU threads under the lock here, a leaf below the host
 * bridge's and any device's lock. Firing takes no lock: masked or not, and pending or not, is one
 * atomic word per vector.
 */
#pragma once

#include "compiler.h"
#include "pci.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define MSIX_VECTORS_MAX     128
#define MSIX_ENTRY_BYTES     16
#define MSIX_CAPABILITY_SIZE 12

struct msi_sink {
	/* The message of a vector is this one from now on. Masked: fire will not be called until
	 * the next call that says otherwise, and what is behind the vector may be given up (address
	 * and data are what the table holds). Failure leaves the vector masked: what fires stays
	 * pending. A vCPU thread with the MSI-X lock held. */
	int (*set_vector)(
		void *owner, unsigned int vector, uint64_t address, uint32_t data, bool masked);
	/* Sends it. Any thread, no lock held; does not block. One that was on its way may still
	 * come while, or just after, the vector is masked on another thread. */
	void (*fire)(void *owner, unsigned int vector);
	/* An eventfd by which others fire the vector: what is written to it while the vector is
	 * masked is sent when it is not any more. -1: it has none. Any thread. May be NULL. */
	int (*descriptor)(void *owner, unsigned int vector);
	void *owner;
};

struct msix_vector {
	uint64_t address;      /* [msix lock] */
	uint32_t data;         /* [msix lock] */
	bool masked;           /* [msix lock] by its own mask bit */
	_Atomic uint8_t state; /* [atomic] */
};

struct msix_layout {
	unsigned int vector_count; /* 1 to MSIX_VECTORS_MAX */
	unsigned int table_bar, pending_bar;
	uint32_t table_offset, pending_offset; /* multiples of 8 */
};

struct msix {
	struct pci_device *pci;    /* [const] */
	struct msi_sink sink;      /* [const] */
	unsigned int vector_count; /* [const] */
	unsigned int capability;   /* [const] offset in configuration space */
	pthread_mutex_t lock;
	bool function_masked; /* [msix lock] */
	_Atomic bool enabled; /* [atomic] written under the lock */
	struct msix_vector vectors[MSIX_VECTORS_MAX];
};

/* Adds the capability to pci; -EINVAL for a layout that is none, -ENOSPC without room. */
must_check int msix_init(struct msix *msix, struct pci_device *pci,
	const struct msix_layout *layout, const struct msi_sink *sink);
void msix_fini(struct msix *msix);

/* Power-on state: disabled, all vectors masked, nothing pending. Message control was cleared. */
void msix_reset(struct msix *msix);

/* After a guest's write to configuration space: looks at message control if it was touched. */
void msix_config_written(struct msix *msix, unsigned int reg, unsigned int size);

static inline uint32_t msix_table_bytes(const struct msix *msix)
{
	return MSIX_ENTRY_BYTES * msix->vector_count;
}

static inline uint32_t msix_pending_bytes(const struct msix *msix)
{
	return (msix->vector_count + 63) / 64 * 8;
}

/* Aligned accesses of 4 and 8 bytes, as 6.8.2 has them; others read zero and write nothing, and so
 * does what lies outside. The pending bits are read-only. */
uint64_t msix_table_read(struct msix *msix, uint64_t offset, unsigned int size);
void msix_table_write(struct msix *msix, uint64_t offset, unsigned int size, uint64_t value);
uint64_t msix_pending_read(const struct msix *msix, uint64_t offset, unsigned int size);

/* Any thread. */
bool msix_is_enabled(const struct msix *msix);
/* Sends the vector's message, or makes it pending while masked. Vectors that are not there are
 * ignored. */
void msix_fire(struct msix *msix, unsigned int index);
/* The sink's eventfd of the vector; -1: there is none, or no such vector. */
int msix_descriptor(const struct msix *msix, unsigned int index);
