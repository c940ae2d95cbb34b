/*
 * What the disk guests have in common: finding their disk and bringing it up.
 */
#pragma once

#include "virtio_blk.h"

/* The disk'th block device by "disk=N" (default 0) and "transport=pci|mmio" (default: any), found
 * also at "mmio-base=", "mmio-stride="; NULL when there is none, which it says on the console. */
struct virtio *disk_find(const char *line);
