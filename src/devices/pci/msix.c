/*
 * PCI Local Bus 3.0, 6.8.2 and 6.8.3. See msix.h.
 *
 * A vector is deaf while MSI-X is off, the function is masked, its own bit is set or the sink has
 * refused its message. Its state holds that in one bit and whether it fired meanwhile in another;
 * an exchange on one side and compare-and-exchange on the other decide who sends, so a message is
 * neither lost nor sent twice when firing and unmasking meet.
 */
#include "msix.h"

#include <errno.h>

#define CAPABILITY_ID      0x11
#define CONTROL            2 /* offsets in the capability */
#define TABLE              4
#define PENDING            8
#define CONTROL_SIZE_MASK  0x07ffU
#define CONTROL_FUNCTION   0x4000U
#define CONTROL_ENABLE     0x8000U
#define ENTRY_ADDRESS_LOW  0 /* offsets in an entry */
#define ENTRY_ADDRESS_HIGH 4
#define ENTRY_DATA         8
#define ENTRY_CONTROL      12
#define ENTRY_MASKED       1U

#define STATE_MASKED  1U
#define STATE_PENDING 2U

static bool is_to_be_masked(const struct msix *msix, const struct msix_vector *vector)
{
	return !atomic_load(&msix->enabled) || msix->function_masked || vector->masked;
}

static void mask(struct msix *msix, unsigned int index)
{
	struct msix_vector *vector = &msix->vectors[index];

	if (atomic_fetch_or(&vector->state, STATE_MASKED) & STATE_MASKED)
		return;
	(void)msix->sink.set_vector(
		msix->sink.owner, index, vector->address, vector->data, true); /* cannot matter */
}

static void unmask(struct msix *msix, unsigned int index)
{
	struct msix_vector *vector = &msix->vectors[index];

	/* A message that cannot be sent: the vector stays deaf and what fires pending. */
	if (msix->sink.set_vector(msix->sink.owner, index, vector->address, vector->data, false) <
		0) {
		mask(msix, index);
		return;
	}
	/* ORDER: pairs with the compare-and-exchange in msix_fire: whoever fired before this saw
	 * the vector masked and has left its bit, whoever fires later sends. */
	if (atomic_exchange(&vector->state, 0) & STATE_PENDING)
		msix->sink.fire(msix->sink.owner, index);
}

/* Makes the state of a vector what its masks say; changed: its message is another. */
static void update(struct msix *msix, unsigned int index, bool changed)
{
	struct msix_vector *vector = &msix->vectors[index];
	bool is_masked = (atomic_load(&vector->state) & STATE_MASKED) != 0;

	if (is_to_be_masked(msix, vector))
		mask(msix, index);
	else if (is_masked || changed)
		unmask(msix, index);
}

static void update_all(struct msix *msix)
{
	for (unsigned int i = 0; i < msix->vector_count; i++) {
		update(msix, i, false);
		/* What was left for a driver that has turned MSI-X off is not for the next. */
		if (!atomic_load(&msix->enabled))
			(void)atomic_fetch_and(&msix->vectors[i].state, (uint8_t)~STATE_PENDING);
	}
}

void msix_config_written(struct msix *msix, unsigned int reg, unsigned int size)
{
	unsigned int control = msix->capability + CONTROL;
	uint32_t value;

	if (reg >= control + 2 || reg + size <= control)
		return;
	(void)pthread_mutex_lock(&msix->lock);
	value = pci_device_load(msix->pci, control, 2);
	atomic_store(&msix->enabled, (value & CONTROL_ENABLE) != 0);
	msix->function_masked = (value & CONTROL_FUNCTION) != 0;
	update_all(msix);
	(void)pthread_mutex_unlock(&msix->lock);
}

void msix_reset(struct msix *msix)
{
	(void)pthread_mutex_lock(&msix->lock);
	atomic_store(&msix->enabled, false);
	msix->function_masked = false;
	update_all(msix);
	for (unsigned int i = 0; i < msix->vector_count; i++) {
		msix->vectors[i].address = 0;
		msix->vectors[i].data = 0;
		msix->vectors[i].masked = true;
	}
	(void)pthread_mutex_unlock(&msix->lock);
}

bool msix_is_enabled(const struct msix *msix)
{
	return atomic_load(&msix->enabled);
}

void msix_fire(struct msix *msix, unsigned int index)
{
	struct msix_vector *vector;
	uint8_t state;

	if (index >= msix->vector_count)
		return;
	vector = &msix->vectors[index];
	state = atomic_load(&vector->state);
	while (state & STATE_MASKED)
		if (atomic_compare_exchange_weak(
			    &vector->state, &state, (uint8_t)(state | STATE_PENDING)))
			return;
	msix->sink.fire(msix->sink.owner, index);
}

int msix_descriptor(const struct msix *msix, unsigned int index)
{
	return index < msix->vector_count && msix->sink.descriptor
	               ? msix->sink.descriptor(msix->sink.owner, index)
	               : -1;
}

/* PCI 3.0 6.8.2: dwords or quadwords, aligned. */
static bool is_valid(uint64_t offset, unsigned int size, uint64_t bytes)
{
	return (size == 4 || size == 8) && offset % size == 0 && offset < bytes &&
	       size <= bytes - offset;
}

static uint32_t load_entry(const struct msix_vector *vector, unsigned int field)
{
	switch (field) {
	case ENTRY_ADDRESS_LOW:
		return (uint32_t)vector->address;
	case ENTRY_ADDRESS_HIGH:
		return (uint32_t)(vector->address >> 32);
	case ENTRY_DATA:
		return vector->data;
	default:
		return vector->masked ? ENTRY_MASKED : 0;
	}
}

static void store_entry(struct msix_vector *vector, unsigned int field, uint32_t value)
{
	switch (field) {
	case ENTRY_ADDRESS_LOW:
		/* 6.8.2.4: messages are dwords; the low bits of their address are zero. */
		vector->address = (vector->address & ~(uint64_t)UINT32_MAX) | (value & ~3U);
		break;
	case ENTRY_ADDRESS_HIGH:
		vector->address = (uint32_t)vector->address | (uint64_t)value << 32;
		break;
	case ENTRY_DATA:
		vector->data = value;
		break;
	default:
		vector->masked = (value & ENTRY_MASKED) != 0;
		break;
	}
}

uint64_t msix_table_read(struct msix *msix, uint64_t offset, unsigned int size)
{
	const struct msix_vector *vector;
	unsigned int field = offset % MSIX_ENTRY_BYTES;
	uint64_t value;

	if (!is_valid(offset, size, msix_table_bytes(msix)))
		return 0;
	vector = &msix->vectors[offset / MSIX_ENTRY_BYTES];
	(void)pthread_mutex_lock(&msix->lock);
	value = load_entry(vector, field);
	if (size == 8)
		value |= (uint64_t)load_entry(vector, field + 4) << 32;
	(void)pthread_mutex_unlock(&msix->lock);
	return value;
}

void msix_table_write(struct msix *msix, uint64_t offset, unsigned int size, uint64_t value)
{
	unsigned int index = (unsigned int)(offset / MSIX_ENTRY_BYTES);
	unsigned int field = offset % MSIX_ENTRY_BYTES;
	struct msix_vector *vector;
	uint64_t old_address;
	uint32_t old_data;

	if (!is_valid(offset, size, msix_table_bytes(msix)))
		return;
	vector = &msix->vectors[index];
	(void)pthread_mutex_lock(&msix->lock);
	old_address = vector->address;
	old_data = vector->data;
	store_entry(vector, field, (uint32_t)value);
	if (size == 8)
		store_entry(vector, field + 4, (uint32_t)(value >> 32));
	update(msix, index, old_address != vector->address || old_data != vector->data);
	(void)pthread_mutex_unlock(&msix->lock);
}

uint64_t msix_pending_read(const struct msix *msix, uint64_t offset, unsigned int size)
{
	uint64_t bits = 0;

	if (!is_valid(offset, size, msix_pending_bytes(msix)))
		return 0;
	for (unsigned int i = 0; i < 8 * size; i++) {
		unsigned int index = (unsigned int)(8 * offset) + i;

		if (index < msix->vector_count &&
			(atomic_load(&msix->vectors[index].state) & STATE_PENDING))
			bits |= UINT64_C(1) << i;
	}
	return bits;
}

int msix_init(struct msix *msix, struct pci_device *pci, const struct msix_layout *layout,
	const struct msi_sink *sink)
{
	unsigned int capability;
	int r;

	if (!layout->vector_count || layout->vector_count > MSIX_VECTORS_MAX ||
		layout->table_bar >= PCI_BARS || layout->pending_bar >= PCI_BARS ||
		layout->table_offset % 8 || layout->pending_offset % 8)
		return -EINVAL;
	r = pci_device_add_capability(pci, CAPABILITY_ID, MSIX_CAPABILITY_SIZE, &capability);
	if (r < 0)
		return r;
	pci_device_store(
		pci, capability + CONTROL, 2, (layout->vector_count - 1) & CONTROL_SIZE_MASK);
	pci_device_store(pci, capability + TABLE, 4, layout->table_offset | layout->table_bar);
	pci_device_store(
		pci, capability + PENDING, 4, layout->pending_offset | layout->pending_bar);
	pci_device_set_writable(pci, capability + CONTROL, 2, CONTROL_ENABLE | CONTROL_FUNCTION);
	*msix = (struct msix){.pci = pci,
		.sink = *sink,
		.vector_count = layout->vector_count,
		.capability = capability};
	(void)pthread_mutex_init(&msix->lock, NULL); /* cannot fail without attributes */
	for (unsigned int i = 0; i < msix->vector_count; i++) {
		msix->vectors[i].masked = true;
		atomic_init(&msix->vectors[i].state, STATE_MASKED);
	}
	return 0;
}

void msix_fini(struct msix *msix)
{
	(void)pthread_mutex_destroy(&msix->lock);
}
