/*
 * The cases of the group "virtio", which need files for disks.
 */
#pragma once

#include "guest_cases.h"

extern const struct guest_case virtio_cases[];
extern const size_t virtio_case_count;
