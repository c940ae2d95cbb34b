/*
 * Calls of the Power State Coordination Interface (Arm DEN 0022), by the method that the device
 * tree names.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define PSCI_VERSION        0x84000000
#define PSCI_CPU_OFF        0x84000002
#define PSCI_SYSTEM_OFF     0x84000008
#define PSCI_SYSTEM_RESET   0x84000009
#define PSCI_FEATURES       0x8400000a
#define PSCI_CPU_SUSPEND    0xc4000001
#define PSCI_CPU_ON         0xc4000003
#define PSCI_AFFINITY_INFO  0xc4000004
#define PSCI_SYSTEM_SUSPEND 0xc400000e
#define PSCI_SYSTEM_RESET2  0xc4000012

#define PSCI_SUCCESS            0
#define PSCI_NOT_SUPPORTED      (-1)
#define PSCI_INVALID_PARAMETERS (-2)
#define PSCI_ALREADY_ON         (-4)
#define PSCI_INVALID_ADDRESS    (-9)

/* What AFFINITY_INFO answers. */
#define PSCI_AFFINITY_ON  0
#define PSCI_AFFINITY_OFF 1

/* The property's value, "hvc" or "smc"; "": neither. */
const char *psci_method(void);

/* The 32 bits that the function returns; PSCI_NOT_SUPPORTED when there is no method. */
int32_t psci_call(uint32_t function, uint64_t first, uint64_t second, uint64_t third);
