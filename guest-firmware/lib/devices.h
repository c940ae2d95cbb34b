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
struct virtio *devices_get(unsigned int index);
