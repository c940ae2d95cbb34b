/* See msi.h. */
#include "msi.h"

#include "fd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define LINES_MAX 256

int msi_table_create(
	struct msi_table *table, const int *vm_fd, struct arch_vm *const *arch, struct err *err)
{
	*table = (struct msi_table){.vm_fd = vm_fd, .arch = arch};
	table->routing = calloc(
		1, sizeof(*table->routing) +
			   (LINES_MAX + MSI_VECTORS_MAX) * sizeof(table->routing->entries[0]));
	if (!table->routing)
		return err_set_errno(err, ENOMEM, "the interrupt routes");
	table->line_count = arch_irq_routes(table->routing->entries, LINES_MAX, &table->line_gsis);
	(void)pthread_mutex_init(&table->lock, NULL);
	return 0;
}

void msi_table_destroy(struct msi_table *table)
{
	if (!table->routing)
		return;
	free(table->routing);
	table->routing = NULL;
	(void)pthread_mutex_destroy(&table->lock);
}

void msi_table_reset(struct msi_table *table)
{
	for (unsigned int i = 0; i < table->vector_count; i++)
		if (table->vectors[i])
			table->vectors[i]->connected = false;
}

int msi_vector_init(
	struct msi_vector *vector, struct msi_table *table, uint32_t device_id, struct err *err)
{
	int fd;

	if (table->vector_count == MSI_VECTORS_MAX)
		return err_set(
			err, ENOSPC, "no more than %d interrupt vectors in a VM", MSI_VECTORS_MAX);
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd < 0)
		return err_set_errno(err, errno, "cannot create an eventfd");
	*vector = (struct msi_vector){
		.table = table,
		.gsi = table->line_gsis + table->vector_count,
		.message.device_id = device_id,
		.fd = fd,
	};
	table->vectors[table->vector_count++] = vector;
	return 0;
}

void msi_vector_fini(struct msi_vector *vector)
{
	if (!vector->table)
		return;
	msi_vector_disconnect(vector);
	vector->table->vectors[vector->gsi - vector->table->line_gsis] = NULL;
	fd_close(&vector->fd);
	vector->table = NULL;
}

/* Lock held. Routes of the lines, then of the connected vectors. */
static int set_routing(struct msi_table *table)
{
	struct kvm_irq_routing *routing = table->routing;

	routing->nr = table->line_count;
	for (unsigned int i = 0; i < table->vector_count; i++) {
		const struct msi_vector *vector = table->vectors[i];
		struct kvm_irq_routing_entry *entry = &routing->entries[routing->nr];

		/* A message to nowhere stays without a route: firing it does nothing. */
		if (!vector || !vector->connected ||
			!arch_msi_route(*table->arch, &vector->message, entry))
			continue;
		entry->gsi = vector->gsi;
		routing->nr++;
	}
	return ioctl(*table->vm_fd, KVM_SET_GSI_ROUTING, routing) < 0 ? -errno : 0;
}

static int set_irqfd(const struct msi_vector *vector, uint32_t flags)
{
	struct kvm_irqfd irqfd = {.fd = (uint32_t)vector->fd, .gsi = vector->gsi, .flags = flags};

	return ioctl(*vector->table->vm_fd, KVM_IRQFD, &irqfd) < 0 ? -errno : 0;
}

/* Lock held. A route comes before its irqfd and goes after it. */
static int connect_locked(struct msi_vector *vector, uint64_t address, uint32_t data)
{
	bool was_connected = vector->connected;
	int r;

	if (was_connected && vector->message.address == address && vector->message.data == data)
		return 0;
	vector->connected = true;
	vector->message.address = address;
	vector->message.data = data;
	r = set_routing(vector->table);
	if (r == 0 && !was_connected)
		r = set_irqfd(vector, 0);
	if (r < 0 && !was_connected)
		vector->connected = false;
	return r;
}

int msi_vector_connect(struct msi_vector *vector, uint64_t address, uint32_t data)
{
	int r;

	(void)pthread_mutex_lock(&vector->table->lock);
	r = connect_locked(vector, address, data);
	(void)pthread_mutex_unlock(&vector->table->lock);
	return r;
}

void msi_vector_disconnect(struct msi_vector *vector)
{
	(void)pthread_mutex_lock(&vector->table->lock);
	/* The stale route stays until the next change: without its irqfd nothing uses it. */
	if (vector->connected)
		(void)set_irqfd(vector, KVM_IRQFD_FLAG_DEASSIGN);
	vector->connected = false;
	(void)pthread_mutex_unlock(&vector->table->lock);
}

void msi_vector_fire(const struct msi_vector *vector)
{
	const uint64_t one = 1;

	/* A full counter is an interrupt that is pending already. */
	if (write(vector->fd, &one, sizeof(one)) < 0)
		return;
}
