/* A sink for MSI messages that remembers what it was told. */
#pragma once

#include "msix.h"

#include <errno.h>
#include <string.h>

struct fake_msi_vector {
	uint64_t address;
	uint32_t data;
	bool unmasked;
	unsigned int sets;
	_Atomic unsigned int fired;
};

struct fake_msi {
	struct fake_msi_vector vectors[MSIX_VECTORS_MAX];
	bool refuses;
};

static inline int fake_msi_set_vector(
	void *owner, unsigned int index, uint64_t address, uint32_t data, bool masked)
{
	struct fake_msi *msi = owner;
	struct fake_msi_vector *vector = &msi->vectors[index];

	vector->sets++;
	if (msi->refuses && !masked)
		return -ENOSPC;
	vector->address = address;
	vector->data = data;
	vector->unmasked = !masked;
	return 0;
}

static inline void fake_msi_fire(void *owner, unsigned int index)
{
	struct fake_msi *msi = owner;

	msi->vectors[index].fired++;
}

static inline int fake_msi_descriptor(void *owner, unsigned int index)
{
	(void)owner;
	return 500 + (int)index;
}

static inline struct msi_sink fake_msi_sink(struct fake_msi *msi)
{
	return (struct msi_sink){.set_vector = fake_msi_set_vector,
		.fire = fake_msi_fire,
		.descriptor = fake_msi_descriptor,
		.owner = msi};
}
