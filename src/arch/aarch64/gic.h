/*
 * The interrupt controller that KVM emulates: a GICv3 with an ITS for messages where the host has
 * one, else a GICv2 with a GICv2m frame, which is Hull's own: a message becomes one of the lines.
 *
 * Main thread, but for gic_route_message. Documentation/virt/kvm/devices/arm-vgic*.rst; GICv2m: ARM
 * Server Base System Architecture, appendix E.
 */
#pragma once

#include "arch.h"

#include <stdbool.h>

struct gic {
	unsigned int version; /* 2 or 3 */
	int fd;               /* owned, -1 when empty */
	int its_fd;           /* likewise; -1: no messages by way of an ITS */
};

/* Before vCPUs are made. */
must_check int gic_create(int vm_fd, unsigned int cpu_count, struct gic *gic, struct err *err);
/* When all vCPUs are there. */
must_check int gic_finish(const struct gic *gic, struct err *err);
void gic_destroy(struct gic *gic);

/* Any thread. False: nothing on the board takes this message. */
bool gic_route_message(const struct gic *gic, const struct arch_message *message,
	struct kvm_irq_routing_entry *ret_entry);

/* The registers of the GICv2m frame, for a bus range of GIC_V2M_BYTES; it has no state. */
extern const struct bus_ops gic_v2m_bus_ops;
