/* Which messages find an interrupt: GICv2m (SBSA, appendix E) and the ITS. */
#include "cmocka_all.h"
#include "gic.h"

#include <linux/kvm.h>

#define SETSPI    UINT64_C(0x08020040) /* the frame's MSI_SETSPI_NS */
#define FIRST_SPI 96
#define SPIS      896

static void test_v2m(void **state)
{
	const struct gic gic = {.version = 2, .fd = -1, .its_fd = -1};
	struct arch_message message = {.address = SETSPI, .data = FIRST_SPI};
	struct kvm_irq_routing_entry entry;

	(void)state;
	assert_true(gic_route_message(&gic, &message, &entry));
	assert_int_equal(entry.type, KVM_IRQ_ROUTING_IRQCHIP);
	assert_int_equal(entry.u.irqchip.irqchip, 0);
	assert_int_equal(entry.u.irqchip.pin, FIRST_SPI - 32);
	message.data = FIRST_SPI + SPIS - 1;
	assert_true(gic_route_message(&gic, &message, &entry));
	assert_int_equal(entry.u.irqchip.pin, FIRST_SPI + SPIS - 1 - 32);
	message.data++;
	assert_false(gic_route_message(&gic, &message, &entry));
	/* The board's own lines are no business of a message's. */
	for (message.data = 0; message.data < FIRST_SPI; message.data++)
		assert_false(gic_route_message(&gic, &message, &entry));
	message = (struct arch_message){.address = SETSPI + 4, .data = FIRST_SPI};
	assert_false(gic_route_message(&gic, &message, &entry));
}

static void test_v2m_frame(void **state)
{
	(void)state;
	assert_int_equal(gic_v2m_bus_ops.read(NULL, 0x008, 4), FIRST_SPI << 16 | SPIS);
	assert_int_equal(gic_v2m_bus_ops.read(NULL, 0x008, 8), 0);
	gic_v2m_bus_ops.write(NULL, 0x040, 4, FIRST_SPI);
}

static void test_its(void **state)
{
	struct gic gic = {.version = 3, .fd = -1, .its_fd = 7};
	const struct arch_message message = {
		.address = UINT64_C(0x108050040), .data = 5, .device_id = 24};
	struct kvm_irq_routing_entry entry;

	(void)state;
	assert_true(gic_route_message(&gic, &message, &entry));
	assert_int_equal(entry.type, KVM_IRQ_ROUTING_MSI);
	assert_int_equal(entry.flags, KVM_MSI_VALID_DEVID);
	assert_int_equal(entry.u.msi.address_lo, 0x08050040);
	assert_int_equal(entry.u.msi.address_hi, 1);
	assert_int_equal(entry.u.msi.data, 5);
	assert_int_equal(entry.u.msi.devid, 24);
	gic.its_fd = -1;
	assert_false(gic_route_message(&gic, &message, &entry));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_v2m),
		cmocka_unit_test(test_v2m_frame),
		cmocka_unit_test(test_its),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
