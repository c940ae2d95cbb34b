/*
 * Message-signalled interrupts of the VM: a KVM route and an irqfd for each vector in use.
 *
 * The table of routes is KVM's whole interrupt routing (KVM API 4.52), so it contains the
 * architecture's own lines as well. Vectors are set up on the main thread; set and clear come from
 * vCPU threads and take the table's lock, fire from any thread and takes none.
 */
#pragma once

#include "arch.h"
#include "compiler.h"
#include "err.h"

#include <linux/kvm.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* 120 disks of 16 queues, a console and more; KVM has 4096 routes. */
#define MSI_VECTORS_MAX 2560

struct msi_table {
	const int *vm_fd;            /* [const] borrowed: the current VM's */
	struct arch_vm *const *arch; /* [const] borrowed: the current VM's */
	pthread_mutex_t lock;
	unsigned int line_count;         /* [const] the architecture's own routes come first */
	unsigned int line_gsis;          /* [const] and take these GSIs */
	unsigned int vector_count;       /* [main] */
	struct kvm_irq_routing *routing; /* [lock] owned; room for all */
	struct msi_vector *vectors[MSI_VECTORS_MAX]; /* [main] borrowed */
};

struct msi_vector {
	struct msi_table *table;     /* [const] NULL: not set up */
	unsigned int gsi;            /* [const] */
	int fd;                      /* [const] eventfd, owned */
	bool connected;              /* [lock] */
	struct arch_message message; /* [lock] its device_id [const] */
};

must_check int msi_table_create(
	struct msi_table *table, const int *vm_fd, struct arch_vm *const *arch, struct err *err);
void msi_table_destroy(struct msi_table *table);
void msi_table_reset(struct msi_table *table); /* the VM is about to be remade */

/* -ENOSPC when the table is full. */
must_check int msi_vector_init(
	struct msi_vector *vector, struct msi_table *table, uint32_t device_id, struct err *err);
void msi_vector_fini(struct msi_vector *vector); /* accepts one that is all zero */

/* Connects the vector to the message; again with another message moves it. -errno of KVM's. */
must_check int msi_vector_connect(struct msi_vector *vector, uint64_t address, uint32_t data);
void msi_vector_disconnect(struct msi_vector *vector);

/* An interrupt, if connected; else once it is: KVM looks at an eventfd when it takes it. */
void msi_vector_fire(const struct msi_vector *vector);
