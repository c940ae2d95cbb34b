/* See inet.h. */
#include "inet.h"

#include "memory.h"

uint32_t inet_checksum(const uint8_t *bytes, uint32_t length)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i + 1 < length; i += 2)
		sum += get16(bytes + i);
	if (length % 2)
		sum += (uint32_t)bytes[length - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}

void inet_put_ip(uint8_t *ip, uint32_t bytes, uint8_t protocol, const uint8_t source[4],
	const uint8_t destination[4])
{
	memset(ip, 0, IP_BYTES);
	ip[0] = 0x45;
	put16(ip + 2, bytes);
	ip[6] = 0x40; /* do not fragment */
	ip[8] = 64;
	ip[9] = protocol;
	memcpy(ip + 12, source, 4);
	memcpy(ip + 16, destination, 4);
	put16(ip + 10, inet_checksum(ip, IP_BYTES));
}
