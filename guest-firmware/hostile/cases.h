/*
 * The tables of cases, one a subject.
 */
#pragma once

#include "scene.h"

struct hostile_case {
	const char *name;
	uint32_t needs;
	/* Finds a device just reset, may leave it in any state. */
	void (*run)(struct scene *scene, const struct hostile_case *self);
	const void *data;
	uint64_t a, b, c; /* parameters of run */
};

struct hostile_group {
	const struct hostile_case *cases;
	size_t count;
};

#define GROUP(name, table) \
	const struct hostile_group name = {table, sizeof(table) / sizeof((table)[0])}

extern const struct hostile_group chain_group;      /* descriptor chains */
extern const struct hostile_group indirect_group;   /* indirect tables */
extern const struct hostile_group ring_group;       /* indices, heads, event suppression */
extern const struct hostile_group queue_group;      /* where queues are and how large */
extern const struct hostile_group status_group;     /* status and features */
extern const struct hostile_group register_group;   /* registers at every offset and size */
extern const struct hostile_group request_group;    /* block requests */
extern const struct hostile_group layout_group;     /* the same request over many descriptors */
extern const struct hostile_group flight_group;     /* with hundreds of requests in flight */
extern const struct hostile_group pci_group;        /* configuration space, BARs */
extern const struct hostile_group line_group;       /* interrupt lines */
extern const struct hostile_group msix_group;       /* interrupt messages */
extern const struct hostile_group net_group;        /* frames and commands of a NIC */
extern const struct hostile_group socket_group;     /* packets of a socket device */
extern const struct hostile_group share_group;      /* requests of a file system device */
extern const struct hostile_group share_flow_group; /* more than one of them */
extern const struct hostile_group other_group;      /* entropy, console, other disks */

/* What else the architecture's board has; and what of it a case needs and this machine has not, or
 * NULL. */
extern const struct hostile_group board_group;
const char *board_part_missing(const struct hostile_case *hostile_case);

/* The first other device of that kind (its queues are up); NULL: none. hostile.c. */
struct bystander {
	struct virtio *device;
	struct vring ring;
	bool read_only;
};
struct bystander *bystander_find(uint32_t device_id, bool read_only);
/* Does one request on it; reports when it fails. */
void bystander_check(struct bystander *bystander, struct report *report);
/* From reset to working. */
bool bystander_up(struct bystander *bystander);
