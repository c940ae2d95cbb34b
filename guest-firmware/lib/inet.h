/*
 * Ethernet, ARP, IPv4, as bytes of a frame.
 */
#pragma once

#include <stdint.h>

#define ETHERNET_BYTES 14
#define ARP_BYTES      28
#define IP_BYTES       20 /* without options */
#define UDP_BYTES      8

#define ETHERTYPE_IP  0x0800
#define ETHERTYPE_ARP 0x0806
#define IP_ICMP       1
#define IP_UDP        17

static inline void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static inline uint32_t get16(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

/* RFC 1071 */
uint32_t inet_checksum(const uint8_t *bytes, uint32_t length);

/* A header without options; bytes: of all of the packet. */
void inet_put_ip(uint8_t *ip, uint32_t bytes, uint8_t protocol, const uint8_t source[4],
	const uint8_t destination[4]);
