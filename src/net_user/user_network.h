/*
 * The network that the guest sees, which is the one that QEMU's users know for IPv4: the gateway
 * 10.0.2.2, the name server 10.0.2.3, the guest 10.0.2.15; for IPv6 fd00::2, fd00::3 and an address
 * that the guest forms by itself.
 */
#pragma once

#include <stdint.h>

#define USER_NETWORK_PREFIX_BYTES 3 /* of IPv4's 4: 10.0.2.0/24 */
#define USER_NETWORK_PREFIX6_BITS 64
#define USER_NETWORK_HOST         2 /* the last byte of the address, in both */
#define USER_NETWORK_DNS          3
#define USER_NETWORK_GUEST        15

static const uint8_t user_network_prefix[USER_NETWORK_PREFIX_BYTES] = {10, 0, 2};
static const uint8_t user_network_prefix6[USER_NETWORK_PREFIX6_BITS / 8] = {0xfd};
