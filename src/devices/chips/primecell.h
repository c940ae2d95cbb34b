/*
 * How an ARM PrimeCell says what it is: PeriphID0 to 3 and PCellID0 to 3, a byte in each of the
 * last eight words of its page.
 */
#pragma once

#include <stdint.h>

#define PRIMECELL_BYTES    0x1000
#define PRIMECELL_IDENTITY 0xfe0 /* from there to the end */

/* part: 12 bits. The designer is 0x41 (ARM), the revision 0. */
static inline uint8_t primecell_identity(unsigned int part, uint64_t offset)
{
	const uint8_t bytes[] = {
		(uint8_t)part, (uint8_t)(0x10 | part >> 8), 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

	return bytes[(offset - PRIMECELL_IDENTITY) / 4 % sizeof(bytes)];
}
