/*
 * An IPv4 or IPv6 address as its bytes in network order.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define IPV4_BYTES 4
#define IPV6_BYTES 16

struct ip_address {
	unsigned int length; /* IPV4_BYTES or IPV6_BYTES */
	uint8_t bytes[IPV6_BYTES];
};

static inline bool ip_address_equal(const struct ip_address *a, const struct ip_address *b)
{
	return a->length == b->length && memcmp(a->bytes, b->bytes, a->length) == 0;
}
