/*
 * SHA-256 (FIPS 180-4).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define SHA256_BYTES 32
#define SHA256_BLOCK 64

struct sha256 {
	uint32_t state[8];
	uint64_t length; /* bytes so far */
	uint8_t block[SHA256_BLOCK];
};

void sha256_init(struct sha256 *hash);
void sha256_add(struct sha256 *hash, const void *bytes, size_t length);
/* Of what was added; hash may be added to as if nothing had been asked. */
void sha256_digest(const struct sha256 *hash, uint8_t ret_digest[SHA256_BYTES]);
