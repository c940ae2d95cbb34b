/* See virtio_isr.h. */
#include "virtio_isr.h"

void virtio_isr_init(struct virtio_isr *isr, const struct irq *irq, bool edge_triggered)
{
	*isr = (struct virtio_isr){.irq = *irq, .edge_triggered = edge_triggered};
	(void)pthread_mutex_init(&isr->lock, NULL); /* cannot fail without attributes */
}

void virtio_isr_fini(struct virtio_isr *isr)
{
	(void)pthread_mutex_destroy(&isr->lock);
}

static void follow(struct virtio_isr *isr)
{
	bool level = !isr->gated && atomic_load(&isr->bits) != 0;

	if (isr->edge_triggered || level == isr->level)
		return;
	isr->level = level;
	irq_set_level(&isr->irq, level);
}

void virtio_isr_raise(struct virtio_isr *isr, uint32_t bits)
{
	/* ORDER: pairs with the clearing in virtio_isr_clear. Bits that are still set will be
	 * cleared after this; the driver then looks at its rings and sees what was published
	 * before. */
	if ((atomic_fetch_or(&isr->bits, bits) & bits) == bits)
		return;
	(void)pthread_mutex_lock(&isr->lock);
	if (isr->edge_triggered && !isr->gated) {
		irq_set_level(&isr->irq, true);
		irq_set_level(&isr->irq, false);
	}
	follow(isr);
	(void)pthread_mutex_unlock(&isr->lock);
}

uint32_t virtio_isr_bits(const struct virtio_isr *isr)
{
	return atomic_load(&isr->bits);
}

uint32_t virtio_isr_clear(struct virtio_isr *isr, uint32_t bits)
{
	uint32_t before;

	(void)pthread_mutex_lock(&isr->lock);
	before = atomic_fetch_and(&isr->bits, ~bits);
	follow(isr);
	(void)pthread_mutex_unlock(&isr->lock);
	return before;
}

void virtio_isr_gate(struct virtio_isr *isr, bool gated)
{
	(void)pthread_mutex_lock(&isr->lock);
	isr->gated = gated;
	follow(isr);
	(void)pthread_mutex_unlock(&isr->lock);
}
