/* See gic.h. */
#include "gic.h"

#include "fd.h"
#include "layout.h"

#include <errno.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>

#define GIC_V2_CPUS_MAX 8

/* SBSA, appendix E: the frame's registers. */
#define V2M_TYPER      0x008
#define V2M_SETSPI     0x040
#define V2M_BASE_SHIFT 16
#define V2M_PRODUCT    0x053f0000 /* in IIDR: an implementation that needs no workaround */
#define V2M_IIDR       0xfcc

static int create_device(int vm_fd, uint32_t type)
{
	struct kvm_create_device device = {.type = type, .fd = UINT32_MAX};

	return ioctl(vm_fd, KVM_CREATE_DEVICE, &device) < 0 ? -errno : (int)device.fd;
}

static int set_attribute(int fd, uint32_t group, uint64_t attribute, void *value)
{
	const struct kvm_device_attr attr = {
		.group = group, .attr = attribute, .addr = (uint64_t)(uintptr_t)value};

	return ioctl(fd, KVM_SET_DEVICE_ATTR, &attr) < 0 ? -errno : 0;
}

static int set_address(int fd, uint64_t which, uint64_t address)
{
	return set_attribute(fd, KVM_DEV_ARM_VGIC_GRP_ADDR, which, &address);
}

/* The ITS is a device of its own; without it PCI devices have their interrupt lines. */
static int create_its(int vm_fd, struct gic *gic)
{
	int r = create_device(vm_fd, KVM_DEV_TYPE_ARM_VGIC_ITS);

	if (r < 0)
		return 0;
	gic->its_fd = r;
	return set_address(gic->its_fd, KVM_VGIC_ITS_ADDR_TYPE, GIC_ITS_BASE);
}

static int place_v3(int vm_fd, struct gic *gic)
{
	int r = set_address(gic->fd, KVM_VGIC_V3_ADDR_TYPE_DIST, GIC_DISTRIBUTOR_BASE);

	if (r == 0)
		r = set_address(gic->fd, KVM_VGIC_V3_ADDR_TYPE_REDIST, GIC_REDISTRIBUTORS_BASE);
	return r == 0 ? create_its(vm_fd, gic) : r;
}

static int place_v2(const struct gic *gic)
{
	int r = set_address(gic->fd, KVM_VGIC_V2_ADDR_TYPE_DIST, GIC_DISTRIBUTOR_BASE);

	return r == 0 ? set_address(gic->fd, KVM_VGIC_V2_ADDR_TYPE_CPU, GIC_CPU_INTERFACE_BASE) : r;
}

int gic_create(int vm_fd, unsigned int cpu_count, struct gic *gic, struct err *err)
{
	uint32_t interrupts = SPI_FIRST + GSI_LINES;
	int r;

	*gic = (struct gic){.version = 3, .its_fd = -1};
	gic->fd = create_device(vm_fd, KVM_DEV_TYPE_ARM_VGIC_V3);
	if (gic->fd < 0) {
		gic->version = 2;
		gic->fd = create_device(vm_fd, KVM_DEV_TYPE_ARM_VGIC_V2);
		interrupts += GSI_V2M_COUNT;
	}
	if (gic->fd < 0)
		return err_set_errno(err, gic->fd, "KVM cannot create an interrupt controller");
	if (gic->version == 2 && cpu_count > GIC_V2_CPUS_MAX)
		return err_set(err, E2BIG,
			"this host's KVM has a GICv2 only, which is for %d CPUs at most",
			GIC_V2_CPUS_MAX);
	r = set_attribute(gic->fd, KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0, &interrupts);
	if (r == 0)
		r = gic->version == 3 ? place_v3(vm_fd, gic) : place_v2(gic);
	return r < 0 ? err_set_errno(err, r, "KVM refused the interrupt controller's place") : 0;
}

int gic_finish(const struct gic *gic, struct err *err)
{
	int r = set_attribute(gic->fd, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT, NULL);

	if (r == 0 && gic->its_fd >= 0)
		r = set_attribute(
			gic->its_fd, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT, NULL);
	return r < 0 ? err_set_errno(err, r, "KVM cannot start its interrupt controller") : 0;
}

void gic_destroy(struct gic *gic)
{
	fd_close(&gic->its_fd);
	fd_close(&gic->fd);
}

/* A write of a line's interrupt number to the frame raises that line. */
static bool route_to_line(
	const struct arch_message *message, struct kvm_irq_routing_entry *ret_entry)
{
	const uint32_t line = message->data - SPI_FIRST;

	if (message->address != GIC_V2M_BASE + V2M_SETSPI || line < GSI_V2M ||
		line >= GSI_V2M + GSI_V2M_COUNT)
		return false;
	*ret_entry = (struct kvm_irq_routing_entry){
		.type = KVM_IRQ_ROUTING_IRQCHIP,
		.u.irqchip.pin = line,
	};
	return true;
}

bool gic_route_message(const struct gic *gic, const struct arch_message *message,
	struct kvm_irq_routing_entry *ret_entry)
{
	if (gic->version == 2)
		return route_to_line(message, ret_entry);
	if (gic->its_fd < 0)
		return false;
	*ret_entry = (struct kvm_irq_routing_entry){
		.type = KVM_IRQ_ROUTING_MSI,
		.flags = KVM_MSI_VALID_DEVID,
		.u.msi.address_lo = (uint32_t)message->address,
		.u.msi.address_hi = (uint32_t)(message->address >> 32),
		.u.msi.data = message->data,
		.u.msi.devid = message->device_id,
	};
	return true;
}

static uint64_t gic_v2m_read(void *device, uint64_t offset, unsigned int size)
{
	(void)device;
	if (size != 4)
		return 0;
	switch (offset) {
	case V2M_TYPER:
		return (SPI_FIRST + GSI_V2M) << V2M_BASE_SHIFT | GSI_V2M_COUNT;
	case V2M_IIDR:
		return V2M_PRODUCT;
	default:
		return 0;
	}
}

/* Only devices send messages, and those do not come this way. */
static void gic_v2m_write(void *device, uint64_t offset, unsigned int size, uint64_t value)
{
	(void)device;
	(void)offset;
	(void)size;
	(void)value;
}

const struct bus_ops gic_v2m_bus_ops = {gic_v2m_read, gic_v2m_write};
