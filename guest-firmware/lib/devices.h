/*
 * All virtio devices of the machine, as the command line wants them looked for:
 *
 *     transport=pci|mmio       only this one; default: both
 *     mmio-base=A mmio-stride=B mmio-slots=N   where to look for virtio-mmio
 */
#pragma once

#include "virtio.h"

#define DEVICES_MAX 128

/* Looks for them, once; returns how many there are. */
unsigned int devices_find(const char *line);
unsigned int devices_count(void); /* as it was found */
struct virtio *devices_get(unsigned int index);
/* Looks for them, and returns the first of a kind; NULL: there is none. */
struct virtio *devices_first(const char *line, uint32_t device_id);
